"""What a training changed: accuracy with intervals, paired differences, cured and broken problems, by difficulty."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

from errata.evals.comparison import Figure as ArmFigure
from errata.evals.pairing import Arm
from errata.report.charts import QUIET, SERIES, bars, dots, width_of
from errata.report.embedded_items import MOST_STUDENTS
from errata.report.eval_results import Results
from errata.report.figures import (
    Chart,
    Figure,
    Lines,
    Rows,
    Section,
    Table,
    count,
    dollars,
    listed,
    named,
    pct,
)
from errata.report.sections import changes, differences, samples


def section(results: Results) -> Section:
    figures = [
        _accuracy(results),
        *differences.figures(results),
        _sizes(results),
        *changes.figures(results),
        *samples.figures(results),
    ]
    evals, tasks = count(len(results.evals), "evaluation"), listed(results.tasks)
    named_before = "Claims were named before and are corrected for one another; all else is exploratory."
    lede = (
        f"{evals} of {count(len(results.arms), 'student')} on {tasks or 'one task'}, {_which_items(results)}. "
        f"Differences are paired. {named_before if results.comparison.claims else 'All of them are exploratory.'}"
    )
    notes = list(results.notes)
    if len(results.evals) > MOST_STUDENTS:
        notes.append(f"problem by problem, the first {MOST_STUDENTS} of {len(results.evals)} evaluations are shown")
    return Section("results", "Accuracy", lede, [each for each in figures if each], "items", notes)


def _which_items(results: Results) -> str:
    nested = any(each.design == "nested" for each in results.comparison.differences)
    return "each seed on items of its own, every student on the same" if nested else "every one on the same items"


# ---- accuracy --------------------------------------------------------------------------------------------------------


def _interval(figure: ArmFigure) -> str:
    low, high = figure.accuracy.low, figure.accuracy.high
    return f"{pct(figure.accuracy.value, 1)} ({100 * low:.1f} to {100 * high:.1f})"


def _accuracy(results: Results) -> Figure:
    comparison = results.comparison
    rows_by_task: dict[str, Rows] = {}
    table: Lines = []
    for task in results.tasks:
        rows: Rows = []
        for arm in results.arms:
            figure = comparison.figure(arm.name, task)
            seeds = ", ".join(f"{pct(value, 1)}" for _, value in figure.by_seed)
            tooltip = f"{arm.name} on {named(task)}: {_interval(figure)}, {figure.n:,} items"
            rows.append({
                "label": arm.name,
                "series": "untouched" if arm.baseline else "trained",
                "value": figure.accuracy.value,
                "low": figure.accuracy.low,
                "high": figure.accuracy.high,
                "tooltip": f"{tooltip}; by seed {seeds}" if seeds else tooltip,
            })  # fmt: skip
            table.append(
                [arm.name, named(task), figure.split, figure.n, _interval(figure), seeds or None, figure.truncated]
            )
        rows_by_task[task] = rows
    headings = ("student", "task", "split", "items", "accuracy", "by seed", "cut off")
    charts = _ranked(rows_by_task)
    return Figure(_accuracy_title(results), Table(headings, table), charts, _method_note(results), wide=len(charts) > 1)


def _ranked(rows_by_task: dict[str, Rows]) -> list[Chart]:
    """A chart per task, all on one scale."""
    rows = [row for rows in rows_by_task.values() for row in rows]
    known = [row["value"] if row[side] is None else row[side] for row in rows for side in ("low", "high")]
    domain = max(0.0, floor(10 * min(known)) / 10), min(1.0, ceil(10 * max(known)) / 10)
    series = [name for name in ("trained", "untouched") if any(row["series"] == name for row in rows)]
    tones = [{"trained": SERIES[0], "untouched": QUIET}[name] for name in series]
    return [
        dots(rows, series, tones=tones, domain=domain, apart=False, width=width_of(len(rows_by_task))).named(
            named(task)
        )
        for task, rows in rows_by_task.items()
    ]


def _method_note(results: Results) -> str:
    methods = {figure.accuracy.method for figure in results.comparison.figures}
    words = {
        "wilson": "Wilson for one answer per item",
        "t over items": "Student's t over items for shares",
        "seeds x items": "analysis of variance over seeds and items where several seeds share the items",
        "t over seeds": "Student's t over seeds where each has items of its own",
    }
    return f"Intervals: {'; '.join(words[name] for name in words if name in methods)}."


def _best(results: Results, task: str) -> ArmFigure:
    figures = [results.comparison.figure(arm.name, task) for arm in results.arms]
    return max(figures, key=lambda each: each.accuracy.value)


def _accuracy_title(results: Results) -> str:
    task = results.tasks[0]
    best = _best(results, task)
    base = next((arm for arm in results.arms if arm.baseline), None)
    of = f"{pct(best.accuracy.value)} of {named(task)}"
    if len(results.arms) > 1 and all(
        results.comparison.figure(arm.name, task).accuracy.value == best.accuracy.value for arm in results.arms
    ):
        return f"Every student is right on {of}."
    if base is None or base.name == best.arm:
        return f"{best.arm} is right on {of}" + (", more than any other student." if len(results.arms) > 1 else ".")
    untouched = results.comparison.figure(base.name, task).accuracy.value
    return f"{best.arm} is right on {of}, the untouched student on {pct(untouched)}."


# ---- what it took ----------------------------------------------------------------------------------------------------


def _sizes(results: Results) -> Figure | None:
    trained = [arm for arm in results.arms if arm.target_tokens is not None]
    if not trained:
        return None
    task = results.tasks[0]
    rows: Rows = []
    for arm in trained:
        size = f"{arm.target_tokens:,.0f}"
        tooltip = f"{arm.name}: {size} target tokens"
        rows.append({"label": arm.name, "value": arm.target_tokens, "text": size, "tooltip": tooltip})
    table: Lines = []
    for arm in trained:
        accuracy = _interval(results.comparison.figure(arm.name, task))
        cost = None if arm.cost_usd is None else dollars(arm.cost_usd)
        table.append([arm.name, round(arm.target_tokens or 0), cost, accuracy, *_equals(results, arm)])
    measured = f"accuracy on {named(task)}"
    headings = ("student", "target tokens", "cost of the data", measured, "as many tokens as", "as costly as")
    return Figure(_sizes_title(trained), Table(headings, table), [bars(rows)], "Tokens learned from, over all epochs.")


def _sizes_title(trained: Sequence[Arm]) -> str:
    sizes = [arm.target_tokens or 0.0 for arm in trained]
    if len(trained) == 1:
        return f"{trained[0].name} learned from {sizes[0]:,.0f} target tokens."
    if max(sizes) - min(sizes) <= 0.05 * max(sizes):
        return "The trainings saw as many target tokens, to within 5 %: accuracies compare at equal tokens."
    return f"The trainings saw {min(sizes):,.0f} to {max(sizes):,.0f} target tokens: not a comparison at equal tokens."


def _equals(results: Results, arm: Arm) -> tuple[str, str]:
    """The students whose training had as many tokens, and whose data cost as much, to within 5 %."""
    tokens, cost = set(), set()
    for each in results.comparison.differences:
        if arm.name in (each.arm, each.against):
            other = each.against if each.arm == arm.name else each.arm
            tokens |= {other} if each.equal_tokens else set()
            cost |= {other} if each.equal_cost else set()
    return listed(sorted(tokens)) or "none", listed(sorted(cost)) or "none"
