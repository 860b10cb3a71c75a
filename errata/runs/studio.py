"""The pipelines ready to be looked at and run: what langgraph.json points to.

Each factory takes nothing and gives a compiled graph. Its input is a state: `{"problem": {...}}` as in a transcript,
or nothing at all for a problem of the classroom. Over the simulated faculty no file is read or written and no server is
needed; `recipe` is the pipeline of the recipe that ERRATA_RECIPE names, with its own agents, stages and grader, whose
replies are kept in a store of their own beside its runs.

    START -> begin -> the pipeline -> END
"""

from __future__ import annotations

import os
from pathlib import Path

from langchain_core.runnables.graph import Graph
from langgraph.graph import END, START, StateGraph

from errata.agents.team import Team, build_team
from errata.classroom import problems as classroom
from errata.config.env import expand
from errata.grading.grader import Grader, as_grader
from errata.graphs.pipeline import GRAPHS, LESSON, STAGES, CompiledPipeline, ShippedSettings, build_pipeline, in_order
from errata.graphs.state import State
from errata.llm.backends import shipped
from errata.llm.backends.simulated.persona import COMMITTEE, STUDENT
from errata.llm.call_key import seed_of
from errata.llm.gateway import Gateway
from errata.llm.request import Ask, Backend, ProviderFailure, Request
from errata.llm.spec import Agents, AgentSpec
from errata.llm.stored_reply import CallResult, call_of
from errata.records import Call, Problem
from errata.runs.recipe import SynthRecipe, load_recipe

SEED = 17
RECIPE = "ERRATA_RECIPE"
"""The environment variable that names a recipe's file."""


class InProcess:
    """Asks the simulated faculty directly: it is free and answers the same request the same, so nothing is stored.

    No dataclass, since langgraph's server may run this file without listing it among the modules.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def __call__(self, request: Request) -> Call:
        try:
            result = CallResult(await self.backend.complete(request, seed_of(SEED, request)))
        except ProviderFailure as failure:
            result = CallResult(failure=failure.message)
        return call_of(request, result, dict(request.parameters))


def faculty_agents() -> Agents:
    """Three simulated teachers, who review each other, and a student."""
    return Agents(
        teachers=tuple(AgentSpec(name=name, model=f"simulated/{name}") for name in COMMITTEE[:3]),
        student=AgentSpec(name=STUDENT, model=f"simulated/{STUDENT}"),
    )


def faculty_team() -> Team:
    return build_team(faculty_agents(), InProcess(shipped("simulated")), Grader(), seed=SEED)


def faculty_pipeline(name: str) -> CompiledPipeline:
    """The pipeline of a stage with what it needs, or of a whole lesson, over the simulated faculty."""
    named = STAGES if name == LESSON else [stage for stage in STAGES if stage.name == name]
    return build_pipeline(in_order(named), faculty_team(), ShippedSettings(), name)


def recipe_pipeline(recipe: SynthRecipe, gateway: Ask | None = None) -> CompiledPipeline:
    """The pipeline of a recipe; without a gateway it can be drawn, not run."""
    grader = Grader() if recipe.grader is None else as_grader(recipe.grader.part)
    asks = InProcess(shipped("simulated")) if gateway is None else gateway
    team = build_team(recipe.agents, asks, grader, recipe.load_prompts(), seed=recipe.seed)
    return build_pipeline(recipe.pipeline, team, recipe.settings, recipe.graph)


def mermaid(name: str) -> str:
    """The graph of this name, or of a recipe's file, as Mermaid text with its stages drawn out. Raises UsageError."""
    pipeline = faculty_pipeline(name) if name in GRAPHS else recipe_pipeline(load_recipe(name))
    flat = pipeline.get_graph()
    named = {node: node.replace(".", ":") for node in flat.nodes}  # a colon makes a box in the drawing
    nodes = {named[node]: each._replace(id=named[node], name=named[node]) for node, each in flat.nodes.items()}
    edges = [edge._replace(source=named[edge.source], target=named[edge.target], data=None) for edge in flat.edges]
    return Graph(nodes, edges).draw_mermaid()


async def begin(state: State) -> State:
    """The problem as a record, whatever form it came in; without one, the first of the classroom."""
    given = state.get("problem")
    if not given:
        return {"problem": next(classroom.problems({}))}
    return {"problem": Problem.model_validate(given)}


def _ready(name: str, pipeline: CompiledPipeline) -> CompiledPipeline:
    graph = StateGraph(State)
    graph.add_node("begin", begin)
    graph.add_node(name, pipeline)
    graph.add_edge(START, "begin")
    graph.add_edge("begin", name)
    graph.add_edge(name, END)
    return graph.compile(name=name)


def exam() -> CompiledPipeline:
    return _ready("exam", faculty_pipeline("exam"))


def rationales() -> CompiledPipeline:
    return _ready("rationales", faculty_pipeline("rationales"))


def peer_review() -> CompiledPipeline:
    return _ready("peer_review", faculty_pipeline("peer_review"))


def mistake_explanation() -> CompiledPipeline:
    return _ready("mistake_explanation", faculty_pipeline("mistake_explanation"))


def dual_cot() -> CompiledPipeline:
    return _ready("dual_cot", faculty_pipeline("dual_cot"))


def lesson() -> CompiledPipeline:
    return _ready("lesson", faculty_pipeline("lesson"))


def recipe() -> CompiledPipeline:
    """The pipeline of the recipe that ERRATA_RECIPE names; without it that of the demo's lesson."""
    named = os.environ.get(RECIPE)
    if not named:
        return _ready("recipe", faculty_pipeline(LESSON))
    loaded = load_recipe(named)
    store = Path(expand(loaded.store) if loaded.store else f"{expand(loaded.runs)}/.studio")
    gateway = Gateway.open(
        loaded.agents,
        seed=loaded.seed,
        budget=loaded.budget,
        concurrency=loaded.concurrency,
        store=store,
        ledger="studio",
    )
    return _ready("recipe", recipe_pipeline(loaded, gateway))
