"""What the nodes of several stages do: ask together, collect the replies, grade them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from errata.agents.ask import Parsed
from errata.agents.team import Team
from errata.errors import UsageError
from errata.grading.equivalence import grouped
from errata.grading.extract import read_answer
from errata.grading.grader import Grades
from errata.graphs.estimated import estimates
from errata.graphs.state import State
from errata.records import Call, Explanation, Problem, Rationale

T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order. If one raises (the budget is spent), the others finish first: their replies are paid."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def calls_of(replies: Iterable[Parsed[Any]]) -> dict[str, Call]:
    return {call.id: call for each in replies for call in each.calls}


def add_rationales(replies: Iterable[Parsed[Rationale]]) -> State:
    """The rationales that came, with all calls, as an update of the state."""
    parsed = list(replies)
    return {"rationales": {each.value.id: each.value for each in parsed if each.value}, "calls": calls_of(parsed)}


def add_explanations(replies: Iterable[Parsed[Explanation]]) -> State:
    """The explanations that came, with all calls, as an update of the state."""
    parsed = list(replies)
    return {"explanations": {each.value.id: each.value for each in parsed if each.value}, "calls": calls_of(parsed)}


async def grade_all(team: Team, state: State) -> State:
    """Every rationale that has no grade yet, graded; of a problem without a gold answer, all with their estimates."""
    problem = state["problem"]
    if problem.answer is None:
        read = {each.id: with_answer(problem, each) for each in state.get("rationales", {}).values()}
        return {"rationales": await estimated(team, problem, read)}
    fresh = [each for each in state.get("rationales", {}).values() if each.correct is None]
    graded = await together(_graded(team, problem, each) for each in fresh)
    return {"rationales": {each.id: each for each in graded}}


async def _graded(team: Team, problem: Problem, rationale: Rationale) -> Rationale:
    grade = await team.grader.grade(problem, rationale.text)
    return rationale.model_copy(
        update={
            "answer": grade.answer,
            "correct": grade.correct,
            "answer_span": grade.span,
            "grade_rule": grade.rule,
            "sound": _soundness(problem, rationale.text),
        }
    )


def with_answer(problem: Problem, rationale: Rationale) -> Rationale:
    """The rationale with its answer read, which there is nothing to compare with."""
    if rationale.grade_rule is not None:
        return rationale
    reading = read_answer(problem.kind, rationale.text, problem.choices)
    sound = _soundness(problem, rationale.text)
    fields = {"answer": reading.answer, "answer_span": reading.span, "grade_rule": reading.rule, "sound": sound}
    return rationale.model_copy(update=fields)


async def estimated(team: Team, problem: Problem, rationales: Mapping[str, Rationale]) -> dict[str, Rationale]:
    """All rationales of a problem without a gold answer, with what is now known of them as estimates.

    Raises UsageError where the team's grader cannot compare two answers.
    """
    written, same = list(rationales.values()), comparison(team, problem)
    chances = estimates(problem, written, await grouped([each.answer for each in written], same))
    return {
        each.id: each.model_copy(update={"correct": None, "estimated": None if chance is None else round(chance, 6)})
        for each, chance in zip(written, chances, strict=True)
    }


def comparison(team: Team, problem: Problem) -> Callable[[str, str], Coroutine[Any, Any, bool]]:
    """Whether two answers of a problem are the same by the team's grader. Raises UsageError where it cannot compare."""
    return comparison_by(team.grader, problem)


def comparison_by(grader: Grades, problem: Problem) -> Callable[[str, str], Coroutine[Any, Any, bool]]:
    """Whether two answers of a problem are the same by this grader. Raises UsageError where it cannot compare."""
    compare = getattr(grader, "same", None)
    if compare is None:
        why = "without a gold answer, answers are compared with each other"
        raise UsageError("the grader has no `same`", why, "leave `grader` out: the shipped one compares answers")

    async def same(one: str, other: str) -> bool:
        return bool(await compare(problem.kind, one, other, problem.choices))

    return same


def _soundness(problem: Problem, text: str) -> bool | None:
    if problem.task != "classroom":
        return None
    from errata.classroom.soundness import sound  # only the classroom needs the checker of its steps

    return sound(problem.question, text)
