"""What a training changed: accuracy with intervals, paired differences, cured and broken problems, by difficulty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from math import ceil, floor

from errata.evals.compare import Size
from errata.evals.comparison import Difference
from errata.evals.comparison import Figure as ArmFigure
from errata.evals.pairing import Arm
from errata.report.charts import QUIET, SERIES, bars, dots, width_of
from errata.report.embedded_items import MOST_STUDENTS
from errata.report.eval_results import Results
from errata.report.figures import (
    Cell,
    Chart,
    Figure,
    Lines,
    Rows,
    Section,
    Table,
    chance,
    count,
    dollars,
    listed,
    named,
    pct,
)
from errata.report.sections import changes, samples

MOST_PAIRS = 28
"""Pairs of trained students that are shown one by one; of more, the best against each other one."""


def section(results: Results) -> Section:
    figures = [
        _accuracy(results),
        _against_untouched(results),
        _among_arms(results),
        _at_equal_size(results, "tokens"),
        _at_equal_size(results, "cost"),
        _sizes(results),
        *changes.figures(results),
        *samples.figures(results),
    ]
    evals, tasks = count(len(results.evals), "evaluation"), listed(results.tasks)
    lede = (
        f"{evals} of {count(len(results.arms), 'student')} on {tasks or 'one task'}, every one on the same items. "
        "Differences are paired; intervals are at 95 %."
    )
    notes = list(results.notes)
    if len(results.evals) > MOST_STUDENTS:
        notes.append(f"problem by problem, the first {MOST_STUDENTS} of {len(results.evals)} evaluations are shown")
    return Section("results", "Accuracy", lede, [each for each in figures if each], "items", notes)


# ---- accuracy --------------------------------------------------------------------------------------------------------


def _interval(figure: ArmFigure) -> str:
    low, high = figure.accuracy.low, figure.accuracy.high
    sure = f" ({100 * low:.1f} to {100 * high:.1f})" if low is not None and high is not None else ""
    return f"{pct(figure.accuracy.value, 1)}{sure}"


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
        "bootstrap": "bootstrap over items for shares",
        "hierarchical bootstrap": "bootstrap over seeds and items where there are three or more seeds",
        "none": "none where there are fewer than three seeds",
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


# ---- differences -----------------------------------------------------------------------------------------------------


def _points(value: float) -> str:
    return f"{100 * value + 0.0:+.1f}"  # no minus before nothing


def _gap(each: Difference, facing: str) -> tuple[float, float | None, float | None]:
    """The difference seen from `facing`'s side."""
    value, low, high = each.difference.value, each.difference.low, each.difference.high
    if each.arm == facing:
        return value, low, high
    return -value, None if high is None else -high, None if low is None else -low


def _against_untouched(results: Results) -> Figure | None:
    pairs = [(arm.name, base.name) for arm in results.arms if (base := results.untouched(arm))]
    if not pairs:
        return None
    return _differences(results, pairs, "the untouched student")


def _trained(results: Results) -> list[str]:
    return [arm.name for arm in results.arms if not arm.baseline]


def _trained_pairs(results: Results) -> list[tuple[str, str]]:
    """Every two trained students, the better one first."""
    return [
        (one, other) if _ahead(results, one, other) else (other, one)
        for one, other in combinations(_trained(results), 2)
    ]


def _among_arms(results: Results) -> Figure | None:
    trained, pairs = _trained(results), _trained_pairs(results)
    if not pairs:
        return None
    if len(pairs) > MOST_PAIRS:
        best = max(trained, key=lambda name: results.comparison.figure(name, results.tasks[0]).accuracy.value)
        pairs = [(best, other) for other in trained if other != best]
    return _differences(results, pairs, None)


def _at_equal_size(results: Results, size: Size) -> Figure | None:
    """Only those whose trainings were as large, where not all of them were: then they stand above already."""
    pairs = _trained_pairs(results)
    equal = [pair for pair in pairs if _equally(results.difference(*pair, results.tasks[0]), size)]
    if not equal or len(equal) == len(pairs):
        return None
    figure = _differences(results, equal[:MOST_PAIRS], None)
    if figure is None:
        return None
    part = f" {MOST_PAIRS} of {len(equal)} pairs." if len(equal) > MOST_PAIRS else ""
    what = {"tokens": "target tokens", "cost": "cost of the data"}[size]
    note = f"Only trainings with the same {what}, to within 5 %.{part} {figure.note}"
    return replace(figure, title=f"At equal {what}: {figure.title}", note=note)


