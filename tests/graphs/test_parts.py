"""One graph of all parts tells the same story as the parts one after the other."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph

from errata.grading.grader import Grader
from errata.graphs.parts import Fork, add_part, first_of
from errata.graphs.pipeline import GraphSettings, build_graph
from errata.graphs.stages.dual_cot import build_dual_cot
from errata.graphs.stages.exam import build_exam
from errata.graphs.stages.mistake_explanation import build_mistake_explanation
from errata.graphs.stages.peer_review import build_peer_review
from errata.graphs.stages.rationales import build_rationales
from errata.graphs.state import State, transcript_of
from errata.graphs.studio import faculty_team, mermaid
from errata.records import Problem
from tests.graphs.test_graphs import RIGHT, WRONG, except_for, helpful
from tests.helpers import Script, apples, team_of

BUILDERS = (build_exam, build_rationales, build_peer_review, build_mistake_explanation, build_dual_cot)


async def nested(team: Any, settings: GraphSettings, problem: Problem) -> State:
    """Each part as a graph of its own, given what the one before it told."""
    story: Any = {"problem": problem}
    for build in BUILDERS:
        story = await build(team, settings).ainvoke(story)
    return story


@pytest.mark.parametrize("more", [{}, {"rationales": {"samples": 2}, "peer_review": {"revise_rounds": 2}}])
@pytest.mark.parametrize(
    "script", [helpful, except_for("score", "[1]"), except_for("solve", WRONG), except_for("solve", RIGHT)]
)
async def test_one_graph_tells_what_its_parts_tell_one_after_the_other(script: Any, more: dict[str, Any]) -> None:
    settings = GraphSettings.model_validate(more)
    async with Grader() as grader:
        flat = await build_graph("lesson", settings, team_of(Script(script), grader)).ainvoke({"problem": apples()})
        parts = await nested(team_of(Script(script), grader), settings, apples())

    assert flat["outcome"]
    assert (
        transcript_of("lesson", flat).to_line()
        == transcript_of("lesson", {**parts, "outcome": flat["outcome"]}).to_line()
    )


async def test_as_many_rounds_as_a_recipe_may_ask_for_are_gone_through() -> None:
    settings = GraphSettings.model_validate(
        {"peer_review": {"revise_rounds": 5}, "dual_cot": {"tries": 10, "review": True}}
    )
    script = Script(lambda request: "[1]" if request.verb == "score" else WRONG)
    async with Grader() as grader:
        story = await build_graph("lesson", settings, team_of(script, grader)).ainvoke({"problem": apples()})

    assert sum(call.verb == "revise" for call in story["calls"].values()) == 3 * 5
    assert story["outcome"].status in ("done", "rejected")


async def test_a_part_that_ends_at_once_goes_where_the_fork_says() -> None:
    ways: list[str] = []

    async def to_the_left(state: State) -> bool:
        return False

    def noting(way: str) -> Any:
        async def note(state: State) -> State:
            ways.append(way)
            return {}

        return note

    part = build_exam(faculty_team(), GraphSettings())
    graph: Any = StateGraph(State)
    graph.add_node("left", noting("left"))
    graph.add_node("right", noting("right"))
    add_part(graph, "exam", part, Fork(to_the_left, {True: "right", False: "left"}))
    graph.add_edge(START, first_of("exam", part))
    graph.add_edge("left", END)
    graph.add_edge("right", END)

    story = await graph.compile().ainvoke({"problem": apples()})

    assert ways == ["left"]
    assert story["rationales"]


def test_the_drawing_has_a_box_for_each_part() -> None:
    drawn = mermaid("lesson")

    boxes = [line.split()[1] for line in drawn.splitlines() if line.strip().startswith("subgraph")]
    assert sorted(boxes) == ["dual_cot", "exam", "mistake_explanation", "peer_review", "rationales"]
    assert "&nbsp;" not in drawn
