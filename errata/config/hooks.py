"""A guard for internals of libraries that errata relies on: it checks that they are there before they are used.

A method that a new version renames would otherwise be overridden or called no more, and nothing would say so: the
denominators of a loss, for one, would be wrong without an error.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from errata.errors import UsageError

Hooks = Mapping[str, Sequence[str]]
"""The parameters, beside self, of each method by its name; empty for what is no method."""


def check_hooks(owner: Any, hooks: Hooks, *, exact: bool = False) -> None:
    """Checks what errata overrides, calls or reads of a library beyond its public interface.

    Args:
        owner: the class or module that must have the hooks.
        hooks: the parameters that errata gives or takes by name.
        exact: a method has these parameters and no others, as one that errata overrides must.

    Raises UsageError with the package, its version and what is missing or other than expected.
    """
    differences = [text for name, parameters in hooks.items() if (text := _difference(owner, name, parameters, exact))]
    if differences:
        raise _unfit(owner, f"has {', '.join(differences)}")


def check_attributes(value: object, parent: type, names: Sequence[str]) -> None:
    """Raises UsageError where an object lacks an attribute that its library's class gave it."""
    missing = [f"gives no {name}" for name in names if not hasattr(value, name)]
    if missing:
        raise _unfit(parent, ", ".join(missing))


def _difference(owner: Any, name: str, parameters: Sequence[str], exact: bool) -> str:
    """How one hook differs from what errata relies on, in words; empty where it does not."""
    hook = getattr(owner, name, None)
    if hook is None:
        return f"no {name}"
    if not callable(hook):
        return ""
    there = list(inspect.signature(hook).parameters)
    if exact:
        return "" if there[1:] == list(parameters) else f"{name}({', '.join(there[1:])})"
    lacking = [each for each in parameters if each not in there]
    return f"no {name}({', '.join(lacking)})" if lacking else ""


def _unfit(owner: Any, what: str) -> UsageError:
    module = owner.__module__ if isinstance(owner, type) else owner.__name__
    package = module.partition(".")[0].replace("_", "-")
    return UsageError(
        f"{package} {version(package)}: {owner.__name__} {what}",
        "errata relies on it, and the installed version is another than those it was tested with",
        f"install the version of {package} that errata was tested with: pip install -c constraints.txt errata",
    )
