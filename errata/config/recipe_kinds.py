"""Which verb a recipe is for, by its keys: so that one in another verb's place is called by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from errata.errors import UsageError

KEYS = {
    "study": {"arms", "students"},
    "school": {"student", "choose", "judge"},
    "eval": {"baseline", "tasks"},
    "train": {"dataset_name", "output_dir"},
    "synth": {"problems", "agents"},
}
"""Per verb, what no recipe of another verb has together."""


def verb_of(data: Mapping[str, Any]) -> str | None:
    """The verb whose recipe the keys are; None where they are of none."""
    return next((verb for verb, keys in KEYS.items() if keys <= data.keys()), None)


def refuse_other_verb(data: Mapping[str, Any], verb: str, where: str) -> None:
    """Raises UsageError for a recipe that is plainly another verb's."""
    other = verb_of(data)
    if other is not None and other != verb:
        do = f"errata train METHOD --config {where}" if other == "train" else f"errata {other} {where}"
        keys = ", ".join(sorted(KEYS[other]))
        raise UsageError(f"{where} is a recipe of `errata {other}`", f"it has {keys}", f"run {do}")
