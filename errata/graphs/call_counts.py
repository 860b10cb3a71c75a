"""How many calls a stage makes per problem: least, expected and most, and the rates that the expected counts assume.

A call that every problem takes has least = expected = most, so that a pipeline without branches is counted exactly; one
that depends on what models answer is bounded by never and always, and expected at the rates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from errata.llm.spec import AgentSpec
from errata.records import Problem


@dataclass(frozen=True)
class Rates:
    """What the expected counts assume; each a share from 0 to 1."""

    student_right: float = 0.5
    """Student's answers that are right."""
    teacher_right: float = 0.8
    """Teachers' rationales that are right."""
    kept: float = 1.0
    """Right rationales that the length and diversity filters leave."""
    accepted: float = 0.75
    """Reviewed rationales that the panel accepts."""
    right_accepted: float = 0.9
    """The same among the right ones."""
    revised_accepted: float = 0.5
    """Revised rationales that the panel then accepts."""
    revised_right: float = 0.6
    """Revised rationales that are right."""
    rectified: float = 0.8
    """Rewrites of a wrong rationale that give a pair in the band."""
    corrupted: float = 0.8
    """The same for right ones."""
    unreadable: float = 0.0
    """Replies that cannot be read and are asked for afresh."""
    repeated: float = 0.0
    """Calls that ask the very same thing as another, as reviews of two equal texts do: they are paid once."""
    in_warmup: float = 0.0
    """Problems of the warm-up, which the whole panel reviews where votes are adaptive. Plans count them."""


RATES = tuple(field.name for field in fields(Rates))


class Range(NamedTuple):
    """Least, expected and most of something."""

    least: float
    expected: float
    most: float

    def __add__(self, other: tuple[float, ...]) -> Range:  # type: ignore[override]
        return Range(*(mine + its for mine, its in zip(self, other, strict=True)))

    def times(self, least: float, expected: float | None = None, most: float | None = None) -> Range:
        """Scaled; by one number, or by one for each."""
        scales = (least, least if expected is None else expected, least if most is None else most)
        return Range(*(mine * scale for mine, scale in zip(self, scales, strict=True)))

    def capped(self, at: int | None) -> Range:
        return self if at is None else Range(*(min(mine, at) for mine in self))


NONE, EVERY = Range(0, 0, 0), Range(1, 1, 1)


class CallEstimate(NamedTuple):
    """Calls per problem that one agent makes with one prompt.

    `drawn`: one agent of several does it, so that their most do not add up. `tokens`: completion tokens of a reply,
    where nothing has measured them. `inputs`: what the prompt is filled with beside the problem, to estimate its
    length. `avoid`: what to set in a recipe so that the call is not made.
    """

    prompt: str
    agent: AgentSpec
    calls: Range
    drawn: bool = False
    tokens: int = 200
    inputs: Callable[[Problem], Mapping[str, Any]] | None = None
    avoid: str = ""
    by_policy: bool = False
    """A policy that is learned from the first problems says how many are made: a pilot, which runs those, cannot."""
    stage: str = ""
    """Set by the pipeline."""

    @property
    def verb(self) -> str:
        return self.prompt.rpartition("/")[2]


def tries_of(estimate: CallEstimate) -> int:
    """How often one reply may be asked for."""
    if estimate.agent.model.startswith("recorded/"):
        return 1
    return estimate.agent.tries or (1 if estimate.prompt.startswith("student/") else 3)


def with_tries(estimate: CallEstimate, unreadable: float) -> Range:
    """The calls with fresh tries for so large a share of unreadable replies."""
    tries = tries_of(estimate)
    if unreadable == 0 or tries == 1:
        return estimate.calls
    return estimate.calls.times(1, sum(unreadable**attempt for attempt in range(tries)), tries)


def once(calls: Range, repeated: float) -> Range:
    """The calls without those that ask the very same thing as another, which are paid once."""
    expected = calls.expected * (1 - repeated)
    return Range(min(calls.least, expected), expected, calls.most)
