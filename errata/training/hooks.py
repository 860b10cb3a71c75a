"""Methods of transformers and TRL that errata overrides or calls though they are private.

A renamed hook would be overridden no more, and the denominators of a loss would be wrong without an error; so every
trainer says at its start which it relies on.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

from errata.errors import ErrataError

Hooks = Mapping[str, Sequence[str]]
"""The parameters, beside self, of each method by its name."""


def check_hooks(parent: type, hooks: Hooks) -> None:
    """Raises ErrataError where a library's class lacks a method that errata relies on, or its parameters."""
    for name, parameters in hooks.items():
        method = getattr(parent, name, None)
        names = list(inspect.signature(method).parameters)[1:] if callable(method) else None
        if names != list(parameters):
            what = f"has no method {name}" if names is None else f"has {name}({', '.join(names)})"
            raise _other(parent, what, f"{name}({', '.join(parameters)})")


def check_attributes(trainer: object, parent: type, names: Sequence[str]) -> None:
    """Raises ErrataError where a trainer lacks an attribute that its library's class gave it."""
    for name in names:
        if not hasattr(trainer, name):
            raise _other(parent, f"gives no {name}", name)


def _other(parent: type, what: str, expected: str) -> ErrataError:
    package = parent.__module__.partition(".")[0]
    return ErrataError(
        f"{package}'s {parent.__name__} {what}",
        f"errata relies on {expected}: without it the losses would be wrong",
        f"install the version of {package} that errata's pyproject.toml names: pip install 'errata[train]'",
    )
