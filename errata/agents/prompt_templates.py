"""What a prompt may do: show inputs, choose by them, and go through a list of them once.

A folder of prompts travels with a recipe, and the sandbox of Jinja bounds neither time nor memory: two nested ranges,
`"x" * 10**9`, or a text that doubles itself forty times would stall whoever loads it. So what is allowed is listed, and
nothing of it makes more text than inputs and template together call for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateRuntimeError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
)

FILTERS = {
    *("capitalize", "count", "default", "first", "int", "join", "last", "length", "lower", "string", "title", "trim"),
    *("upper", "wordcount"),
}
LONGEST_SEPARATOR = 20
LONGEST_PROMPT = 4_000_000
"""Characters beyond those of the inputs: several times the longest context of any model."""
_PLAIN = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For),
    *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Keyword, nodes.Pair),
    *(nodes.List, nodes.Tuple, nodes.Filter, nodes.Test, nodes.Add, nodes.Sub, nodes.Neg, nodes.Concat),
    *(nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
)
_NAMES_OF_NODES = {
    nodes.Call: "a call",
    nodes.Assign: "{% set %}",
    nodes.Macro: "{% macro %}",
    nodes.Mul: "*",
    nodes.Pow: "**",
    nodes.Mod: "%",
    nodes.Include: "{% include %}",
    nodes.Import: "{% import %}",
    nodes.FromImport: "{% from %}",
    nodes.Extends: "{% extends %}",
}


def refused(tree: nodes.Template) -> str | None:
    """What the template does beyond what a prompt may do; None where it is harmless."""
    return next(_beyond(tree, looped=False), None)


def _beyond(node: nodes.Node, *, looped: bool) -> Iterator[str]:
    if not isinstance(node, _PLAIN):
        yield _NAMES_OF_NODES.get(type(node), type(node).__name__)
    elif isinstance(node, nodes.Filter) and node.name not in FILTERS:
        yield f"the filter {node.name}"
    elif isinstance(node, nodes.Filter) and node.name == "join" and not _joins_once(node):
        yield "the filter join with more than a short separator, or within another join"
    elif isinstance(node, nodes.For):
        if looped:
            yield "a loop within a loop"
        if node.recursive:
            yield "a recursive loop"
        looped = True
    for child in node.iter_child_nodes():
        yield from _beyond(child, looped=looped)


def _joins_once(node: nodes.Filter) -> bool:
    """Whether a join adds no more than a few letters per item: each of two nested ones would multiply the text."""
    separators = [each.value if isinstance(each, nodes.Const) else None for each in node.args]
    short = all(isinstance(each, str) and len(each) <= LONGEST_SEPARATOR for each in separators)
    within = node.node is not None and any(each.name == "join" for each in node.node.find_all(nodes.Filter))
    joined = isinstance(node.node, nodes.Filter) and node.node.name == "join"
    return short and not node.kwargs and not within and not joined


def rendered(template: Template, inputs: Mapping[str, Any]) -> str:
    """The template filled in. Raises TextTooLong where it makes more text than a prompt can need: a loop may.

    An input shown once is never too long, whatever a model wrote.
    """
    pieces, length = [], 0
    most = LONGEST_PROMPT + sum(len(str(value)) for value in inputs.values())
    for piece in template.generate(inputs):
        pieces.append(piece)
        length += len(piece)
        if length > most:
            raise TextTooLong(f"it makes more than {LONGEST_PROMPT:,} characters beyond those of its inputs")
    return "".join(pieces)


class TextTooLong(TemplateRuntimeError):
    """A prompt that multiplies its inputs."""
