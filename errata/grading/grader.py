"""Grader: whether an answer is right, and by which rule.

    text --read--> answer --compare--> strings, numbers, values --undecided--> math-verify in a worker process

`Grade.rule` joins how the answer was read and how it was compared: `box+string`, `final_line+number`,
`box+math_verify`, `none`. The readings are those of errata.grading.extract. The comparisons:

    string               equal in the form of the kind, or words that cannot be equal otherwise
    number               as exact rational numbers, with their units (errata.grading.quantity)
    choice, boolean, list, set, ratio, interval    equal in the form of the kind
    value                by value at points of the variables, part by part (errata.grading.structure)
    restated             equal, yet the very expression that the question asks to work out: wrong
    math_verify          by algebra; math_verify_timeout where that did not end in time, which counts as wrong
    math_verify_form     equal, yet not factored or expanded as the question asks: wrong
    too_long             wrong: different strings, too long for algebra
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from errata.errors import UsageError
from errata.grading.compare import Comparison, asks_form, compare, compare_latex, restates
from errata.grading.extract import NOTHING, Reading, read_answer, readings
from errata.grading.latex import normal
from errata.grading.math_pool import MathPool, Verdict
from errata.grading.quantity import with_unit
from errata.records import AnswerKind, Problem, Span

__all__ = ["Grade", "Grader", "Reading", "read_answer"]

_MOST_VERDICTS = 10_000
_MOST_WORKERS = 8
_RULES: dict[Verdict, Comparison] = {
    "equal": Comparison(True, "math_verify"),
    "different": Comparison(False, "math_verify"),
    "form": Comparison(False, "math_verify_form"),
    "timeout": Comparison(False, "math_verify_timeout"),
}


class Grade(NamedTuple):
    """Whether the answer read is right; what it is and where it stands; how it was read and compared."""

    correct: bool
    answer: str | None
    span: Span | None
    rule: str


class Grades(Protocol):
    """A grader says whether a text answers a problem rightly: `Grader`, or one of one's own."""

    async def grade(self, problem: Problem, text: str) -> Grade: ...


class FunctionGrader:
    """A grader made of a function `(problem, text) -> Grade`, which may be `async`."""

    def __init__(self, function: Callable[[Problem, str], Grade | Awaitable[Grade]]) -> None:
        self._function = function

    async def grade(self, problem: Problem, text: str) -> Grade:
        """UsageError where it gives no Grade."""
        given = self._function(problem, text)
        grade = await given if isinstance(given, Awaitable) else given
        if not isinstance(grade, Grade):
            raise UsageError(
                f"the grader {_place(self._function)} returned a {type(grade).__name__}: {grade!r}"[:300],
                "a grade says more than right or wrong",
                'return errata.Grade(correct, answer, span, rule), such as Grade(True, "14", None, "mine")',
            )
        return grade


def as_grader(part: Any) -> Grades:
    """A grader of one's own: an object with `grade`, a class of such objects, or a function. Raises UsageError."""
    if isinstance(part, type):
        part = part()
    if callable(getattr(part, "grade", None)):
        grader: Grades = part
        return grader
    if callable(part):
        _check_signature(part)
        return FunctionGrader(part)
    raise UsageError(
        f"a grader that is a {type(part).__name__}",
        "a grader says whether a text answers a problem rightly",
        "write a function (problem, text) -> Grade, or a class with such a method `grade`",
    )


def _check_signature(function: Callable[..., Any]) -> None:
    """Raises UsageError for a function that a problem and a text cannot be given to."""
    try:
        inspect.signature(function).bind(None, "")
    except TypeError as error:
        raise UsageError(
            f"the grader {_place(function)}: {error}",
            "it is given a problem and the text that answers it",
            "write it as a function (problem, text) -> Grade",
        ) from None
    except ValueError:  # of some built-in functions no signature is known
        return


def _place(function: Callable[..., Any]) -> str:
    """What a function is called, and where it stands."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    name = getattr(function, "__name__", type(function).__name__)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name


class Grader:
    """Grades texts and compares answers; an async context manager that owns the math-verify workers.

    Workers start when algebra is first needed, as many as there are processors, at most 8. Usable from any number of
    tasks; verdicts are remembered.
    """

    def __init__(self) -> None:
        self._pool = MathPool()
        self._threads: ThreadPoolExecutor | None = None
        self._verdicts: dict[tuple[str, str, bool], Comparison] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the workers, also those in the middle of a check."""
        self._pool.close()
        if self._threads:
            await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
            self._threads = None

    async def grade(self, problem: Problem, text: str) -> Grade:
        """Whether `text` answers `problem` rightly.

        For LaTeX the box and the final sentence both count: the grade is that of the first of them that is right.
        UsageError for a problem without a gold answer; ErrataError if no math-verify worker can be started.
        """
        if problem.answer is None:
            why = "an answer is right where it is the gold answer"
            raise UsageError(f"{problem.id} has no gold answer", why, "estimate its verdicts (errata.graphs.estimated)")
        first: Grade | None = None
        for reading in readings(problem.kind, text, problem.choices):
            for gold in (problem.answer, *problem.answers):
                comparison = await self._compare(problem, gold, reading, text)
                rule = f"{reading.rule}+{comparison.rule}"
                grade = Grade(bool(comparison.correct), reading.answer, reading.span, rule)
                if grade.correct:
                    return grade
                first = first or grade
        return first or Grade(False, *NOTHING)

    async def same(self, kind: AnswerKind, a: str, b: str, choices: Sequence[str] = ()) -> bool:
        """Whether two bare answers are the same. ErrataError if no math-verify worker can be started."""
        if kind != "latex":
            return bool(compare(kind, a, b, tuple(choices)).correct)
        return bool((await self._compare_latex(a, b)).correct)

    async def _compare(self, problem: Problem, gold: str, reading: Reading, text: str) -> Comparison:
        answer, span = reading.answer or "", reading.span
        if problem.kind == "latex":
            return await self._compare_latex(gold, answer, problem.question)
        if problem.kind == "number" and span:
            answer = with_unit(text, span)
        return compare(problem.kind, gold, answer, problem.choices)

    async def _compare_latex(self, gold: str, answer: str, question: str = "") -> Comparison:
        comparison = compare_latex(gold, answer, question)
        if comparison.correct is not None:
            return comparison
        key = normal(gold), normal(answer), asks_form(question)
        if key not in self._verdicts:
            verdict = await self._verify(*key)
            if len(self._verdicts) >= _MOST_VERDICTS:
                self._verdicts.clear()
            self._verdicts[key] = verdict
        verdict = self._verdicts[key]
        return Comparison(False, "restated") if verdict.correct and restates(question, key[1]) else verdict

    async def _verify(self, gold: str, answer: str, form: bool) -> Comparison:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(min(_MOST_WORKERS, os.cpu_count() or 1), thread_name_prefix="grading")
        loop = asyncio.get_running_loop()
        verdict = await loop.run_in_executor(self._threads, self._pool.check, gold, answer, form)
        return _RULES[verdict]
