"""What the jobs share: their arguments, the problems, the prompts and the filter. Needs nothing but Python.

A job is called `python JOB.py BASE_URL FOLDER PROBLEMS CONCURRENCY [batch]`: it asks for one sample of each problem,
has each judged, keeps what scores above 3, writes the rows to FOLDER/out.jsonl, and keeps its state in FOLDER, so that
the same command resumes a killed one. With `batch` all calls go out in provider batches.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

os.environ.update(
    OPENAI_API_KEY="none", HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", LITELLM_LOCAL_MODEL_COST_MAP="True",
    TELEMETRY_ENABLED="false", NEMO_TELEMETRY_ENABLED="false", CURATOR_VIEWER="0", DO_NOT_TRACK="1",
)  # fmt: skip

SAMPLE = "Solve the problem step by step. End with: The answer is X.\n\n{question}"
POLL_S = 1
"""Seconds between two looks at a batch."""
JUDGE = "Score this solution from 1 to 5, in brackets.\n\nProblem: {question}\n\nSolution: {solution}"


class Asked(NamedTuple):
    base: str
    folder: Path
    questions: list[str]
    concurrency: int
    batch: bool = False


def asked() -> Asked:
    base, folder, problems, concurrency, *batch = sys.argv[1:6]
    Path(folder).mkdir(parents=True, exist_ok=True)
    number = int(problems)
    questions = [f"Problem {n}: Ada has {n} apples and buys {n % 7} more. How many?" for n in range(number)]
    return Asked(base, Path(folder), questions, int(concurrency), batch == ["batch"])


def kept(judgement: str | None) -> bool:
    scores = re.findall(r"\[(\d)\]", judgement or "")
    return bool(scores) and int(scores[-1]) > 3


def write(folder: Path, rows: Iterable[tuple[str, str | None, str | None]]) -> None:
    """Rows of (question, solution, judgement) that pass the filter."""
    with (folder / "out.jsonl").open("w", encoding="utf-8") as out:
        for question, solution, judgement in rows:
            if solution and kept(judgement):
                out.write(json.dumps({"question": question, "solution": solution}) + "\n")
