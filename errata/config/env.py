"""`${VAR}` and `${VAR:-default}` in the texts of a recipe, filled in from the environment."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer

from errata.errors import UsageError

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
        filled = os.environ.get(name) or default
        if filled is None:
            raise UsageError(
                f"{text!r}: the environment variable {name} is not set",
                "it has no default in the recipe",
                f"set {name}, or write ${{{name}:-default}}",
            )
        return filled

    return _VARIABLE.sub(value, text)


def local_path(model: str) -> str:
    """The path in a model string `local/PATH`, its variables replaced."""
    return expand(model.removeprefix("local/"))
