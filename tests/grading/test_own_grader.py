"""A grader of one's own that is none says so where it is given, or at the first text, with where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errata.errors import UsageError
from errata.grading.grader import Grade, as_grader
from errata.records import Problem

PROBLEM = Problem(id="p", task="t", question="1 + 1 ?", answer="2", kind="number")
HERE = Path(__file__).name


def truth(problem: Problem, text: str) -> Any:
    return text == problem.answer


def one(problem: Problem) -> Any:
    return None


def right(problem: Problem, text: str) -> Grade:
    return Grade(text == problem.answer, text, None, "mine")


async def later(problem: Problem, text: str) -> Grade:
    return right(problem, text)


@pytest.mark.parametrize("function", [right, later, lambda *texts: right(*texts)])
async def test_a_function_that_gives_grades_is_one(function: Any) -> None:
    assert await as_grader(function).grade(PROBLEM, "2") == Grade(True, "2", None, "mine")


async def test_one_that_gives_no_grade_ends_the_run_and_says_what_to_return() -> None:
    with pytest.raises(UsageError, match=rf"truth \(.*{HERE}:\d+\) returned a bool: True(.|\n)*errata\.Grade"):
        await as_grader(truth).grade(PROBLEM, "2")


def test_one_that_takes_other_arguments_is_refused_before_anything_is_graded() -> None:
    with pytest.raises(UsageError, match=rf"one \(.*{HERE}:\d+\): too many positional arguments(.|\n)*problem, text"):
        as_grader(one)
