"""`${VAR}` and `${VAR:-default}` in the texts of a recipe, filled in from the environment."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer

from errata.errors import UsageError

LIBRARY_KEYS = {"HF_TOKEN", "WANDB_API_KEY"}
"""Keys that libraries read for themselves, of the hub and of a training log: no others enter the environment."""
_FILE: dict[str, str] = {}
"""What ./.env holds. It never enters this process's environment, where every library and child process would see it: a
variable such as GIT_CONFIG_COUNT, PYTHONPATH or OPENAI_BASE_URL there runs code or sends a key elsewhere."""


def read_env_file(path: Path) -> None:
    """Reads a file of NAME=VALUE lines; `variable` finds them from then on.

    Raises UsageError where it is no text, or a line of it is none of these.
    """
    from dotenv.parser import parse_stream

    _FILE.clear()
    try:
        lines = list(parse_stream(StringIO(path.read_text(encoding="utf-8-sig")))) if path.is_file() else []
    except (UnicodeDecodeError, OSError) as error:
        what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise UsageError(f"{path}: {what}", "keys are read from it", "save it as UTF-8 text, or remove it") from None
    if wrong := next((line for line in lines if line.error), None):
        raise UsageError(
            f"{path}, line {wrong.original.line} is no NAME=VALUE",
            "a key in it would be missing without a word",
            "correct the line, or begin it with #",
        )
    _FILE.update({line.key: line.value for line in lines if line.key and line.value})
    for name in LIBRARY_KEYS & _FILE.keys():
        os.environ.setdefault(name, _FILE[name])


def read_env_here() -> None:
    """Reads ./.env where there is one, as every process of a command does. Raises UsageError as `read_env_file`."""
    read_env_file(Path(".env").absolute())


def variable(name: str) -> str | None:
    """An environment variable that a recipe names, else that of ./.env; an empty one counts as unset."""
    return os.environ.get(name) or _FILE.get(name) or None


def in_env_file(pattern: re.Pattern[str]) -> dict[str, str]:
    """What ./.env holds under names that match, for keys that must stand in no log."""
    return {name: value for name, value in _FILE.items() if pattern.search(name)}


_VARIABLE = re.compile(r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")


class _Resolved(str):
    """A text as it is written, with what it came to when it was validated."""

    value: str | None = None


def _resolve(text: str) -> str:
    located = _Resolved(text)
    with suppress(UsageError):  # told when the path is needed: a finished run can be read without it
        located.value = _expanded(text)
    return located


Location = Annotated[str, AfterValidator(_resolve), PlainSerializer(str)]
"""A path in a recipe: resolved once, when the recipe is loaded, and saved as it is written, so that a run may be
resumed after its data has moved. `expand` gives what it was resolved to."""


def expand(text: str) -> str:
    """`text` with its variables replaced: a Location's as they were when the recipe was loaded.

    Raises UsageError on a variable that is unset and has no default.
    """
    if isinstance(text, _Resolved) and text.value is not None:
        return text.value
    return _expanded(text)


def _expanded(text: str) -> str:
    """`text` with `${VAR}` and `${VAR:-default}` replaced from the environment; an empty variable counts as unset.

    Raises UsageError on a variable that is unset and has no default.
    """

    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name is None:
            raise UsageError(f"{text!r} holds ${{ without a variable", do="write ${NAME} or ${NAME:-default}")
        filled = variable(name) or default
        if filled is None:
            raise UsageError(
                f"{text!r}: the environment variable {name} is not set",
                "it has no default in the recipe",
                f"set {name}, or write ${{{name}:-default}}",
            )
        return filled

    return _VARIABLE.sub(value, text)


def is_variable(text: str) -> bool:
    """Whether one variable is the whole text: `${NAME}` or `${NAME:-default}`."""
    return _VARIABLE.fullmatch(text) is not None


def local_path(model: str) -> str:
    """The path in a model string `local/PATH`, its variables replaced."""
    return expand(model.removeprefix("local/"))
