"""The state all graphs share: one problem's story as it grows.

Every record is kept under its id, and merging is idempotent: a subgraph may hand back what it was given, and a later
record of the same id (a reviewed rationale) replaces the earlier one.
"""

from __future__ import annotations

from typing import Annotated, TypedDict, TypeVar

from errata.records import Call, Explanation, Outcome, Pair, Problem, Rationale
from errata.settings import Demonstration

R = TypeVar("R")


def merge(left: dict[str, R], right: dict[str, R]) -> dict[str, R]:
    """`left` with the records of `right` added or replaced; order of first appearance."""
    return {**left, **right}


class Story(TypedDict, total=False):
    """`demonstrations` are natural pairs of the run, offered by the runner; `outcome` is written by the last node."""

    problem: Problem
    demonstrations: tuple[Demonstration, ...]
    rationales: Annotated[dict[str, Rationale], merge]
    explanations: Annotated[dict[str, Explanation], merge]
    pairs: Annotated[dict[str, Pair], merge]
    calls: Annotated[dict[str, Call], merge]
    outcome: Outcome | None
