"""A gold answer grades correct for the records of every data set; so does a worked solution that states it."""

from collections.abc import Iterator
from itertools import islice
from string import ascii_uppercase
from typing import Any

import pytest

from errata.data.problems import Problems
from errata.data.source import ProblemSource
from errata.grading.grader import Grader
from errata.records import Problem
from tests.released_data import DATA, FILES

SELF_CONTRADICTING = {
    "aqua:6fee280092eb5953": "says `Hence answer is a` before `Answer:B`",
    "tdg_math:fa3562f906f51989": "its box is empty, the answer is meant to be none: 0",
    "tdg_math:2801e9b8c2c2281b": "its box is empty, the answer is meant to be none: 0",
}
"""Worked solutions that do not state the gold answer (or not first), with the reason. No gold answer is excepted."""
SILENT = {"aqua/dev.json": 8, "aqua/test.json": 4}
"""Worked solutions of a file that name no option."""


LARGE = {"commonsenseqa/train_rand_split.jsonl", "gsm8k/train.jsonl", "tdg/gpt35_math.jsonl", "tdg/gpt4_math.jsonl"}
"""Files of which every FIFTH problem is graded, and all of them where time does not matter."""
FIFTH = 5


def files() -> Iterator[Any]:
    """Each file with its mapping, and how many problems of it one is graded of."""
    for pattern, name in FILES:
        for path in sorted(DATA.glob(pattern)):
            file = str(path.relative_to(DATA))
            yield pytest.param(file, name, FIFTH if file in LARGE else 1, id=f"{file}-{name}")
            if file in LARGE:
                yield pytest.param(file, name, 1, id=f"{file}-{name}-all", marks=pytest.mark.slow)


def solution(problem: Problem, mapping: str) -> str | None:
    """The data set's worked solution, where it is one that states the answer."""
    if problem.rationale is None or mapping not in ("gsm8k", "aqua", "tdg_math"):
        return None
    return f"{problem.rationale}\n#### {problem.answer}" if mapping == "gsm8k" else problem.rationale


@pytest.mark.skipif(not DATA.is_dir(), reason="set ERRATA_DATA to the folder with the data sets")
@pytest.mark.parametrize(("file", "mapping", "every"), list(files()))
async def test_gold_grades_correct(file: str, mapping: str, every: int) -> None:
    wrong: list[tuple[str, str]] = []
    silent = count = 0
    async with Grader() as grader:
        for problem in islice(Problems(ProblemSource(source=str(DATA / file), mapping=mapping)), 0, None, every):
            count += 1
            texts = [f"The answer is {problem.answer}."]
            if problem.kind == "choice":
                texts.append(f"Answer: ({problem.answer})")
                texts.append(f"So the answer is {problem.choices[ascii_uppercase.index(problem.answer)]}.")
            if problem.kind == "latex":
                texts.append(f"So it is $\\boxed{{{problem.answer}}}$.")
            wrong += [(problem.id, text) for text in texts if not (await grader.grade(problem, text)).correct]
            if worked := solution(problem, mapping):
                grade = await grader.grade(problem, worked)
                silent += grade.answer is None
                if not grade.correct and grade.answer is not None and problem.id not in SELF_CONTRADICTING:
                    wrong.append((problem.id, worked))

    assert count > 100
    assert wrong == []
    assert silent == SILENT.get(file, 0)
