"""The graphs over the simulated faculty, ready to be looked at and run: what langgraph.json points to.

Each factory takes nothing and gives a compiled graph. Its input is a story: `{"problem": {...}}` as in a transcript,
or nothing at all for a problem of the classroom. No file is read or written and no server is needed.

    START -> begin -> the graph -> END
"""

from __future__ import annotations

from langchain_core.runnables.graph import Graph
from langgraph.graph import END, START, StateGraph

from errata.agents.team import Cast, assemble
from errata.classroom import problems as classroom
from errata.grading.grader import Grader
from errata.graphs.nodes import StoryGraph
from errata.graphs.pipeline import STAGES, GraphSettings, build_graph
from errata.graphs.state import Story
from errata.llm.backends import backend_for
from errata.llm.backends.simulated.persona import COMMITTEE, STUDENT
from errata.llm.gateway import seed_of
from errata.llm.request import Backend, ProviderFailure, Request
from errata.llm.spec import Agents, AgentSpec
from errata.llm.stored_reply import Answer, call_of
from errata.records import Call, Problem

SEED = 17
NAMES: tuple[str, ...] = (*STAGES, "lesson")


class InProcess:
    """Asks the simulated faculty directly: it is free and answers the same request the same, so nothing is stored.

    No dataclass, since langgraph's server may run this file without listing it among the modules.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def __call__(self, request: Request) -> Call:
        try:
            answer = Answer(await self.backend.complete(request, seed_of(SEED, request)))
        except ProviderFailure as failure:
            answer = Answer(failure=failure.message)
        return call_of(request, answer, dict(request.parameters))


def faculty_cast() -> Cast:
    """Three simulated teachers, who review each other, and a student."""
    agents = Agents(
        teachers=tuple(AgentSpec(name=name, model=f"simulated/{name}") for name in COMMITTEE[:3]),
        student=AgentSpec(name=STUDENT, model=f"simulated/{STUDENT}"),
    )
    return assemble(agents, InProcess(backend_for("simulated/any")), Grader(), seed=SEED)


def mermaid(name: str, settings: GraphSettings | None = None) -> str:
    """The graph as Mermaid text, its parts drawn out."""
    flat = build_graph(name, settings or GraphSettings(), faculty_cast()).get_graph()
    named = {node: node.replace(".", ":") for node in flat.nodes}  # a colon makes a box in the drawing
    nodes = {named[node]: each._replace(id=named[node], name=named[node]) for node, each in flat.nodes.items()}
    edges = [edge._replace(source=named[edge.source], target=named[edge.target], data=None) for edge in flat.edges]
    return Graph(nodes, edges).draw_mermaid()


async def begin(state: Story) -> Story:
    """The problem as a record, whatever form it came in; without one, the first of the classroom."""
    given = state.get("problem")
    if not given:
        return {"problem": next(classroom.problems({}))}
    return {"problem": Problem.model_validate(given)}


def _ready(name: str) -> StoryGraph:
    graph = StateGraph(Story)
    graph.add_node("begin", begin)
    graph.add_node(name, build_graph(name, GraphSettings(), faculty_cast()))
    graph.add_edge(START, "begin")
    graph.add_edge("begin", name)
    graph.add_edge(name, END)
    return graph.compile(name=name)


def exam() -> StoryGraph:
    return _ready("exam")


def rationales() -> StoryGraph:
    return _ready("rationales")


def peer_review() -> StoryGraph:
    return _ready("peer_review")


def mistake_explanation() -> StoryGraph:
    return _ready("mistake_explanation")


def dual_cot() -> StoryGraph:
    return _ready("dual_cot")


def lesson() -> StoryGraph:
    return _ready("lesson")
