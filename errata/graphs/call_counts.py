"""How many calls a stage makes per problem: least, expected and most, and the rates that the expected counts assume.

A call that every problem takes has least = expected = most, so that a pipeline without branches is counted exactly; one
that depends on what models answer is bounded by never and always, and expected at the rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from errata.llm.spec import Agents, AgentSpec
from errata.records import Problem

if TYPE_CHECKING:
    from errata.graphs.stage import AnyStage, PipelineSettings


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
    stage: str = ""
    """Set by the pipeline."""

    @property
    def verb(self) -> str:
        return self.prompt.rpartition("/")[2]


@dataclass
class Counts:
    """How a problem stands as the pipeline goes on; each stage reads what those before it have left."""

    agents: Agents
    settings: PipelineSettings
    attending: Range = EVERY
    """Share of problems that go on after the exam."""
    mistakes: Range = NONE
    """The student's wrong answers per problem."""
    right: Range = NONE
    """Right rationales per teacher and problem that may be learned from or corrupted."""
    wrong: Range = NONE
    """Wrong rationales per teacher and problem that may be rectified."""

    others: list[tuple[AgentSpec, Range]] = field(default_factory=list)
    """Rationales per problem that one's own stages add for a panel to review, by author."""

    def right_of_all(self) -> Range:
        """Right rationales of all teachers per problem."""
        return self.right.times(len(self.agents.teachers))

    def reviews(self, author: AgentSpec, number: Range, **more: Any) -> Iterator[CallEstimate]:
        """Reviews of so many rationales by one author: by everyone on the panel but the author."""
        for reviewer in self.agents.panel:
            if reviewer.name != author.name:
                yield CallEstimate("reviewer/score", reviewer, number, tokens=150, **more)


def call_estimates(
    stages: Sequence[AnyStage], agents: Agents, settings: PipelineSettings, rates: Rates
) -> list[CallEstimate]:
    """The calls per problem of a pipeline by stage, prompt and agent, fresh tries included."""
    counts = Counts(agents, settings)
    merged: dict[tuple[str, str, str], CallEstimate] = {}
    for stage in stages:
        for estimate in stage.expected(counts, settings.of(stage), rates):  # a reviewer scores several authors
            key = (stage.name, estimate.prompt, estimate.agent.name)
            calls = estimate.calls + merged[key].calls if key in merged else estimate.calls
            merged[key] = estimate._replace(stage=stage.name, calls=calls)
    return [each._replace(calls=_once(_with_tries(each, rates.unreadable), rates.repeated)) for each in merged.values()]


def tries_of(estimate: CallEstimate) -> int:
    """How often one reply may be asked for."""
    if estimate.agent.model.startswith("recorded/"):
        return 1
    return estimate.agent.tries or (1 if estimate.prompt.startswith("student/") else 3)


def _with_tries(estimate: CallEstimate, unreadable: float) -> Range:
    tries = tries_of(estimate)
    if unreadable == 0 or tries == 1:
        return estimate.calls
    return estimate.calls.times(1, sum(unreadable**attempt for attempt in range(tries)), tries)


def _once(calls: Range, repeated: float) -> Range:
    expected = calls.expected * (1 - repeated)
    return Range(min(calls.least, expected), expected, calls.most)
