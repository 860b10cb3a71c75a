"""What has to be known beside a claim's verdict: what arm and control did not have alike, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from errata.runs.progress import money
from errata.studies.results import unequal

NAMES = {
    "teacher_tokens": "teacher tokens",
    "target_tokens": "target tokens",
    "rows": "rows",
    "trained_weights": "trained weights",
    "cost_usd": "cost of the data",
    "steps": "steps",
}
"""The quantities in words."""


def remarks(row: Mapping[str, Any]) -> Iterator[str]:
    """Of one claim of study.json: `rows differ, 780 against 299`."""
    if names := unequal(row):
        yield f"not equal as they should be: {', '.join(NAMES[name] for name in names)}"
    for name, (arm, control) in row["differs"].items():
        amount = money if name == "cost_usd" else size
        yield f"{NAMES[name]} differ{'s' * (name == 'cost_usd')}, {amount(arm)} against {amount(control)}"


def otherwise(row: Mapping[str, Any]) -> str:
    """What follows a claim's verdict where its source says another."""
    return " (the source says otherwise)" if row["as_claimed"] is False else ""


def size(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
