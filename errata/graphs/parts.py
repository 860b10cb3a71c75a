"""Several graphs as one: their nodes side by side, so that a problem passes one graph and not one in another.

LangGraph takes 1.5 ms of CPU for five nodes in a row that do nothing, and 2.9 ms for the same in two graphs within a
third, since every graph has its own loop, channels and configuration.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, NamedTuple, TypeAlias

from langgraph.graph import END, START, StateGraph

from errata.graphs.nodes import StoryGraph
from errata.graphs.state import Story

Draft: TypeAlias = "StateGraph[Story, None, Story, Story]"


class Fork(NamedTuple):
    """Where a part leads, by what `path` says of the story."""

    path: Callable[[Story], Awaitable[bool]]
    ends: dict[Hashable, str]


def first_of(name: str, part: StoryGraph) -> str:
    """The node, as `add_part` calls it, with which the part begins: there is one, whatever the story."""
    [first] = [target for source, target in part.builder.edges if source == START]
    return f"{name}.{first}"


def add_part(graph: Draft, name: str, part: StoryGraph, then: str | Fork) -> None:
    """Adds the nodes of `part` as NAME.NODE, with its edges; what ends it leads to `then`.

    A part with conditional ends takes a node, not a fork.
    """

    def at(node: str) -> Any:
        return then if node == END else f"{name}.{node}"

    for node, spec in part.builder.nodes.items():
        graph.add_node(at(node), spec.runnable)
    for source, target in part.builder.edges:
        if target == END and isinstance(then, Fork):
            graph.add_conditional_edges(at(source), then.path, then.ends)
        elif source != START:
            graph.add_edge(at(source), at(target))
    for source, branches in part.builder.branches.items():
        for branch in branches.values():
            ends = branch.ends or {}
            graph.add_conditional_edges(at(source), branch.path, {said: at(node) for said, node in ends.items()})
