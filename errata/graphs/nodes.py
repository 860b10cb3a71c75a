"""What the nodes of several graphs do: ask together, collect what was said, grade it.

Nodes and routes are `async def` also where they await nothing: LangGraph sends plain functions to a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeAlias, TypeVar

from langgraph.graph.state import CompiledStateGraph

from errata.agents.ask import Said
from errata.agents.team import Cast
from errata.graphs.state import Story
from errata.records import Call, Problem, Rationale

T = TypeVar("T")

StoryGraph: TypeAlias = "CompiledStateGraph[Story, None, Story, Story]"


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order. If one raises (the budget is spent), the others finish first: their replies are paid."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def calls_of(said: Iterable[Said[Any]]) -> dict[str, Call]:
    return {call.id: call for each in said for call in each.calls}


def written_by(said: Iterable[Said[Rationale]]) -> Story:
    """The rationales that came, with all calls, as an update of the story."""
    kept = list(said)
    return {"rationales": {each.value.id: each.value for each in kept if each.value}, "calls": calls_of(kept)}


async def grade_all(cast: Cast, story: Story) -> Story:
    """Every rationale that has no grade yet, graded."""
    problem = story["problem"]
    fresh = [each for each in story.get("rationales", {}).values() if each.correct is None]
    graded = await together(_graded(cast, problem, each) for each in fresh)
    return {"rationales": {each.id: each for each in graded}}


async def _graded(cast: Cast, problem: Problem, rationale: Rationale) -> Rationale:
    grade = await cast.grader.grade(problem, rationale.text)
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
    from errata.classroom.soundness import sound  # only the classroom needs the simulated faculty

    return sound(problem.question, text)
