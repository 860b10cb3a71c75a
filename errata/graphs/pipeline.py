"""The pipeline of a recipe: its stages, one after the other over one problem's state, compiled once.

    START -> exam -> rationales -> peer_review -> mistake_explanation -> dual_cot -> conclude -> END
               |                                                                        ^
               +------------------------------------------------------------------------+
                      no mistake, and the recipe wants only problems with one

All nodes stand in one LangGraph state machine, named STAGE.NODE, and not in graphs within a graph: five nodes in a row
that do nothing take 1.5 ms of CPU in one graph and 2.9 ms in two graphs within a third, since every graph has its own
loop, channels and configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from errata.agents.team import Team
from errata.errors import UsageError
from errata.graphs.call_counts import CallEstimate, Rates, once, with_tries
from errata.graphs.stage import END, AnyStage, Counts, Pipeline, PipelineSettings, Route, Steps, settings_model
from errata.graphs.stages.dual_cot import DUAL_COT
from errata.graphs.stages.exam import EXAM
from errata.graphs.stages.locate import LOCATE
from errata.graphs.stages.mistake_explanation import MISTAKE_EXPLANATION
from errata.graphs.stages.peer_review import PEER_REVIEW
from errata.graphs.stages.rationales import RATIONALES
from errata.graphs.stages.shorten_thinking import SHORTEN_THINKING
from errata.graphs.state import State, mistakes_of, student_right
from errata.llm.spec import Agents
from errata.llm.tracing import in_stage
from errata.records import Call, Outcome

if TYPE_CHECKING:
    from langgraph.graph import StateGraph
    from langgraph.graph.state import CompiledStateGraph

STAGES: tuple[AnyStage, ...] = (EXAM, RATIONALES, PEER_REVIEW, MISTAKE_EXPLANATION, DUAL_COT)
OPT_IN: tuple[AnyStage, ...] = (LOCATE, SHORTEN_THINKING)
"""Shipped, and run only where a recipe names them in `stages`."""
SHIPPED = (*STAGES, *OPT_IN)
LESSON = "lesson"
"""The graph of all stages, or of those that the recipe names."""
GRAPHS = (*(stage.name for stage in STAGES), LESSON)
CONCLUDE = "conclude"
LONGEST_REASON = 200
_MOST_STEPS = 10_000
"""LangGraph's guard against endless loops; these end by their settings, which may allow more than its 25 steps."""

ShippedSettings = settings_model(SHIPPED)

CompiledPipeline: TypeAlias = "CompiledStateGraph[State, None, State, State]"


# ---- which stages run ------------------------------------------------------------------------------------------------


def in_order(
    named: Sequence[AnyStage], *, only_mistakes: bool = False, known: Sequence[AnyStage] = STAGES
) -> tuple[AnyStage, ...]:
    """The stages that run: those named, in that order, each after the stages it needs.

    A needed stage that is not named stands right before the first that needs it, the exam at the beginning.
    `only_mistakes` needs the exam. Raises UsageError on a name that stands twice, or a stage before one that it needs.
    """
    by_name = {stage.name: stage for stage in (*SHIPPED, *known, *named)}
    names = [stage.name for stage in named]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"the stage {', '.join(twice)} stands twice", "its settings and budget would be one", "name it once"
        )
    running: list[AnyStage] = []
    for stage in named:
        for need in stage.needs:
            if need not in by_name:
                raise UsageError(
                    f"stage {stage.name} needs {need}",
                    "no stage of that name is shipped or named",
                    f"name it before {stage.name} in `stages`",
                )
            if need in names and by_name[need] not in running:
                raise UsageError(
                    f"stage {stage.name} stands before {need}",
                    f"it works on what {need} has written",
                    f"write {need} before {stage.name} in `stages`",
                )
            if by_name[need] not in running:
                running.insert(0 if need == "exam" else len(running), by_name[need])
        running.append(stage)
    if only_mistakes and by_name["exam"] not in running:
        running.insert(0, by_name["exam"])
    return tuple(running)


def goals_of(stages: Sequence[AnyStage], name: str = LESSON) -> tuple[AnyStage, ...]:
    """The stages whose yield counts: one is enough, and where there is none the first says why.

    Of a graph named by a stage, that stage alone: what it needs before it is a means.
    """
    if name != LESSON:
        stages = [stage for stage in stages if stage.name == name]
    replaced = {name for stage in stages for name in stage.replaces}
    return tuple(stage for stage in stages if stage.missing is not None and stage.name not in replaced)


# ---- how a problem ends ----------------------------------------------------------------------------------------------


def outcome_of(state: State, goals: Sequence[AnyStage], *, only_mistakes: bool = False) -> Outcome:
    """How a problem ended: done, rejected because it yields nothing of what the stages are for, or failed.

    A call lost to the provider makes the problem failed, whatever else there is: the same command tries it again.
    """
    lost = [call for call in state.get("calls", {}).values() if call.failure is not None]
    if lost:
        return Outcome(status="failed", reason=_reason(lost[0]))
    if only_mistakes and not mistakes_of(state):
        return Outcome(status="rejected", reason=student_right(state))
    missing = [stage.missing(state) for stage in goals if stage.missing is not None]
    if None in missing or not missing:
        return Outcome(status="done")
    return Outcome(status="rejected", reason=missing[0])


