"""The state all graphs share: one problem's story as it grows.

Every record is kept under its id, and merging is idempotent: a subgraph may hand back what it was given, and a later
record of the same id (a reviewed rationale) replaces the earlier one.
"""

from __future__ import annotations

from typing import Annotated, TypedDict, TypeVar

from errata.agents.demonstration import Demonstration
from errata.records import Call, Explanation, Outcome, Pair, Problem, Rationale, Role, Transcript, Verb

R = TypeVar("R")


def merge(left: dict[str, R], right: dict[str, R]) -> dict[str, R]:
    """`left` with the records of `right` added or replaced; order of first appearance."""
    return {**left, **right}


class Story(TypedDict, total=False):
    """`demonstrations` are natural pairs of the run, offered by the runner; `outcome` is written by the last node."""

    problem: Problem
    demonstrations: tuple[Demonstration, ...]
    rationales: Annotated[dict[str, Rationale], merge]
    explanations: Annotated[dict[str, Explanation], merge]
    pairs: Annotated[dict[str, Pair], merge]
    calls: Annotated[dict[str, Call], merge]
    outcome: Outcome | None


def rationales_of(story: Story, *roles: Role) -> list[Rationale]:
    """The story's rationales of these roles, those a filter set aside left out."""
    return [each for each in story.get("rationales", {}).values() if each.role in roles and each.dropped is None]


def mistakes_of(story: Story) -> list[Rationale]:
    """The student's wrong answers."""
    return [each for each in rationales_of(story, "student") if each.correct is False]


_ROLES: tuple[Role, ...] = ("student", "teacher", "revised", "rectified", "corrupted")
_VERBS: tuple[Verb, ...] = ("solve", "score", "revise", "explain", "classify", "rectify", "corrupt")


def transcript_of(name: str, story: Story) -> Transcript:
    """The finished story as a transcript, its records in an order that does not depend on how they came about.

    Raises KeyError where no graph has run to its end, so that there is no outcome.
    """
    outcome = story["outcome"]
    if outcome is None:
        raise KeyError("outcome")
    return Transcript(
        graph=name,
        problem=story["problem"],
        rationales=tuple(sorted(story.get("rationales", {}).values(), key=_place_of_rationale)),
        explanations=tuple(
            sorted(story.get("explanations", {}).values(), key=lambda each: (each.rationale_id, each.author))
        ),
        pairs=tuple(sorted(story.get("pairs", {}).values(), key=lambda each: (each.origin, each.right, each.wrong))),
        calls=tuple(sorted(story.get("calls", {}).values(), key=_place_of_call)),
        outcome=outcome,
    )


def _place_of_rationale(each: Rationale) -> tuple[int, str, int, str, str]:
    return _ROLES.index(each.role), each.author, each.sample, each.parent_id or "", each.id


def _place_of_call(each: Call) -> tuple[int, str, str, int, int, str]:
    return _VERBS.index(each.verb), each.agent, each.about or "", each.sample, each.attempt, each.id


def natural_demonstrations(told: Story | Transcript) -> tuple[Demonstration, ...]:
    """The natural pairs in the band of a finished problem, as examples for the rewrites of other problems."""
    if isinstance(told, Transcript):
        problem, pairs = told.problem, told.pairs
        rationales = {each.id: each for each in told.rationales}
    else:
        problem, pairs = told["problem"], tuple(told.get("pairs", {}).values())
        rationales = told.get("rationales", {})
    return tuple(
        Demonstration(
            question=problem.question,
            rationale=rationales[pair.right].text,
            answer=problem.answer,
            wrong=rationales[pair.wrong].text,
        )
        for pair in sorted(pairs, key=lambda pair: (pair.edit_ratio, pair.id))
        if pair.origin == "natural" and pair.in_band
    )
