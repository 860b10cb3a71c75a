"""Every teacher answers several times; graded, the right and the wrong ones are data alike.

START -> solve -> grade -> filter -> END
"""

from __future__ import annotations

from langgraph.graph import END, START, StateGraph

from errata.agents.team import Cast
from errata.errors import UsageError
from errata.graphs.nodes import StoryGraph, grade_all, together, written_by
from errata.graphs.stages.diversity_filter import set_aside
from errata.graphs.state import Story, rationales_of
from errata.settings import GraphSettings


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
