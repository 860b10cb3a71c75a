"""One YAML file and its overrides become one frozen recipe.

    recipe.yaml + key=value ... -> plain data -> SynthRecipe -> check

Whatever cannot be right is refused here, before a call is paid for: an unknown key with the nearest known one, a wrong
type, a stage without its agents. Strings that are paths may hold `${VAR:-default}`; they stay as written in the recipe
and are expanded where they are used, so that a run may be resumed after its data has moved.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from errata.config.yaml_file import parse_yaml, read_mapping, unshared
from errata.errors import UsageError
from errata.roles import check
from errata.settings import CHANGEABLE, CHANGEABLE_OF_AGENT, Sampling, SynthRecipe

SHOWN = 3
"""Faults told at once."""

_VARIABLE = re.compile(r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")

M = TypeVar("M", bound=BaseModel)


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> SynthRecipe:
    """The recipe of `errata synth`. `name` is by default the file's stem.

    `overrides` are `key=value`: the key dotted, list places counted from 0 (`agents.teachers.0.model=openai/NAME`), the
    value read as YAML. Raises UsageError on anything bad in either.
    """
    data = read_mapping(path)
    data.setdefault("name", path.stem)
    recipe = apply(SynthRecipe, data, overrides, str(path))
    check(recipe)
    return recipe


def apply(model: type[M], data: dict[str, Any], overrides: Sequence[str], where: str) -> M:
    """`data` with the overrides, as a `model`. `where` names the file in errors. Raises UsageError."""
    for text in overrides:
        _override(data, text)
    faults = list(_faults(model, data, ""))
    if not faults:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            faults = _told(error, data)
    path, found, why, do = faults[0]
    source = next((f"override {text}" for text in overrides if _concerns(text.partition("=")[0], path)), where)
    more = [fault.found for fault in faults[1:SHOWN]] + ["..."] * (len(faults) > SHOWN)
    raise UsageError(f"{source}: {found}", why, "; then: ".join([do, *more]))


def expand(text: str) -> str:
    """`text` with `${VAR}` and `${VAR:-default}` replaced from the environment; an empty variable counts as unset.

    Raises UsageError on a variable that is unset and has no default.
    """

    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name is None:
            raise UsageError(f"{text!r} holds ${{ without a variable", do="write ${NAME} or ${NAME:-default}")
        found = os.environ.get(name) or default
        if found is None:
            raise UsageError(
                f"{text!r}: the environment variable {name} is not set",
                "it has no default in the recipe",
                f"set {name}, or write ${{{name}:-default}}",
            )
        return found

    return _VARIABLE.sub(value, text)


def local_path(model: str) -> str:
    """The path in a model string `local/PATH`, its variables replaced."""
    return expand(model.removeprefix("local/"))


# ---- overrides -------------------------------------------------------------------------------------------------------


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
                f"override {text}: {'.'.join(parts[:place])} is {_shown(node)}",
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


# ---- faults ----------------------------------------------------------------------------------------------------------


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
                here = _joined(path, key)
                if key in member.model_fields:
                    yield from _faults(member.model_fields[key].annotation, value, here)
                else:
                    yield _unknown(here, str(key), list(member.model_fields))
        elif isinstance(data, dict) and origin is dict:
            for key, value in data.items():
                yield from _faults(inner[1], value, _joined(path, key))
        elif isinstance(data, list) and origin is tuple:
            for place, value in enumerate(data):
                yield from _faults(inner[0], value, _joined(path, place))
    if isinstance(data, bool) and {int, float} & set(members) and not {bool, Any} & set(members):
        yield Fault(path, f"{path} is {_shown(data)}", "it should be a number", "write a number")


def _members(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _told(error: ValidationError, data: Any) -> list[Fault]:
    """Pydantic's errors by the dotted path in the data, the deepest first: of a union the branch that was meant."""
    faults = []
    for each in error.errors(include_url=False, include_context=False):
        path, depth = "", 0
        value: Any = data
        for place, part in enumerate(each["loc"]):
            known = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
            if part in known:
                value, path, depth = value[part], _joined(path, part), depth + 1
            elif each["type"] == "missing" and place == len(each["loc"]) - 1:
                path, depth = _joined(path, part), depth + 1
        if each["type"] == "missing":
            fault = Fault(path, f"{path} is missing", "it has no default", "add it")
        elif each["type"] == "value_error":
            fault = Fault(path, each["msg"].removeprefix("Value error, "), "the recipe contradicts itself", "mend it")
        else:
            fault = Fault(path, f"{path} is {_shown(value)}", _expected(each["msg"]), "mend it")
        faults.append((-depth, fault))
    told: list[Fault] = []
    for _, fault in sorted(faults, key=lambda item: item[0]):
        if not any(f"{known.path}.".startswith(f"{fault.path}.") for known in told):
            told.append(fault)
    return told


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


