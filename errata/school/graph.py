"""The school as a LangGraph state machine.

    start -> exam -> choose -> lesson -> train -> judge -> stop
               ^       |                | | ^       | |
               |       +-> stop  stop <-+ +-+       | +-> stop
               |     no problem  nothing  once, at  |
               |       is left   to learn half the  |
               +--------------------------rate------+

A node does its work through a Runner, which knows what is done already; state is what the next nodes need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

MOST_STEPS = 100_000
"""LangGraph's guard against endless loops; this one ends by its recipe."""


class State(TypedDict, total=False):
    """Where a school stands between two nodes."""

    round: int
    student: str
    """The student that the round starts from."""
    judged: str
    """That student's eval directory."""
    again: bool
    """The training is repeated, at half the rate."""
    next: str
    """The node that follows, where there is a choice."""
    stopped: str
    """Why no further round begins."""


Node = Callable[[State], State]
CompiledSchool: TypeAlias = "CompiledStateGraph[State, None, State, State]"
NODES = ("start", "exam", "choose", "lesson", "train", "judge", "stop")
EDGES: Mapping[str, tuple[str, ...]] = {
    "start": ("exam",),
    "exam": ("choose",),
    "choose": ("lesson", "stop"),
    "lesson": ("train",),
    "train": ("judge", "train", "stop"),
    "judge": ("exam", "stop"),
}
"""Where each node leads; of several, to the one that it writes as `next`."""


def build_school(nodes: Mapping[str, Node]) -> CompiledSchool:
    """The state machine of these nodes, by the names in NODES."""
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(State)
    for name in NODES:
        graph.add_node(name, nodes[name])  # type: ignore[call-overload]
    graph.add_edge(START, NODES[0])
    for name, ends in EDGES.items():
        if len(ends) == 1:
            graph.add_edge(name, ends[0])
        else:
            graph.add_conditional_edges(name, _next, {end: end for end in ends})
    graph.add_edge("stop", END)
    return graph.compile(name="school").with_config(recursion_limit=MOST_STEPS)


def _next(state: State) -> str:
    return state["next"]


def mermaid() -> str:
    """The school's graph as Mermaid text."""

    def idle(state: State) -> State:
        return {}

    drawn: Any = build_school(dict.fromkeys(NODES, idle)).get_graph()
    return str(drawn.draw_mermaid())
