"""What a report is made of: sections of figures; each figure has a sentence for a title, charts and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

Spec = dict[str, Any]


class Link(NamedTuple):
    """A cell that leads to a place in the page, or to a file beside it."""

    name: str
    href: str


Cell = str | int | float | Link | None
Rows = list[dict[str, Any]]
"""What a chart draws."""
Lines = list[list[Cell]]
"""What a table shows."""


@dataclass(frozen=True)
class Table:
    """The figure as numbers. The first column names the row."""

    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class Legend(NamedTuple):
    """One series: `form` is bar, a point's shape, or `line` and its dashes."""

    name: str
    tone: str
    form: str


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite specification. `caption` tells it from its neighbours where a figure has several."""

    spec: Spec
    caption: str = ""
    legend: Sequence[Legend] = ()

    def named(self, caption: str) -> Chart:
        return replace(self, caption=caption)


@dataclass(frozen=True)
class Source:
    """A link to the entries that a mark counts. `view` is `items` or `transcripts`, `chosen` its filters' values."""

    name: str
    view: str
    chosen: Mapping[str, str]

    @property
    def address(self) -> str:
        return f"#{self.view}?{urlencode(self.chosen)}"


@dataclass(frozen=True)
class Figure:
    """`title` says in a sentence what is seen; `note` how it was counted."""

    title: str
    table: Table
    charts: Sequence[Chart] = ()
    note: str = ""
    wide: bool = False
    """Spans the page."""
    sources: Sequence[Source] = ()

    @property
    def legend(self) -> list[Legend]:
        """What all charts' series are; empty where their series differ, so that each tells its own."""
        legends = [list(chart.legend) for chart in self.charts]
        return legends[0] if legends and all(each == legends[0] for each in legends) else []


@dataclass(frozen=True)
class Section:
    """`view` names the interactive part below the figures."""

    id: str
    name: str
    lede: str
    figures: Sequence[Figure] = ()
    view: str = ""
    notes: Sequence[str] = field(default_factory=tuple)


# ---- words -----------------------------------------------------------------------------------------------------------


def pct(share: float | None, digits: int = 0) -> str:
    """A share as percent for a sentence; never rounded to all or nothing."""
    if share is None:
        return "none"
    text = f"{100 * share:.{digits}f}"
    if digits == 0 and 0 < share < 1 and text in ("0", "100"):
        text = f"{100 * share:.1f}"
    return f"{text}\N{NO-BREAK SPACE}%"


def named(task: str) -> str:
    """A task for people; it is empty where another tool's results name none."""
    return task or "all items"


def at(name: str, value: object) -> str:
    """A level or subject for a sentence: `level 3`, but `Level 3` where the value says it itself."""
    return str(value) if str(value).lower().startswith(name) else f"{name} {value}"


def count(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(words: Sequence[str]) -> str:
    """a, b and c"""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def chance(p: float) -> str:
    """A p value for a sentence."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def dollars(usd: float) -> str:
    """Dollars with the digits that small sums need."""
    if usd == 0 or usd >= 1:
        return f"${usd:,.2f}"
    return f"${usd:.4f}" if usd >= 0.0001 else f"${usd:.2g}"
