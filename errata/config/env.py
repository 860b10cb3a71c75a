"""`${VAR}` and `${VAR:-default}` in the texts of a recipe, filled in from the environment."""

from __future__ import annotations

import os
import re

from errata.errors import UsageError

_VARIABLE = re.compile(r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")


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
