"""Flags and the config file of `errata train METHOD`: TRL's own parser, with errors that a person can act on."""

from __future__ import annotations

import difflib
import os
from argparse import Action
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from trl import TrlParser

from errata.config.env import expand
from errata.config.yaml_file import parse_yaml, read_mapping
from errata.errors import UsageError
from errata.training.arguments import TABLE, Lesson


class Parser(TrlParser):  # type: ignore[misc]
    """Raises where argparse would print its usage and leave the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, "the flags cannot be read", f"see `{self.prog} --help`")


def parse(method: str, words: Sequence[str]) -> tuple[Any, Any, Any]:
    """(Lesson, the method's training flags, its model flags). A flag wins over the file, the file over the defaults.

    Strings of the file may hold `${VAR:-default}`. Raises UsageError: an unknown flag or key with the nearest known
    one, a value of the wrong kind, flags that exclude each other.
    """
    spec = TABLE[method]
    try:
        parser = Parser((Lesson, spec.training, spec.model), prog=f"errata train {method}", allow_abbrev=False)
        actions = {action.dest: action for action in reversed(parser._actions)}
        file, words = _config_file(words)
        _refuse_unknown(words, parser)
        if file is not None:
            parser.set_defaults_with_config(**_from_file(file, actions))
        lesson, training, model = parser.parse_args_into_dataclasses(words, look_for_args_file=False)
    except UsageError:
        raise
    except (ValueError, TypeError, ImportError) as error:  # what the dataclasses say of values that do not go together
        raise UsageError(
            f"{error}"[:800], "these settings cannot be trained with", f"see `errata train {method} --help`"
        ) from error
    if training.trust_remote_code:
        raise UsageError("--trust_remote_code", "no code that lies beside a model's weights is run", "leave it out")
    return lesson, training, model


def _config_file(words: Sequence[str]) -> tuple[Path | None, list[str]]:
    rest: list[str] = []
    file: Path | None = None
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--config":
            if not queue:
                raise UsageError("--config without a file", "the settings are read from it", "name a YAML file")
            file = Path(queue.pop(0))
        elif word.startswith("--config="):
            file = Path(word.partition("=")[2])
        else:
            rest.append(word)
    return file, rest


def _refuse_unknown(words: Sequence[str], parser: Parser) -> None:
    known = parser._option_string_actions
    for word in words:
        name = word.partition("=")[0]
        if name.startswith("--") and name not in known:
            raise _unknown(f"the flag {name}", name, list(known))


def _unknown(found: str, name: str, known: Sequence[str]) -> UsageError:
    near = difflib.get_close_matches(name, known, n=1)
    return UsageError(
        f"{found} is not known", "it would have no effect", f"did you mean {near[0]}?" if near else "leave it out"
    )


def _from_file(file: Path, actions: dict[str, Action]) -> dict[str, Any]:
    values = read_mapping(file)
    for name, value in (values.pop("env", None) or {}).items():  # as TRL's parser does
        os.environ[str(name)] = str(value)
    for key in values:
        if key not in actions or key == "help":
            raise _unknown(f"{file}: the key {key}", str(key), list(actions))
    return {key: _as_flag(f"{file}: {key}", _expanded(value), actions[key]) for key, value in values.items()}


def _expanded(value: Any) -> Any:
    if isinstance(value, str):
        return expand(value) if "${" in value else value
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    if isinstance(value, dict):
        return {key: _expanded(item) for key, item in value.items()}
    return value


def _as_flag(place: str, value: Any, action: Action) -> Any:
    """A scalar as the flag would read it, so that 1e-4, which YAML takes for a text, is a number here too."""
    several = action.nargs in ("+", "*")
    if several and not isinstance(value, list):
        return None if value is None else [value]
    if value is None or isinstance(value, list | dict):
        if isinstance(value, list | dict) and not several and action.type in (int, float, str):
            raise UsageError(f"{place}: {str(value)[:80]}", "one value is expected", "write one")
        return value
    try:
        read = action.type(str(value)) if callable(action.type) else value
    except Exception as error:  # each flag has a reader of its own
        raise UsageError(f"{place}: {value!r} ({error})"[:300], "it cannot be read so", "see --help") from error
    if action.choices is not None and read not in action.choices:
        choices = ", ".join(str(choice) for choice in action.choices)
        raise UsageError(f"{place}: {value!r}", f"it is one of {choices}", "choose one")
    return read


def listed(entries: Sequence[Any]) -> list[Any]:
    """The entries of `terms`; on the command line each is a YAML mapping in quotes."""
    return [parse_yaml(entry, "--terms") if isinstance(entry, str) else entry for entry in entries]