def _joined(path: str, part: Any) -> str:
    return f"{path}.{part}" if path else str(part)


def _unknown(path: str, key: str, known: Sequence[str]) -> Fault:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0)
    meant = f"did you mean {path.removesuffix(key)}{near[0]}? If not, remove it" if near else "remove it"
    return Fault(path, f"unknown key {path}", f"known here are {', '.join(known)}", meant)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


# ---- the same run? ---------------------------------------------------------------------------------------------------


def dump_recipe(recipe: SynthRecipe) -> str:
    """The resolved recipe as YAML: every key, but for an agent's decoding parameters where they are left to the stage.

    Loading it gives an equal recipe.
    """
    return yaml.dump(_plain(recipe), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Escapes U+0085, which PyYAML otherwise writes as a line break and reads back as a space."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = '"' if "\x85" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.represent_str)


def differences(old: SynthRecipe, new: SynthRecipe) -> list[str]:
    """Dotted paths at which two recipes differ, apart from what may change between runs of one directory."""
    return [path for path in _differing(_plain(old), _plain(new), "") if not _changeable(path)]


def refuse_other_recipe(saved: Path, recipe: SynthRecipe) -> None:
    """Raises UsageError where the recipe saved in a run directory is another one; no saved recipe, no objection."""
    if not saved.exists():
        return
    there = apply(SynthRecipe, read_mapping(saved), (), str(saved))
    paths = differences(there, recipe)
    if not paths:
        return
    told = [f"{path} is {_shown(_at(there, path))} there, {_shown(_at(recipe, path))} here" for path in paths[:SHOWN]]
    raise UsageError(
        f"{saved.parent} holds a run of another recipe: {'; '.join(told)}{'; ...' if len(paths) > SHOWN else ''}",
        "one run directory holds the transcripts of one recipe",
        f"give this run a name of its own: name=..., or restore the recipe ({saved})",
    )


def _plain(recipe: SynthRecipe) -> dict[str, Any]:
    data: dict[str, Any] = unshared(recipe.model_dump())
    agents = data["agents"]
    pairs = [(recipe.agents.student, agents["student"])]
    pairs += zip(recipe.agents.teachers, agents["teachers"], strict=True)
    pairs += zip(recipe.agents.reviewers or (), agents["reviewers"] or (), strict=True)
    pairs += zip(recipe.agents.standby, agents["standby"], strict=True)
    for spec, plain in pairs:
        for key in Sampling.model_fields:
            # left out, the stage's value holds; an explicit null means "do not send it"
            if spec is not None and key not in spec.model_fields_set:
                del plain[key]
    return data


def _differing(old: Any, new: Any, path: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*old, *(key for key in new if key not in old)):
            if key not in old or key not in new:
                yield _joined(path, key)
            else:
                yield from _differing(old[key], new[key], _joined(path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _differing(left, right, _joined(path, place))
    elif old != new or type(old) is not type(new):
        yield path


def _changeable(path: str) -> bool:
    top, *rest = path.split(".")
    if top == "agents" and rest:
        if rest[0] == "standby":
            return True
        key = rest[1:2] if rest[0] == "student" else rest[2:3]
        return bool(key) and key[0] in CHANGEABLE_OF_AGENT
    return top in CHANGEABLE


def _at(recipe: SynthRecipe, path: str) -> Any:
    value: Any = _plain(recipe)
    for part in path.split("."):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (LookupError, ValueError, TypeError):
            return None
    return value
