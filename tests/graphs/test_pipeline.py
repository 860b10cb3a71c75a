"""The joined state machine against a plain loop over its stages' nodes; routes, ends, drawing."""

from __future__ import annotations

from typing import Any

import pytest

from errata.agents.team import Team
from errata.config.base import Settings
from errata.grading.grader import Grader
from errata.graphs.pipeline import STAGES, ShippedSettings
from errata.graphs.stage import END, Pipeline, PipelineSettings, Route, Stage, Steps
from errata.graphs.stages.exam import EXAM
from errata.graphs.state import State, merge, transcript_of
from errata.records import Problem
from errata.runs.studio import mermaid
from tests.graphs.scripts import RIGHT, WRONG, except_for, helpful
from tests.helpers import Script, apples, pipeline_of, team_of


async def by_hand(team: Team, settings: PipelineSettings, problem: Problem) -> State:
    """The stages one after the other, their nodes followed along their edges by a plain loop: no LangGraph."""
    state: Any = {"problem": problem, "rationales": {}, "explanations": {}, "pairs": {}, "calls": {}}
    pipeline = Pipeline(STAGES, settings)
    for stage in STAGES:
        steps = stage.build(team.in_stage(stage.name), settings.of(stage), pipeline)
        node = next(iter(steps.nodes))
        while node != END:
            for key, records in (await steps.nodes[node](state)).items():
                state[key] = merge(state[key], records)  # type: ignore[type-var]
            edge = steps.edges[node]
            node = await edge.choose(state) if isinstance(edge, Route) else edge
    return state


@pytest.mark.parametrize("more", [{}, {"rationales": {"samples": 2}, "peer_review": {"revise_rounds": 2}}])
@pytest.mark.parametrize(
    "script", [helpful, except_for("score", "[1]"), except_for("solve", WRONG), except_for("solve", RIGHT)]
)
async def test_the_pipeline_writes_what_its_nodes_write_one_after_the_other(script: Any, more: dict[str, Any]) -> None:
    settings = ShippedSettings.model_validate(more)
    async with Grader() as grader:
        whole = await pipeline_of(Script(script), grader, settings=settings).ainvoke({"problem": apples()})
        parts = await by_hand(team_of(Script(script), grader), settings, apples())

    assert whole["outcome"]
    assert (
        transcript_of("lesson", whole).to_line()
        == transcript_of("lesson", {**parts, "outcome": whole["outcome"]}).to_line()
    )


async def test_as_many_rounds_as_a_recipe_may_ask_for_are_gone_through() -> None:
    settings = {"peer_review": {"revise_rounds": 5}, "dual_cot": {"tries": 10, "review": True}}
    script = Script(lambda request: "[1]" if request.verb == "score" else WRONG)
    async with Grader() as grader:
        state = await pipeline_of(script, grader, settings=settings).ainvoke({"problem": apples()})

    assert sum(call.verb == "revise" for call in state["calls"].values()) == 3 * 5
    assert state["outcome"].status in ("done", "rejected")


@pytest.mark.parametrize("way", ["left", "right"])
async def test_a_route_leads_where_it_says_and_its_end_to_the_next_stage(way: str) -> None:
    visits: list[str] = []

    def build(team: Any, settings: Any, pipeline: Any) -> Steps:
        def visiting(name: str) -> Any:
            async def visit(state: State) -> State:
                visits.append(name)
                return {}

            return visit

        async def choose(state: State) -> str:
            return "left" if way == "left" else END

        nodes = {name: visiting(name) for name in ("fork", "left")}
        return Steps(nodes, {"fork": Route(choose, ("left", END)), "left": END})

    forked = Stage(name="forked", settings=Settings, build=build, expected=lambda *_: ())
    async with Grader() as grader:
        graph = pipeline_of(Script(helpful), grader, stages=[forked, EXAM])
        state = await graph.ainvoke({"problem": apples()})

    assert visits == (["fork", "left"] if way == "left" else ["fork"])
    assert len(state["rationales"]) == 1


def test_the_drawing_has_a_box_for_each_stage() -> None:
    drawing = mermaid("lesson")

    boxes = [line.split()[1] for line in drawing.splitlines() if line.strip().startswith("subgraph")]
    assert sorted(boxes) == ["dual_cot", "exam", "mistake_explanation", "peer_review", "rationales"]
    assert "&nbsp;" not in drawing
