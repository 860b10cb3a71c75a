"""Plain data and `key=value` overrides become one frozen model, or an error that names the key and what would do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from types import UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from errata.config.yaml_file import parse_yaml
from errata.errors import UsageError

END = "...\n"
"""Of a document that is one scalar, as PyYAML ends it."""
MOST_FAULTS = 3
"""Faults told at once."""


M = TypeVar("M", bound=BaseModel)


def override(data: dict[str, Any], overrides: Sequence[str]) -> None:
    """Changes `data` by `key=value` texts. Raises UsageError."""
    for text in overrides:
        _override(data, text)


def assignment(key: str, value: Any) -> str:
    """`key=value` as an override is written, of a value as YAML gives it."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"))
    return f"{key}={text.removesuffix(END).rstrip()}"


def apply(model: type[M], data: dict[str, Any], overrides: Sequence[str], where: str) -> M:
    """`data` with the overrides, as a `model`. `where` names the file in errors. Raises UsageError."""
    override(data, overrides)
    return validate(model, data, overrides, where)


def validate(
    model: type[M],
    data: dict[str, Any],
    overrides: Sequence[str],
    where: str,
    load: Callable[[str], Any] | None = None,
) -> M:
    """Plain data as a `model`. `overrides` have been applied, and are named where a fault is theirs.

    Args:
        load: gives the part that a reference to code of one's own names; without it none is loaded.
    """
    faults = list(_faults(model, data, ""))
    if not faults:
        try:
            return model.model_validate(data, context={"load": load})
        except ValidationError as error:
            for each in error.errors(include_url=False):
                cause = each.get("ctx", {}).get("error")
                if isinstance(cause, UsageError):  # it says found, why and do itself
                    raise cause from None
            faults = _faults_of(error, data)
    path, found, why, do = faults[0]
    source = next((f"override {text}" for text in overrides if _concerns(text.partition("=")[0], path)), where)
    more = [fault.found for fault in faults[1:MOST_FAULTS]] + ["..."] * (len(faults) > MOST_FAULTS)
    raise UsageError(f"{source}: {found}", why, "; then: ".join([do, *more]))


def _override(data: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    parts = key.split(".")
    if not equals or not all(parts):
        raise UsageError(
            f"override {text!r}", "an override is written key=value", "e.g. limit=50 or agents.student=null"
        )
    node: Any = data
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        new = parse_yaml(value, f"override {key}") if last else {}
        if isinstance(node, dict):
            if last or node.get(part) is None:
                node[part] = new
            node = node[part]
        elif isinstance(node, list):
            index = _index(part, node, ".".join(parts[:place]), text)
            if index == len(node):
                node.append(new)
            elif last:
                node[index] = new
            node = node[index]
        else:
            raise UsageError(
                f"override {text}: {'.'.join(parts[:place])} is {short(node)}",
                f"it has no key {part}",
                f"override {'.'.join(parts[:place])} as a whole",
            )


def _index(part: str, items: list[Any], path: str, text: str) -> int:
    index = int(part) if part.isascii() and part.isdigit() and len(part) < 7 else -1
    if not 0 <= index <= len(items):
        raise UsageError(
            f"override {text}: {path} is a list of {len(items)}, {part!r} is no place in it",
            "places are counted from 0",
            f"write {path}.0 to {path}.{max(len(items) - 1, 0)}, or {path}.{len(items)} to add one",
        )
    return index


class Fault(NamedTuple):
    path: str
    found: str
    why: str
    do: str


def _faults(annotation: Any, data: Any, path: str) -> Iterator[Fault]:
    """Unknown keys, and truth values where a number belongs (pydantic would take `yes` for 1)."""
    members = list(_members(annotation))
    for member in members:
        origin, inner = get_origin(member), get_args(member)
        if isinstance(data, dict) and isinstance(member, type) and issubclass(member, BaseModel):
            for key, value in data.items():
                here = dotted(path, key)
                if key in member.model_fields:
                    yield from _faults(member.model_fields[key].annotation, value, here)
                else:
                    yield _unknown(here, str(key), list(member.model_fields))
        elif isinstance(data, dict) and origin is dict:
            for key, value in data.items():
                yield from _faults(inner[1], value, dotted(path, key))
        elif isinstance(data, list) and origin is tuple:
            for place, value in enumerate(data):
                yield from _faults(inner[0], value, dotted(path, place))
    if isinstance(data, bool) and {int, float} & set(members) and not {bool, Any} & set(members):
        yield Fault(path, f"{path} is {short(data)}", "it should be a number", "write a number")


def _members(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _faults_of(error: ValidationError, data: Any) -> list[Fault]:
    """Pydantic's errors by the dotted path in the data, the deepest first: of a union the branch that was meant."""
    faults = []
    for each in error.errors(include_url=False, include_context=False):
        path, depth = "", 0
        value: Any = data
        for place, part in enumerate(each["loc"]):
            known = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
            if part in known:
                value, path, depth = value[part], dotted(path, part), depth + 1
            elif each["type"] == "missing" and place == len(each["loc"]) - 1:
                path, depth = dotted(path, part), depth + 1
        if each["type"] == "missing":
            fault = Fault(path, f"{path} is missing", "it has no default", "add it")
        elif each["type"] == "value_error":
            fault = Fault(
                path,
                each["msg"].removeprefix("Value error, "),
                "the recipe cannot be followed as it stands",
                f"change {path or 'the recipe'}",
            )
        else:
            fault = Fault(path, f"{path} is {short(value)}", _expected(each["msg"]), "write such a value")
        faults.append((-depth, fault))
    outermost: list[Fault] = []
    for _, fault in sorted(faults, key=lambda item: item[0]):
        if not any(f"{known.path}.".startswith(f"{fault.path}.") for known in outermost):
            outermost.append(fault)
    return outermost


def _expected(message: str) -> str:
    """Pydantic's words in those of a recipe."""
    message = message.replace("Input should", "it should").replace("Tuple should", "the list should")
    message = re.sub(r"a valid dictionary or instance of \w+", "a section of keys", message)
    return (
        message.replace("a valid tuple", "a list")
        .replace("a valid string", "a text")
        .replace("a valid integer", "a whole number")
    )


def _concerns(key: str, path: str) -> bool:
    return f"{key}.".startswith(f"{path}.") or f"{path}.".startswith(f"{key}.")


def dotted(path: str, part: Any) -> str:
    return f"{path}.{part}" if path else str(part)


def _unknown(path: str, key: str, known: Sequence[str]) -> Fault:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0)
    meant = f"did you mean {path.removesuffix(key)}{near[0]}? If not, remove it" if near else "remove it"
    return Fault(path, f"unknown key {path}", f"known here are {', '.join(known)}", meant)


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
