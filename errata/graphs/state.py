"""The state that all stages share: what there is of one problem so far.

Every record stands under its id, and merging is idempotent: a node may hand back what it was given, and a later record
of the same id (a reviewed rationale) replaces the earlier one.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, TypedDict, TypeVar

from errata.agents.demonstration import Demonstration
from errata.graphs.vote_policy import VotePolicy
from errata.records import Call, Explanation, Outcome, Pair, Problem, Rationale, Transcript

R = TypeVar("R")


def merge(left: dict[str, R], right: dict[str, R]) -> dict[str, R]:
    """`left` with the records of `right` added or replaced; order of first appearance."""
    return {**left, **right}


class Learned(NamedTuple):
    """What the problems of a run's warm-up have taught, for all others."""

    demonstrations: tuple[Demonstration, ...] = ()
    """Their natural pairs, shown to the rewrites."""
    policy: VotePolicy | None = None
    """When one more review is worth asking for."""


class State(TypedDict, total=False):
    """`demonstrations` and `policy` come of the run's first problems, see Learned; the last node writes `outcome`."""

    problem: Problem
    demonstrations: tuple[Demonstration, ...]
    policy: VotePolicy | None
    rationales: Annotated[dict[str, Rationale], merge]
    explanations: Annotated[dict[str, Explanation], merge]
    pairs: Annotated[dict[str, Pair], merge]
    calls: Annotated[dict[str, Call], merge]
    outcome: Outcome | None


def rationales_of(state: State, *roles: str) -> list[Rationale]:
    """The state's rationales of these roles, those a filter set aside left out."""
    return [each for each in state.get("rationales", {}).values() if each.role in roles and each.dropped is None]


def mistakes_of(state: State) -> list[Rationale]:
    """The student's wrong answers."""
    return [each for each in rationales_of(state, "student") if each.is_right is False]


def none_right(state: State) -> str:
    """Why a problem is rejected that no rationale answers rightly: as graded, or without a gold answer as estimated."""
    return "no_agreed_answer" if state["problem"].answer is None else "no_correct_rationale"


def student_right(state: State) -> str:
    """Why a problem is rejected on which the student made no mistake: as graded, or as estimated."""
    return "student_estimated_right" if state["problem"].answer is None else "student_right"


_ROLES: tuple[str, ...] = ("student", "teacher", "revised", "rectified", "corrupted")
_VERBS: tuple[str, ...] = ("solve", "score", "revise", "explain", "classify", "rectify", "corrupt")


def transcript_of(name: str, state: State) -> Transcript:
    """The finished state as a transcript, its records in an order that does not depend on how they came about.

    Raises KeyError where no graph has run to its end, so that there is no outcome.
    """
    outcome = state["outcome"]
    if outcome is None:
        raise KeyError("outcome")
    return Transcript(
        graph=name,
        problem=state["problem"],
        rationales=tuple(sorted(state.get("rationales", {}).values(), key=_place_of_rationale)),
        explanations=tuple(
            sorted(state.get("explanations", {}).values(), key=lambda each: (each.rationale_id, each.author))
        ),
        pairs=tuple(sorted(state.get("pairs", {}).values(), key=lambda each: (each.origin, each.right, each.wrong))),
        calls=tuple(sorted(state.get("calls", {}).values(), key=_place_of_call)),
        outcome=outcome,
    )


def _place_of_rationale(each: Rationale) -> tuple[int, str, str, int, str, str]:
    return *_place(_ROLES, each.role), each.author, each.sample, each.parent_id or "", each.id


def _place_of_call(each: Call) -> tuple[int, str, str, str, int, int, str]:
    return *_place(_VERBS, each.verb), each.agent, each.about or "", each.sample, each.attempt, each.id


def _place(shipped: tuple[str, ...], name: str) -> tuple[int, str]:
    """The shipped names in their order, those of one's own stages after them by name."""
    return (shipped.index(name), "") if name in shipped else (len(shipped), name)


def natural_demonstrations(ended: State | Transcript) -> tuple[Demonstration, ...]:
    """The natural pairs in the band of a finished problem, as examples for the rewrites of other problems."""
    if isinstance(ended, Transcript):
        problem, pairs = ended.problem, ended.pairs
        rationales = {each.id: each for each in ended.rationales}
    else:
        problem, pairs = ended["problem"], tuple(ended.get("pairs", {}).values())
        rationales = ended.get("rationales", {})
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
