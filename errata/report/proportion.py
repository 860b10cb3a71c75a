"""A share with its interval, as sentences, tables and charts want it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from errata.evals.stats import Bounds, wilson
from errata.report.figures import pct


class Share:
    """`part` of `whole`, with Wilson's 95 % interval. Its value is None for a share of nothing."""

    def __init__(self, part: int, whole: int) -> None:
        self.part, self.whole = part, whole

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None

    @cached_property
    def bounds(self) -> Bounds:
        return wilson(self.part, self.whole)

    def text(self) -> str:
        """`97.2 % (96.1 to 98.0, n 712)`"""
        if not self.whole:
            return "none"
        low, high = self.bounds
        return f"{pct(self.value, 1)} ({100 * low:.1f} to {100 * high:.1f}, n {self.whole:,})"

    def row(self) -> dict[str, Any]:
        """value, low and high of a chart's row."""
        low, high = self.bounds if self.whole else (None, None)
        return {"value": self.value, "low": low, "high": high}
