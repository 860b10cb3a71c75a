"""Each rationale is scored by the other teachers; a rejected one may be revised by its author and scored again.

START -> review -> END          nothing to revise, or out of rounds
         ^    |
         |    +--> revise
         |           |
         +-- grade <-+
"""

from __future__ import annotations

from typing import Literal

from langgraph.graph import START, StateGraph

from errata.agents.team import Cast
from errata.graphs.nodes import StoryGraph, grade_all, together, written_by
from errata.graphs.pipeline import GraphSettings
from errata.graphs.stages.review_panel import require_panel, sit, unreviewed
from errata.graphs.state import Story, rationales_of
from errata.records import Rationale


def build_peer_review(cast: Cast, settings: GraphSettings) -> StoryGraph:
    """The panel over the teachers' rationales. UsageError where some teacher would have no reviewer."""
    rules = settings.peer_review
    require_panel(cast, rules.accept)
    authors = {teacher.name: teacher for teacher in cast.teachers}

    async def review(state: Story) -> Story:
        return await sit(cast, state, rules, unreviewed(rationales_of(state, "teacher", "revised"), rules))

    async def revise(state: Story) -> Story:
        rejected = revisable(state, rules.revise_rounds)
        problem = state["problem"]
        return written_by(
            await together(authors[each.author].revise(problem, each, rules.sampling) for each in rejected)
        )

    async def grade(state: Story) -> Story:
        return await grade_all(cast, state)

    async def after_review(state: Story) -> Literal["revise", "__end__"]:
        return "revise" if revisable(state, rules.revise_rounds) else "__end__"

    graph = StateGraph(Story)
    graph.add_node("review", review)
    graph.add_node("revise", revise)
    graph.add_node("grade", grade)
    graph.add_edge(START, "review")
    graph.add_conditional_edges("review", after_review)
    graph.add_edge("revise", "grade")
    graph.add_edge("grade", "review")
    return graph.compile(name="peer_review")


def revisable(story: Story, rounds: int) -> list[Rationale]:
    """The rejected rationales that have reviews to learn from, rounds left, and were not given to revision before."""
    tried = {call.about for call in story.get("calls", {}).values() if call.verb == "revise"}
    return [
        each
        for each in rationales_of(story, "teacher", "revised")
        if each.accepted is False and each.reviews and each.id not in tried and _revisions(story, each) < rounds
    ]


def _revisions(story: Story, rationale: Rationale) -> int:
    count = 0
    while rationale.role == "revised" and rationale.parent_id is not None:
        rationale, count = story["rationales"][rationale.parent_id], count + 1
    return count
