"""YAML texts as plain data, guarded against what a text may do to its reader."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import yaml

from errata.errors import UsageError

MAX_BYTES = 512 * 1024
MAX_DEPTH = 64
MAX_EXPANDED = 16 * 1024 * 1024
"""Characters a text may come to once its aliases are written out, counting NODE_COST for every node."""
NODE_COST = 40

HALF_PAIR = re.compile("[\ud800-\udfff]")
_KINDS = {list: "list", str: "text", bool: "truth value", int: "number", float: "number"}


def read_mapping(path: Path) -> dict[str, Any]:
    """The YAML mapping in a file. Raises UsageError where there is none."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8", "a recipe is text", "save it as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path}: {reason}", "a recipe is read from it", _nearest_file(path)) from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES // 1024} KiB", "that is no recipe", "check the path")
    data = parse_yaml(text, str(path))
    if data is None:
        raise UsageError(f"{path} is empty", "a recipe names its graph, problems and agents", "see recipes/ for some")
    if not isinstance(data, dict):
        raise UsageError(
            f"{path} holds a {_KINDS.get(type(data), type(data).__name__)}",
            "a recipe is a mapping of keys",
            "write key: value lines",
        )
    return data


def parse_yaml(text: str, where: str) -> Any:
    """The plain data in a YAML text, nothing in it shared. Raises UsageError naming the line.

    Refused besides wrong syntax: a key given twice, half a surrogate pair, and aliases that would expand beyond all
    bounds.
    """
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, {}, where)
        return unshared(loader.construct_document(node))
    except UsageError:  # a ValueError, too
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        raise UsageError(
            f"{where}{line}: {problem}", "that is no YAML", "quote what holds : { } * & #, and check the indentation"
        ) from error
    except RecursionError:
        raise UsageError(f"{where} is nested too deeply", "no recipe needs that", "flatten it") from None
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        # PyYAML's constructors let these escape on tagged or date-like scalars that are none: `!!int x`, 2026-13-45
        raise UsageError(
            f"{where}: a value cannot be read: {error}", "YAML takes it for a date or a number", "quote it"
        ) from error


def _measure(node: yaml.Node, sizes: dict[int, int | None], where: str, depth: int = 0) -> int:
    """The size of a node with its aliases written out, each node visited once."""
    if depth > MAX_DEPTH:  # JSON, as calls are logged in, ends at four times that
        raise UsageError(f"{where} is nested too deeply", "no recipe needs that", "flatten it")
    known = sizes.get(id(node), 0)
    if known is None:
        raise UsageError(f"{where}, line {node.start_mark.line + 1}: an alias within itself", do="write it out")
    if known:
        return known
    sizes[id(node)] = None
    size = NODE_COST + (len(node.value) if isinstance(node, yaml.ScalarNode) else 0)
    if isinstance(node, yaml.ScalarNode) and HALF_PAIR.search(node.value):
        raise UsageError(
            f"{where}, line {node.start_mark.line + 1}: a text holds half a surrogate pair",
            "such a text can be neither sent nor stored",
            "write the whole character",
        )
    if isinstance(node, yaml.MappingNode):
        _refuse_twice(node, where)
        size += sum(_measure(part, sizes, where, depth + 1) for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_measure(item, sizes, where, depth + 1) for item in node.value)
    if size > MAX_EXPANDED:
        raise UsageError(f"{where}: its aliases expand to over {MAX_EXPANDED} characters", do="write out what is meant")
    sizes[id(node)] = size
    return size


def _refuse_twice(node: yaml.MappingNode, where: str) -> None:
    keys: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if key.value in keys:
                line = key.start_mark.line + 1
                raise UsageError(
                    f"{where}, line {line}: the key {key.value} stands twice",
                    "the second would silently replace the first",
                    "remove one",
                )
            keys.add(key.value)


def unshared(value: Any) -> Any:
    """A copy in which no part is shared, so that an override of one place changes no other."""
    if isinstance(value, dict):
        return {key: unshared(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [unshared(item) for item in value]
    return value


def _nearest_file(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix in (".yaml", ".yml")]
    except (OSError, ValueError):
        names = []
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"check the path; did you mean {path.with_name(near[0])}?" if near else "check the path"
