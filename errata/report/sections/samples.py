"""What several samples give, and whether the key steps of dual pairs are done: from the evals' own summaries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from errata.report.charts import dots, width_of
from errata.report.eval_results import Results
from errata.report.figures import Cell, Chart, Figure, Lines, Rows, Table, named, pct

Interval = Mapping[str, float]


def figures(results: Results) -> list[Figure]:
    return [each for each in (_votes(results), _key_steps(results)) if each]


def _percent(interval: Interval) -> str:
    return f"{pct(interval['value'], 1)} ({100 * interval['low']:.1f} to {100 * interval['high']:.1f})"


def _row(label: str, series: str, interval: Interval) -> dict[str, Any]:
    bounds = {key: interval[key] for key in ("value", "low", "high")}
    return {"label": label, "series": series, **bounds, "tooltip": f"{label}, {series}: {_percent(interval)}"}


# ---- votes -----------------------------------------------------------------------------------------------------------


def _votes(results: Results) -> Figure | None:
    """pass@1 beside every way to use all samples; smaller numbers of samples stand in the table."""
    charts: list[Chart] = []
    table: Lines = []
    gains: dict[tuple[str, str], tuple[float, float, int]] = {}
    for task in results.tasks:
        rows: Rows = []
        for each in results.evals:
            label = results.label(each)
            intervals = {k: v for k, v in each.summary.get("tasks", {}).get(task, {}).items() if "@" in k}
            table += [[label, named(task), name, _percent(interval)] for name, interval in intervals.items()]
            largest = _largest(intervals)
            rows += [_row(label, _plain(name), intervals[name]) for name in largest]
            if vote := next((name for name in largest if name.startswith("maj@")), None):
                gains[label, task] = intervals["pass@1"]["value"], intervals[vote]["value"], _size(vote)
        if rows:
            series = list(dict.fromkeys(row["series"] for row in rows))
            charts.append(dots(rows, series, width=width_of(len(results.tasks))).named(named(task)))
    if not charts or not gains:
        return None
    (name, task), (before, after, k) = max(gains.items(), key=lambda item: item[1][1] - item[1][0])
    where = f" on {named(task)}, more than any other" if len(gains) > 1 and after > before else ""
    title = f"A vote of {k} samples moves {name} from {pct(before)} to {pct(after)}{where}."
    if pct(after) == pct(before):
        title = f"A vote of {k} samples leaves {name} at {pct(before)} on {named(task)}."
    note = (
        "One sample: the mean over all samples. Vote: the most frequent answer, or weighted by a ranker's scores. "
        "Any: at least one sample is right. Bootstrap intervals over items."
    )
    return Figure(title, Table(("eval", "task", "figure", "value"), table), charts, note, wide=len(charts) > 1)


def _size(name: str) -> int:
    return int(name.rsplit("@", 1)[1])


def _largest(intervals: Mapping[str, Any]) -> list[str]:
    """pass@1, and of every other figure the one over most samples."""
    most: dict[str, str] = {}
    for name in intervals:
        kind = name.rsplit("@", 1)[0]
        if name != "pass@1" and (kind not in most or _size(name) > _size(most[kind])):
            most[kind] = name
    kinds = sorted(most, key=lambda kind: (kind == "pass", kind != "maj", kind))
    return [name for name in ("pass@1", *(most[kind] for kind in kinds)) if name in intervals]


def _plain(name: str) -> str:
    kind, k = name.rsplit("@", 1)
    if name == "pass@1":
        return "one sample"
    if weighting := re.fullmatch(r"asc\[(.+)\]", kind):
        return f"vote of {k}, weighted by {weighting[1]}"
    if own := re.fullmatch(r"vote\[(.+)\]", kind):
        return f"vote of {k} by {own[1]}"
    return f"vote of {k}" if kind == "maj" else f"any of {k}"


# ---- key steps -------------------------------------------------------------------------------------------------------


def _key_steps(results: Results) -> Figure | None:
    by_eval = {results.label(each): each.summary.get("key_steps") or {} for each in results.evals}
    done: Rows = []
    prefers: Rows = []
    table: Lines = []
    for name, figures in by_eval.items():
        likelihood = figures.get("likelihood") or {}
        line: list[Cell] = [name, figures.get("pairs")]
        for rows, series, interval in (
            (done, "key steps done", figures.get("done")),
            (prefers, "right key steps likelier", likelihood.get("prefers_right")),
        ):
            line.append(_percent(interval) if interval else None)
            rows += [_row(name, series, interval)] if interval else []
        nats = [likelihood.get(key) for key in ("key_right_nll", "key_wrong_nll")]
        table.append([*line, *(None if one is None else f"{one['value']:.3f}" for one in nats)])
    drawn = [(rows, caption) for rows, caption in ((done, "key steps done"), (prefers, "right side likelier")) if rows]
    if not drawn:
        return None
    first = drawn[0][0]
    best, worst = max(first, key=lambda row: row["value"]), min(first, key=lambda row: row["value"])
    what = "does" if first is done else "finds the right side likelier on"
    of = "of the key steps" if first is done else "of the pairs"
    title = f"{best['label']} {what} {pct(best['value'])} {of}"
    if len(first) > 1 and best["value"] == worst["value"]:
        title = f"No eval {'does' if first is done else 'finds'} more than another: {pct(best['value'])} {of}"
    title += f", {worst['label']} {pct(worst['value'])}." if best["value"] > worst["value"] else "."
    headings = ("eval", "pairs", "key steps done", "right likelier", "nats per key token, right", "nats, wrong")
    note = (
        "Key steps are those of the right side of a dual pair that its wrong side does not have. Done: in the "
        "student's own answers to the pairs' problems. Likelier: teacher-forced, the key tokens of the right side "
        "against those of the wrong one."
    )
    charts = [dots(rows, [rows[0]["series"]]).named(caption) for rows, caption in drawn]
    return Figure(title, Table(headings, table), charts, note, wide=len(charts) > 1)
