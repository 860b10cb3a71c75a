"""Markdown tables of models' and dataclasses' fields."""

from __future__ import annotations

import types
from collections.abc import Iterable, Sequence
from inspect import cleandoc
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from errata.config.code import Reference
from errata.schema import field_docs


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(_cell(each) for each in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def type_text(kind: Any) -> str:
    """A type in words: `number`, `list of text`, a section's name, the words of a choice."""
    if kind is Any or isinstance(kind, str):
        return "anything"
    if kind is type(None):
        return "null"
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(type_text(each) for each in inner)
    if origin in (tuple, list):
        return f"list of {type_text(inner[0])}" if inner else "list"
    if origin is dict:
        return f"mapping of {type_text(inner[1])}"
    if origin is not None and inner:
        return type_text(inner[0])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if isinstance(kind, type) and issubclass(kind, Reference):
        return "`FILE.py:NAME`"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(kind, "anything")


def default_text(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "as below"
    return "`null`" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def fields_of(model: type[BaseModel]) -> str:
    """A table with a row per field: name, type, default, what it is."""
    docs = field_docs(model)
    rows = []
    for name, field in model.model_fields.items():
        default = field.default if field.default_factory is None else field.default_factory()  # type: ignore[call-arg]
        shown = f"`{field.alias or name}`"
        rows.append([shown, type_text(field.annotation), default_text(default), docs.get(name, "")])
    return table(["key", "type", "default", "what it is"], rows)


def model_section(model: type[BaseModel], title: str | None = None) -> str:
    about = model.__doc__ if "__doc__" in vars(model) else None
    text = cleandoc(about or "")
    return "\n\n".join(part for part in (f"### {title or model.__name__}", text, fields_of(model)) if part)
