"""Every teacher answers several times; graded, the right and the wrong ones are data alike.

START -> solve -> grade -> filter -> END
"""

from __future__ import annotations

from langgraph.graph import END, START, StateGraph
from pydantic import Field

from errata.agents.demonstration import Demonstration
from errata.agents.team import Cast
from errata.config.base import Settings
from errata.errors import UsageError
from errata.graphs.nodes import StoryGraph, grade_all, together, written_by
from errata.graphs.pipeline import GraphSettings
from errata.graphs.stages.diversity_filter import DiversityFilter, set_aside
from errata.graphs.state import Story, rationales_of
from errata.llm.spec import Sampling


class RationalesSettings(Settings):
    """Every teacher answers `samples` times, without seeing the gold answer."""

    samples: int = Field(default=1, ge=1)
    sampling: Sampling = Sampling()
    demonstrations: tuple[Demonstration, ...] = ()
    max_chars: int | None = Field(default=None, gt=0)
    """Set aside where question and rationale together are longer (NAT: 1600, NCE: 1200)."""
    diversity: DiversityFilter | None = None
    """Applied to the right rationales of a problem; None keeps all."""


def build_rationales(cast: Cast, settings: GraphSettings) -> StoryGraph:
    """Teachers times samples, without the gold answer. UsageError where the cast has no teacher."""
    teachers, rationales = cast.teachers, settings.rationales
    if not teachers:
        raise UsageError("there is no teacher", "Rationales are written by teachers.", "Add agents.teachers.")

    async def solve(state: Story) -> Story:
        # Sample by sample, so that the filter, which keeps the first of like ones, favours no teacher.
        asked = [(teacher, sample) for sample in range(rationales.samples) for teacher in teachers]
        problem, shown = state["problem"], rationales.demonstrations
        return written_by(await together(each.solve(problem, rationales.sampling, n, shown) for each, n in asked))

    async def grade(state: Story) -> Story:
        return await grade_all(cast, state)

    async def filter_(state: Story) -> Story:
        dropped = set_aside(state["problem"], rationales_of(state, "teacher"), rationales)
        return {"rationales": {each.id: each for each in dropped}}

    graph = StateGraph(Story)
    graph.add_node("solve", solve)
    graph.add_node("grade", grade)
    graph.add_node("filter", filter_)
    graph.add_edge(START, "solve")
    graph.add_edge("solve", "grade")
    graph.add_edge("grade", "filter")
    graph.add_edge("filter", END)
    return graph.compile(name="rationales")
