"""Is this answer right, and by which rule.

    text --read--> answer --compare--> strings, numbers --undecided--> math-verify in a worker process

`Grade.rule` joins how the answer was read and how it was compared: `box+string`, `final_line+number`,
`box+math_verify`, `none`. The readings are those of errata.grading.extract. The comparisons:

    string               equal in the form of the kind, or words that cannot be equal otherwise
    number               as exact rational numbers
    math_verify          by algebra; math_verify_timeout where that did not end in time, which counts as wrong
    math_verify_form     equal, yet not factored or expanded as the question asks: wrong
    too_long             wrong: different strings, too long for algebra
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from string import ascii_uppercase
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from errata.errors import UsageError
from errata.grading.extract import NOTHING, Reading, read_answer, readings
from errata.grading.latex import alike, normal
from errata.grading.math_pool import Verdict, Verifier
from errata.grading.normalize import canonical
from errata.records import AnswerKind, Problem, Span

__all__ = ["Grade", "Grader", "Reading", "read_answer"]

_MOST_VERDICTS = 10_000
_MOST_WORKERS = 8
_ASKS_FORM = re.compile(r"\b(?:factor|expand)", re.IGNORECASE)
_ASKS_ORDER = re.compile(
    r"\b(?:greatest|largest|least|smallest) to\b|\b(?:ascending|descending|in) order\b", re.IGNORECASE
)
_RULES: dict[Verdict, tuple[bool, str]] = {
    "equal": (True, "math_verify"),
    "different": (False, "math_verify"),
    "form": (False, "math_verify_form"),
    "timeout": (False, "math_verify_timeout"),
}


class Grade(NamedTuple):
    """Whether the answer read is right; what it is and where it stands; how it was read and compared."""

    correct: bool
    answer: str | None
    span: Span | None
    rule: str


class Grades(Protocol):
    """Says whether a text answers a problem rightly: `Grader`, or a grader of one's own."""

    async def grade(self, problem: Problem, text: str) -> Grade: ...


class FunctionGrader:
    """A grader made of a function `(problem, text) -> Grade`, which may be `async`."""

    def __init__(self, function: Callable[[Problem, str], Grade | Awaitable[Grade]]) -> None:
        self._function = function

    async def grade(self, problem: Problem, text: str) -> Grade:
        grade = self._function(problem, text)
        return await grade if isinstance(grade, Awaitable) else grade


def as_grader(part: Any) -> Grades:
    """A grader of one's own: an object with `grade`, a class of such objects, or a function. Raises UsageError."""
    if isinstance(part, type):
        part = part()
    if callable(getattr(part, "grade", None)):
        grader: Grades = part
        return grader
    if callable(part):
        return FunctionGrader(part)
    raise UsageError(
        f"a grader that is a {type(part).__name__}",
        "a grader says whether a text answers a problem rightly",
        "write a function (problem, text) -> Grade, or a class with such a method `grade`",
    )


class Grader:
    """Grades texts and compares answers; an async context manager that owns the math-verify workers.

    Workers start when algebra is first needed, as many as there are processors, at most 8. Usable from any number of
    tasks; verdicts are remembered.
    """

    def __init__(self) -> None:
        self._verifier = Verifier()
        self._threads: ThreadPoolExecutor | None = None
        self._verdicts: dict[tuple[str, str, bool], tuple[bool, str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the workers, also those in the middle of a check."""
        self._verifier.close()
        if self._threads:
            await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
            self._threads = None

    async def grade(self, problem: Problem, text: str) -> Grade:
        """Whether `text` answers `problem` rightly.

        For LaTeX the box and the final sentence both count: the grade is that of the first of them that is right.
        ErrataError if no math-verify worker can be started.
        """
        found = [*readings(problem.kind, text, problem.choices)]
        grades: list[Grade] = []
        for reading in found:
            correct, rule = await self._compare(
                problem.kind, problem.answer, reading.answer or "", problem.choices, problem.question
            )
            grades.append(Grade(correct, reading.answer, reading.span, f"{reading.rule}+{rule}"))
            if correct:
                return grades[-1]
        return grades[0] if grades else Grade(False, *NOTHING)

    async def same(self, kind: AnswerKind, a: str, b: str, choices: Sequence[str] = ()) -> bool:
        """Whether two bare answers are the same. ErrataError if no math-verify worker can be started."""
        return (await self._compare(kind, a, b, choices))[0]

    async def _compare(
        self, kind: AnswerKind, gold: str, answer: str, choices: Sequence[str], question: str = ""
    ) -> tuple[bool, str]:
        if kind != "latex":
            return _equal(kind, gold, answer, tuple(choices))
        correct, rule = alike(gold, answer)
        if correct is not None:
            return correct, rule
        if "," in gold and _ASKS_ORDER.search(question):
            return False, "string"
        key = normal(gold), normal(answer), bool(_ASKS_FORM.search(question))
        if key not in self._verdicts:
            verdict = await self._verify(*key)
            if len(self._verdicts) >= _MOST_VERDICTS:
                self._verdicts.clear()
            self._verdicts[key] = verdict
        return self._verdicts[key]

    async def _verify(self, gold: str, answer: str, form: bool) -> tuple[bool, str]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(min(_MOST_WORKERS, os.cpu_count() or 1), thread_name_prefix="grading")
        loop = asyncio.get_running_loop()
        verdict = await loop.run_in_executor(self._threads, self._verifier.check, gold, answer, form)
        return _RULES[verdict]


@lru_cache(maxsize=4_096)
def _equal(kind: AnswerKind, gold: str, answer: str, choices: tuple[str, ...]) -> tuple[bool, str]:
    """Compare two answers of any kind but LaTeX."""
    left, right = canonical(kind, gold, choices), canonical(kind, answer, choices)
    if kind == "string":
        return _folded(left) == _folded(right), "string"
    return left == right or (kind == "choice" and _option(left, choices) == _option(right, choices)), kind


def _option(letter: str, choices: tuple[str, ...]) -> str:
    """The option's text, since two options may read the same; the letter itself where it is none."""
    place = ascii_uppercase.find(letter) if len(letter) == 1 else -1
    return choices[place].strip().casefold() if 0 <= place < len(choices) else letter


def _folded(text: str) -> str:
    """Case, commas between words and white space do not count; brackets may be written apart or together."""
    words = text.casefold().replace(",", " ").split()
    return ("" if not any(char.isalnum() for char in text) else " ").join(words)
