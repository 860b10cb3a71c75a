"""A stage: one step of a pipeline as one value, and all that planning, checking, logging and export know of it.

    recipe -> stages -> Steps (nodes and edges as plain data) -> pipeline.py joins them to one LangGraph state machine

The shipped stages stand in errata/graphs/stages/, one file each. One's own is a value of the same kind in a file of
one's own, named in a recipe as `my_stages.py:SHORTEN`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import create_model

from errata.agents.team import Team
from errata.config.base import Settings
from errata.errors import UsageError
from errata.graphs.call_counts import EVERY, NONE, CallEstimate, Range, Rates
from errata.graphs.state import State
from errata.llm.spec import Agents, AgentSpec

S = TypeVar("S", bound=Settings)

END = "__end__"
"""Where a stage ends; LangGraph calls it so too, and is not needed to read a recipe: it takes a second to import."""

Node = Callable[[State], Awaitable[State]]
"""One step: takes the state, gives what it adds to it."""

Use = Literal["attempt", "target", "contrast"]
"""What a student may do with a rationale of a role. attempt: the student's own answer. target: learned from where it is
right (and accepted, where a panel sat). contrast: written to be wrong, the other side of a pair."""


class Route(NamedTuple):
    """Where a node leads, by what `choose` says of the state: one of `ends`, which are nodes or END."""

    choose: Callable[[State], Awaitable[str]]
    ends: tuple[str, ...]


class Steps(NamedTuple):
    """The nodes of a stage and where each leads: to a node, to END (the next stage), or by a Route.

    The first node is where the stage begins. Nodes and routes are `async def` also where they await nothing: LangGraph
    sends plain functions to a thread.
    """

    nodes: Mapping[str, Node]
    edges: Mapping[str, str | Route]


def chain(**nodes: Node) -> Steps:
    """Nodes one after the other, e.g. `chain(shorten=shorten, grade=grade)`."""
    names = list(nodes)
    return Steps(nodes, dict(zip(names, [*names[1:], END], strict=True)))


class PipelineSettings(Settings):
    """The settings of a recipe's stages, one section per stage; `settings_model` adds the sections."""

    only_mistakes: bool = False
    """A problem whose exam holds no mistake is set aside as rejected (student_right), as in MAPD."""

    def of(self, stage: Stage[S]) -> S:
        """The section of one stage; its defaults where the recipe has none."""
        section: S = getattr(self, stage.name, None) or stage.settings()
        return section


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
    rectified: Range = NONE
    """Right rewrites of wrong rationales per problem, of all teachers."""

    panel_sat: bool = False
    """A panel has judged what was written before."""
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


@dataclass(frozen=True, eq=False)
class Stage(Generic[S]):
    """One step of a pipeline.

    `build(team, settings, pipeline)` gives the nodes, from the team, the stage's own settings and what stands around
    it; `expected(counts, settings, rates)` the calls per problem, from which plans are made and recordings checked.
    """

    name: str
    """As recipes, budgets and logs call it: letters, digits and underscores."""
    settings: type[S]
    build: Callable[[Team, S, Pipeline], Steps]
    expected: Callable[[Counts, S, Rates], Iterable[CallEstimate]]
    needs: tuple[str, ...] = ()
    """Stages that must have run before it; a recipe that does not name them gets them."""
    agents: tuple[str, ...] = ()
    """Who must be there: `student`, `teachers`, `panel`, or a key of `agents.others`."""
    roles: Mapping[str, Use] = field(default_factory=dict)
    """Roles of the rationales that it writes, and what a student may do with them."""
    prompts: Mapping[str, Path] = field(default_factory=dict)
    """Prompts of one's own by name (`editor/shorten`): Markdown files with front matter."""
    missing: Callable[[State], str | None] | None = None
    """Why a problem yielded nothing here, as a reason for `rejected`; None: it did. A stage without this is a means."""
    replaces: tuple[str, ...] = ()
    """Stages whose yield counts no more where this one runs: a panel's verdict stands for the rationales it judges."""
    needs_gold: bool = False
    """It reads the gold answer, so that a recipe whose problems may lack one (problems.gold) is refused."""
    check: Callable[[Agents, S, PipelineSettings], None] | None = None
    """Raises UsageError where the recipe's agents cannot do what the settings ask for."""

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.name in PipelineSettings.model_fields:
            raise UsageError(
                f"a stage named {self.name!r}",
                "recipes, budgets and logs call it by its name",
                "choose a name of letters, digits and underscores",
            )


AnyStage = Stage[Any]


@dataclass(frozen=True)
class Pipeline:
    """The stages of a recipe in the order in which they run, with the settings of all of them."""

    stages: tuple[AnyStage, ...]
    settings: PipelineSettings

    def of(self, stage: Stage[S]) -> S:
        """The settings of one stage."""
        return self.settings.of(stage)

    @property
    def targets(self) -> tuple[str, ...]:
        """Roles of the rationales that a student may learn from."""
        return roles_of(self.stages, "target")


def roles_of(stages: Iterable[AnyStage], *uses: Use) -> tuple[str, ...]:
    """The roles that these stages write for such uses, in the order of the stages; without a use, all roles."""
    roles = (role for stage in stages for role, use in stage.roles.items() if not uses or use in uses)
    return tuple(dict.fromkeys(roles))


@cache
def settings_model(stages: tuple[AnyStage, ...]) -> type[PipelineSettings]:
    """The settings of a pipeline of these stages: a section for each, with its defaults."""
    sections: dict[str, Any] = {stage.name: (stage.settings, stage.settings()) for stage in stages}
    return create_model("PipelineSettings", __base__=PipelineSettings, **sections)
