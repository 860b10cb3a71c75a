"""What the nodes of several stages do: ask together, collect the replies, grade them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from errata.agents.ask import Parsed
from errata.agents.team import Team
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
    """Every rationale that has no grade yet, graded."""
    problem = state["problem"]
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


def _soundness(problem: Problem, text: str) -> bool | None:
    if problem.task != "classroom":
        return None
    from errata.classroom.soundness import sound  # only the classroom needs the checker of its steps

    return sound(problem.question, text)