def _reason(lost: Call) -> str:
    words = " ".join((lost.failure or "").split())
    return f"provider: {lost.agent}: {words}"[:LONGEST_REASON]


# ---- who must be there -----------------------------------------------------------------------------------------------


def check_agents(stages: Sequence[AnyStage], agents: Agents, settings: PipelineSettings) -> None:
    """Raises UsageError where a stage lacks its agents, or `agents.others` names some that no stage asks for."""
    for stage in stages:
        for who in stage.agents:
            _require(stage, who, agents)
        if stage.check is not None:
            stage.check(agents, settings.of(stage), settings)
    idle = sorted(agents.others.keys() - {who for stage in stages for who in stage.agents})
    if idle:
        raise UsageError(
            f"agents.others.{idle[0]} is asked by no stage",
            f"the stages are {', '.join(stage.name for stage in stages)}",
            "name the stage that asks it in `stages`, or remove it",
        )


def _require(stage: AnyStage, who: str, agents: Agents) -> None:
    match who:
        case "student" if agents.student is None:
            raise UsageError(
                f"there is no student, and the stage {stage.name} asks one",
                "its answers are what the stage is for",
                "add agents.student, or name in `stages` only what needs none",
            )
        case "teachers" if not agents.teachers:
            raise UsageError(
                f"there is no teacher, and the stage {stage.name} asks them",
                "teachers write rationales, explanations and rewrites",
                "add agents.teachers",
            )
        case "student" | "teachers" | "panel":
            return
        case _ if who not in agents.others:
            raise UsageError(
                f"there is no {who}, and the stage {stage.name} asks one",
                "it is an agent of that stage alone",
                f"add agents: {{others: {{{who}: {{name: ..., model: ...}}}}}}",
            )


# ---- what it will take -----------------------------------------------------------------------------------------------


def call_estimates(
    stages: Sequence[AnyStage], agents: Agents, settings: PipelineSettings, rates: Rates
) -> list[CallEstimate]:
    """The calls per problem of a pipeline by stage, prompt and agent, fresh tries included."""
    counts = Counts(agents, settings)
    merged: dict[tuple[str, str, str], CallEstimate] = {}
    for stage in stages:
        for estimate in stage.expected(counts, settings.of(stage), rates):  # a reviewer scores several authors
            key = (stage.name, estimate.prompt, estimate.agent.name)
            calls = estimate.calls + merged[key].calls if key in merged else estimate.calls
            merged[key] = estimate._replace(stage=stage.name, calls=calls)
    return [each._replace(calls=once(with_tries(each, rates.unreadable), rates.repeated)) for each in merged.values()]


# ---- the state machine -----------------------------------------------------------------------------------------------


def build_pipeline(
    stages: Sequence[AnyStage], team: Team, settings: PipelineSettings, name: str = LESSON
) -> CompiledPipeline:
    """One state machine: takes `{"problem": ...}`, gives the finished state with its outcome. Nodes: STAGE.NODE.

    Raises UsageError where a stage refuses the team or its settings.
    """
    from langgraph.graph import START, StateGraph

    pipeline, goals = Pipeline(tuple(stages), settings), goals_of(stages, name)

    async def conclude(state: State) -> State:
        return {"outcome": outcome_of(state, goals, only_mistakes=settings.only_mistakes)}

    async def after_exam(state: State) -> str:
        return "on" if mistakes_of(state) else CONCLUDE

    graph = StateGraph(State)
    graph.add_node(CONCLUDE, conclude)
    graph.add_edge(CONCLUDE, END)
    after = CONCLUDE
    for stage in reversed(stages):
        steps = stage.build(team.in_stage(stage.name), settings.of(stage), pipeline)
        leaves = settings.only_mistakes and stage.name == "exam" and after != CONCLUDE
        _add(graph, stage.name, steps, after, after_exam if leaves else None)
        after = f"{stage.name}.{next(iter(steps.nodes))}"
    graph.add_edge(START, after)
    return graph.compile(name=name).with_config(recursion_limit=_MOST_STEPS)


def _add(graph: StateGraph[State, None, State, State], name: str, steps: Steps, after: str, leave: object) -> None:
    """Adds a stage's nodes as NAME.NODE; what leads to its END leads to `after`, or first through `leave`."""
    for node, work in steps.nodes.items():
        graph.add_node(f"{name}.{node}", in_stage(name, work))
    for node, target in steps.edges.items():
        at = f"{name}.{node}"
        if isinstance(target, Route):
            ends = {end: after if end == END else f"{name}.{end}" for end in target.ends}
            graph.add_conditional_edges(at, target.choose, ends)  # type: ignore[arg-type]
        elif target != END:
            graph.add_edge(at, f"{name}.{target}")
        elif leave is not None:
            graph.add_conditional_edges(at, leave, {"on": after, CONCLUDE: CONCLUDE})  # type: ignore[arg-type]
        else:
            graph.add_edge(at, after)