def _equally(each: Difference | None, size: Size) -> bool:
    return each is not None and bool(each.equal_tokens if size == "tokens" else each.equal_cost)


def _ahead(results: Results, one: str, other: str) -> bool:
    task = results.tasks[0]
    figures = (results.comparison.figure(name, task).accuracy.value for name in (one, other))
    return next(figures) >= next(figures)


def _differences(results: Results, pairs: Sequence[tuple[str, str]], against: str | None) -> Figure | None:
    rows_by_task: dict[str, Rows] = {}
    table: Lines = []
    drawn: list[tuple[str, str, str, float, Difference]] = []
    for task in results.tasks:
        rows: Rows = []
        for arm, other in pairs:
            each = results.difference(arm, other, task)
            if each is None:
                continue
            value, low, high = _gap(each, arm)
            label = arm if against else f"{arm} \N{MINUS SIGN} {other}"
            sure = f" ({_points(low)} to {_points(high)})" if low is not None and high is not None else ""
            p = "no test" if each.p_holm is None else f"p {each.p_holm:.3g} after Holm"
            tooltip = f"{arm} against {other} on {named(task)}: {_points(value)} points{sure}, {p}"
            rows.append({
                "label": label,
                "series": "",
                "value": 100 * value,
                "low": None if low is None else 100 * low,
                "high": None if high is None else 100 * high,
                "tooltip": tooltip,
            })  # fmt: skip
            table.append(_difference_row(each, arm, other, value, low, high))
            drawn.append((arm, other, task, value, each))
        if rows:
            rows_by_task[task] = rows
    if not drawn:
        return None
    charts = _forest(rows_by_task)
    note = "The smallest difference shown is what such data would find with a power of 80 % at a two-sided 5 %."
    return Figure(_difference_title(drawn, against), Table(DIFFERENCE, table), charts, note, wide=len(charts) > 1)


def _forest(rows_by_task: dict[str, Rows]) -> list[Chart]:
    """A chart per task, all on one scale that holds 0."""
    rows = [row for rows in rows_by_task.values() for row in rows]
    known = [row["value"] if row[side] is None else row[side] for row in rows for side in ("low", "high")]
    domain = 5 * floor(min(0, *known) / 5), 5 * ceil(max(0, *known) / 5)
    domain = domain if domain[0] < domain[1] else (-5, 5)
    return [
        dots(rows, [""], form="+d", rule=0, title="points", domain=domain, width=width_of(len(rows_by_task))).named(
            named(task)
        )
        for task, rows in rows_by_task.items()
    ]


DIFFERENCE = (
    *("student", "against", "task", "items", "points", "95 % interval", "p", "p, Holm", "test"),
    *("only it right", "only the other right", "smallest difference shown", "said"),
)


def _difference_row(
    each: Difference, arm: str, other: str, value: float, low: float | None, high: float | None
) -> list[Cell]:
    facing = each.arm == arm
    verdict = each.verdict if facing else {"better": "worse", "worse": "better"}.get(each.verdict, each.verdict)
    return [
        arm, other, named(each.task), each.n, _points(value),
        f"{_points(low)} to {_points(high)}" if low is not None and high is not None else None,
        None if each.p is None else f"{each.p:.3g}", None if each.p_holm is None else f"{each.p_holm:.3g}", each.test,
        each.only_arm if facing else each.only_against, each.only_against if facing else each.only_arm,
        f"{100 * each.detectable:.1f}", verdict,
    ]  # fmt: skip


def _difference_title(drawn: Sequence[tuple[str, str, str, float, Difference]], against: str | None) -> str:
    clear = [each for each in drawn if each[4].verdict in ("better", "worse")]
    if not clear:
        arm, other, task, value, each = max(drawn, key=lambda one: abs(one[3]))
        if value and all(one[4].verdict == "too few seeds" for one in drawn):
            return f"Too few seeds for a test: {arm} against {other} {_points(value)} points on {named(task)}."
        could = f"{100 * each.detectable:.1f}"
        if not value:
            return f"No difference is shown: all are level, {could} points could have been shown."
        return f"No difference is shown: the largest is {_points(value)} points, {could} could have been shown."
    arm, other, task, value, each = max(clear, key=lambda one: abs(one[3]))
    way = "gains" if value > 0 else "loses"
    what = against or other
    sure = f"{chance(each.p_holm or 0)} after Holm"
    return f"{arm} {way} {abs(100 * value):.1f} points against {what} on {named(task)} ({sure})."


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
