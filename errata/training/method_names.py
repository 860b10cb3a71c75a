"""Names of training methods. Importing this loads no library of training."""

from __future__ import annotations

from collections.abc import Collection

from errata.config.code import is_reference
from errata.errors import UsageError, did_you_mean


def refuse_unknown(name: str, names: Collection[str], what: str = "method") -> None:
    """Raises UsageError, with the nearest name, for what is neither one of the names nor `my_method.py:METHOD`."""
    if name.replace("_", "-") in names or is_reference(name):
        return
    raise UsageError(
        f"no {what} is called {name}",
        f"known are {', '.join(names)}; one's own is written my_method.py:METHOD",
        did_you_mean(name, names, "name one of them"),
    )
