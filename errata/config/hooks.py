"""A guard for internals of libraries that errata relies on: it checks that they are there before they are used."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from errata.errors import UsageError


def check_hooks(package: str, owner: Any, hooks: Mapping[str, tuple[str, ...]]) -> None:
    """Checks what errata overrides, calls or reads of a library beyond its public interface.

    Without it a method that a new version renames is simply not called any more, and nothing says so.

    Args:
        package: the distribution as pip calls it.
        owner: the class or module that must have the hooks.
        hooks: name -> the parameters that errata gives or takes by name; empty for what is no function.

    Raises UsageError with the package, its version and what is missing.
    """
    missing = [text for name, parameters in hooks.items() if (text := _missing(owner, name, parameters))]
    if missing:
        raise UsageError(
            f"{package} {version(package)}: {owner.__name__} has no {', no '.join(missing)}",
            "errata relies on it, and the installed version is another than those it was tested with",
            "install the versions that errata was tested with: pip install -c constraints.txt errata",
        )


def _missing(owner: Any, name: str, parameters: tuple[str, ...]) -> str:
    """What of one hook is not there, in words; empty where all of it is."""
    hook = getattr(owner, name, None)
    if hook is None:
        return name
    lacking = [each for each in parameters if each not in inspect.signature(hook).parameters]
    return f"{name}({', '.join(lacking)})" if lacking else ""
