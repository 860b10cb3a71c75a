"""The lesson: all parts, or those the recipe names, one after the other over one problem's story.

    START -> exam -> rationales -> peer_review -> mistake_explanation -> dual_cot -> conclude -> END
               |                                                                        ^
               +------------------------------------------------------------------------+
                      no mistake, and the recipe wants only problems with one

Every graph that runs by name is such a chain: its own part, those it needs before it, and `conclude`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from langgraph.graph import END, START, StateGraph

from errata.agents.team import Cast
from errata.config.base import Settings
from errata.errors import UsageError
from errata.graphs.nodes import StoryGraph
from errata.graphs.outcome import outcome_of
from errata.graphs.parts import Fork, add_part, first_of
from errata.graphs.stages.dual_cot import build_dual_cot
from errata.graphs.stages.dual_pairs import DualCotSettings
from errata.graphs.stages.exam import ExamSettings, build_exam
from errata.graphs.stages.mistake_explanation import MistakeExplanationSettings, build_mistake_explanation
from errata.graphs.stages.peer_review import build_peer_review
from errata.graphs.stages.rationales import RationalesSettings, build_rationales
from errata.graphs.stages.review_panel import PeerReviewSettings
from errata.graphs.state import Story, mistakes_of

StageName = Literal["exam", "rationales", "peer_review", "mistake_explanation", "dual_cot"]
STAGES: tuple[StageName, ...] = get_args(StageName)
_NEEDS: dict[str, str] = {"peer_review": "rationales", "mistake_explanation": "exam", "dual_cot": "rationales"}


class GraphSettings(Settings):
    stages: tuple[StageName, ...] | None = None
    """For graph: lesson, which parts run; by default all. They run in the order of the graph, not of this list."""
    only_mistakes: bool = False
    """A problem whose exam holds no mistake is set aside as rejected (student_right), as in MAPD."""
    exam: ExamSettings = ExamSettings()
    rationales: RationalesSettings = RationalesSettings()
    peer_review: PeerReviewSettings = PeerReviewSettings()
    mistake_explanation: MistakeExplanationSettings = MistakeExplanationSettings()
    dual_cot: DualCotSettings = DualCotSettings()


def stages_of(name: str, settings: GraphSettings) -> tuple[str, ...]:
    """The parts that run, in the order of the graph: those named and those they need before them."""
    named = (settings.stages or STAGES) if name == "lesson" else (name,)
    needed: set[str] = {_NEEDS[stage] for stage in named if stage in _NEEDS}
    if settings.only_mistakes:
        needed.add("exam")
    return tuple(stage for stage in STAGES if stage in named or stage in needed)


_MOST_STEPS = 10_000
"""LangGraph's guard against endless loops; these end by their settings, which may allow more than its 25 steps."""
_BUILD: dict[str, Callable[[Cast, GraphSettings], StoryGraph]] = {
    "exam": build_exam,
    "rationales": build_rationales,
    "peer_review": build_peer_review,
    "mistake_explanation": build_mistake_explanation,
    "dual_cot": build_dual_cot,
}


def goals_of(name: str, settings: GraphSettings) -> tuple[str, ...]:
    """The parts whose yield counts. An exam in a lesson is a means, and where a panel sits only what it accepts counts.

    In the order in which a lack of them is told: rationales, panel, pairs, explanations.
    """
    stages = stages_of(name, settings)
    if name != "lesson":
        return (name,)
    written: str = "peer_review" if "peer_review" in stages else "rationales"
    goals: tuple[str, ...] = (written, "dual_cot", "mistake_explanation")
    return tuple(stage for stage in goals if stage in stages)


def build_graph(name: str, settings: GraphSettings, cast: Cast) -> StoryGraph:
    """The graph of a recipe: takes `{"problem": ...}`, gives the finished story with its outcome. Nodes: STAGE.NODE.

    Raises UsageError where the cast lacks an agent that the graph needs, or a setting would have no effect.
    """
    if settings.stages is not None and name != "lesson":
        raise UsageError(f"stages are given to graph {name}", "Only a lesson has them.", "Use graph: lesson.")
    stages, goals = stages_of(name, settings), goals_of(name, settings)

    async def conclude(state: Story) -> Story:
        return {"outcome": outcome_of(state, goals, only_mistakes=settings.only_mistakes)}

    async def after_exam(state: Story) -> bool:
        return bool(mistakes_of(state))

    graph = StateGraph(Story)
    graph.add_node("conclude", conclude)
    graph.add_edge("conclude", END)
    then = "conclude"
    for stage in reversed(stages):
        part = _BUILD[stage](cast, settings)
        leaves = stage == "exam" and settings.only_mistakes and then != "conclude"
        add_part(graph, stage, part, Fork(after_exam, {True: then, False: "conclude"}) if leaves else then)
        then = first_of(stage, part)
    graph.add_edge(START, then)
    return graph.compile(name=name).with_config(recursion_limit=_MOST_STEPS)
