"""Dual chains of thought: mistaken solutions rectified, right ones corrupted, each as near to its source as it gets.

    START -> mine -> rewrite -> grade -> pair -> review -> END
               |        ^                 |         |
               |        +-----------------+         |      not flipped or out of the band, tries left
               +----------------------------------> END    nothing to rewrite

`mine` finds the natural pairs; `review` lets the panel judge what was rectified, where the recipe asks for it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph

from errata.agents.ask import Said
from errata.agents.teacher import Teacher
from errata.agents.team import Cast
from errata.errors import UsageError
from errata.graphs.nodes import StoryGraph, grade_all, together, written_by
from errata.graphs.pipeline import GraphSettings
from errata.graphs.stages.dual_pairs import Rewrite, natural_pairs, rewritten_pairs, wanted
from errata.graphs.stages.few_shot import require_wrong, shown_for
from errata.graphs.stages.review_panel import require_panel, sit, unreviewed
from errata.graphs.state import Story, rationales_of
from errata.records import Rationale, draw


def build_dual_cot(cast: Cast, settings: GraphSettings) -> StoryGraph:
    """Rewrites of what the story holds. UsageError without a teacher, or without a panel where one is asked for."""
    rules = settings.dual_cot
    if not cast.teachers:
        raise UsageError("there is no teacher", "Solutions are rewritten by teachers.", "Add agents.teachers.")
    if rules.review:
        require_panel(cast, settings.peer_review.accept)
    require_wrong(rules)

    async def mine(state: Story) -> Story:
        return {"pairs": {pair.id: pair for pair in natural_pairs(state, rules)}}

    async def rewrite(state: Story) -> Story:
        problem = state["problem"]
        shown = shown_for(problem, state.get("demonstrations", ()), rules)

        def ask(each: Rewrite) -> Coroutine[Any, Any, Said[Rationale]]:
            teacher = rewriter(cast, each.source)
            verb = teacher.rectify if each.verb == "rectify" else teacher.corrupt
            return verb(problem, each.source, rules.sampling, each.round, shown)

        return written_by(await together(ask(each) for each in wanted(state, rules)))

    async def grade(state: Story) -> Story:
        return await grade_all(cast, state)

    async def pair(state: Story) -> Story:
        return {"pairs": {pair.id: pair for pair in rewritten_pairs(state, rules.band)}}

    async def review(state: Story) -> Story:
        waiting = unreviewed(rationales_of(state, "rectified"), settings.peer_review) if rules.review else []
        return await sit(cast, state, settings.peer_review, waiting, stage="dual_cot")

    async def after_mine(state: Story) -> Literal["rewrite", "__end__"]:
        return "rewrite" if wanted(state, rules) else "__end__"

    async def after_pair(state: Story) -> Literal["rewrite", "review"]:
        return "rewrite" if wanted(state, rules) else "review"

    graph = StateGraph(Story)
    graph.add_node("mine", mine)
    graph.add_node("rewrite", rewrite)
    graph.add_node("grade", grade)
    graph.add_node("pair", pair)
    graph.add_node("review", review)
    graph.add_edge(START, "mine")
    graph.add_conditional_edges("mine", after_mine)
    graph.add_edge("rewrite", "grade")
    graph.add_edge("grade", "pair")
    graph.add_conditional_edges("pair", after_pair)
    graph.add_edge("review", END)
    return graph.compile(name="dual_cot")


def rewriter(cast: Cast, source: Rationale) -> Teacher:
    """Its author, where a teacher wrote it; the student's are rewritten by a teacher drawn by hash."""
    for teacher in cast.teachers:
        if teacher.name == source.author:
            return teacher
    return cast.teachers[int(draw(cast.seed, source.problem_id, "rewriter", source.id) * len(cast.teachers))]
