"""A small school as plain data, changed by keyword, and rounds as its record has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from errata.school.record import Accuracy, Gain, Round

LESSON = {
    "stages": ["exam", "rationales"],
    "agents": {"teachers": [{"name": "ada", "model": "simulated/ada"}, {"name": "ben", "model": "simulated/ben"}]},
}


def school_data(**changes: Any) -> dict[str, Any]:
    return {
        "student": {"model": "somewhere/student"},
        "data": {"source": "classroom", "options": {"count": 12, "seed": 17}},
        "exam": {"samples": 2, "max_tokens": 32},
        "choose": {"by": "random", "count": 6},
        "lesson": LESSON,
        "train": {"method": "sft", "flags": {"max_steps": 2}},
        "judge": {"tasks": {"classroom_id": {"options": {"count": 8}}}, "decoding": {"max_tokens": 24}},
        "rounds": 2,
    } | changes


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(school_data(**{"runs": str(folder / "runs"), **changes}), sort_keys=False))
    return path


def judged(number: int, verdict: str = "better", **changes: Any) -> Round:
    """A round that has come to its end."""
    gain = Gain.model_validate({"difference": 0.02, "low": 0.01, "high": 0.03, "p": 0.01, "verdict": verdict})
    known: dict[str, Any] = {
        "round": number,
        "student": f"round-{number}/student",
        "accuracy": Accuracy(value=0.5, low=0.4, high=0.6),
        "gain": gain,
        "mastered": 0.3,
        "forgotten": 0.0,
        "teacher_tokens": 1000 * number,
        "own_tokens": 500,
        "dollars": 0.5,
        "hours": 0.25,
    }
    return Round.model_validate(known | changes)
