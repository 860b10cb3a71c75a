"""An estimate as tables, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from errata.graphs.call_counts import RATES
from errata.runs.progress import duration, money
from errata.runs.tables import percent, table
from errata.runs.tables import show as print_


def show(result: dict[str, Any]) -> None:
    """Prints the estimate."""
    title = f"{result['recipe']}: {result['problems']:,} problems through {result['pipeline']}"
    headings = (
        *("least calls", "expected calls", "most calls", "expected tokens", "most tokens"),
        *("expected dollars", "most dollars"),
    )
    by_stage = [(name, *_cells(row)) for name, row in result["stages"].items()]
    sums = [("total", *_cells(result))]
    if result["run"]["settled"]:
        sums.append((f"left: {result['left']['problems']:,} problems", *_cells(result["left"])))
    by_agent = [(name, *_cells(row)) for name, row in result["agents"].items()]
    parts: list[Any] = [
        table(title, ("stage", *headings), [*by_stage, *sums]),
        table("By agent", ("agent", *headings), by_agent),
    ]
    if result["pilot"]:
        parts.append(_pilot(result["pilot"]["replies"]))
    if result["left"]["duration_s"] is not None:
        parts.append(Text(f"expected to take {duration(result['left']['duration_s'])}, at the pilot's time per call"))
    if result["assumptions"]:
        rates = (f"{name}={value}" for name, value in result["assumptions"].items() if name in RATES)
        parts.append(Text("assumed: " + " ".join(rates)))
    if result["fresh_tries_at_most"]:
        parts.append(Text(f"fresh tries for unreadable replies: at most {result['fresh_tries_at_most']:,} calls more"))
    parts += [Text(f"note: {note}") for note in result["notes"]]
    print_(parts)


def _pilot(replies: Sequence[Mapping[str, Any]]) -> Any:
    headings = ("agent", "stage", "verb", "replies", "unreadable", "cut off", "fresh tries", "tokens each", "s each")
    rows = (
        (
            *(row[key] for key in headings[:4]),
            *(percent(row[key] / row["replies"]) for key in ("unreadable", "cut_off", "fresh_tries")),
            f"{row['tokens_per_call']:,.0f}",
            None if row["seconds_per_call"] is None else f"{row['seconds_per_call']:.1f}",
        )
        for row in replies
    )
    return table("Measured by the pilot", headings, rows)


def _cells(row: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    numbers = [f"{round(row['calls'][name] or 0):,}" for name in ("least", "expected", "most")]
    numbers += [_short(row["tokens"][name] or 0) for name in ("expected", "most")]
    return numbers + [money(row["cost_usd"][name]) for name in ("expected", "most")]


def _short(number: float) -> str:
    if number < 10_000:
        return f"{round(number):,}"
    return f"{number / 1e6:,.1f} M" if number >= 1e6 else f"{number / 1e3:,.0f} k"
