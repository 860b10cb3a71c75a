"""What the training bought: accuracy with intervals, paired differences, cured and broken problems, by difficulty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from errata.evals.arms import Arm
from errata.evals.compare import Difference
from errata.evals.compare import Figure as Told
from errata.evals.items import Item
from errata.evals.report.account import difficulty
from errata.evals.report.charts import QUIET, RIGHT, SERIES, WRONG, bars, dots, lines, stacked
from errata.evals.report.figures import Cell, Chart, Figure, Section, Table, chance, count, dollars, listed, pct
from errata.evals.report.results import Results
from errata.evals.report.shares import Share

MOST_VALUES = 12
"""Steps, levels or subjects that a chart shows; beyond, the table has them."""
MOST_ARMS = 8


def section(results: Results) -> Section:
    figures = [
        _accuracy(results),
        _against_untouched(results),
        _among_arms(results),
        _sizes(results),
        _changed(results),
        _kinds(results),
        *_by_difficulty(results),
        _answers(results),
    ]
    evals, tasks = count(len(results.evals), "evaluation"), listed(results.tasks)
    lede = (
        f"{evals} of {count(len(results.arms), 'student')} on {tasks or 'one task'}, every one on the same items. "
        "Differences are paired; intervals are at 95 %."
    )
    return Section("results", "What it bought", lede, [each for each in figures if each], "items", results.notes)


def _named(task: str) -> str:
    return task or "all items"


# ---- accuracy --------------------------------------------------------------------------------------------------------


def _interval(told: Told) -> str:
    low, high = told.accuracy.low, told.accuracy.high
    sure = f" ({100 * low:.1f} to {100 * high:.1f})" if low is not None and high is not None else ""
    return f"{pct(told.accuracy.value, 1)}{sure}"


def _accuracy(results: Results) -> Figure:
    comparison = results.comparison
    charts, table = [], []
    for task in results.tasks:
        rows: list[dict[str, Any]] = []
        for arm in results.arms:
            told = comparison.figure(arm.name, task)
            seeds = ", ".join(f"{pct(value, 1)}" for _, value in told.by_seed)
            rows.append({
                "label": arm.name, "series": "untouched" if arm.baseline else "trained",
                "value": told.accuracy.value, "low": told.accuracy.low, "high": told.accuracy.high,
                "told": f"{arm.name} on {_named(task)}: {_interval(told)}, {told.n:,} items" + (f"; by seed {seeds}" if seeds else ""),
            })  # fmt: skip
            table.append([arm.name, _named(task), told.split, told.n, _interval(told), seeds or None, told.truncated])
        charts.append(_ranked(rows).named(_named(task)))
    headings = ("student", "task", "split", "items", "accuracy", "by seed", "cut off")
    return Figure(_accuracy_title(results), Table(headings, table), charts, _method_note(results), wide=len(charts) > 1)


def _ranked(rows: list[dict[str, Any]]) -> Chart:
    known = [row["low"] if row["low"] is not None else row["value"] for row in rows]
    tops = [row["high"] if row["high"] is not None else row["value"] for row in rows]
    low, high = max(0.0, int(min(known) * 10) / 10), min(1.0, (int(max(tops) * 10) + 1) / 10)
    series = [name for name in ("trained", "untouched") if any(row["series"] == name for row in rows)]
    tones = [{"trained": SERIES[0], "untouched": QUIET}[name] for name in series]
    return dots(rows, series, tones=tones, domain=(low, high), apart=False)


def _method_note(results: Results) -> str:
    methods = {figure.accuracy.method for figure in results.comparison.figures}
    told = {
        "wilson": "Wilson for one answer an item",
        "bootstrap": "bootstrap over items for shares",
        "hierarchical bootstrap": "bootstrap over seeds and items where there are three or more seeds",
        "none": "none where there are fewer than three seeds",
    }
    return f"Intervals: {'; '.join(told[name] for name in told if name in methods)}."


def _best(results: Results, task: str) -> Told:
    return max((results.comparison.figure(arm.name, task) for arm in results.arms), key=lambda each: each.accuracy.value)


def _accuracy_title(results: Results) -> str:
    task = results.tasks[0]
    best = _best(results, task)
    base = next((arm for arm in results.arms if arm.baseline), None)
    of = f"{pct(best.accuracy.value)} of {_named(task)}"
    if base is None or base.name == best.arm:
        return f"{best.arm} is right on {of}" + (", more than any other student." if len(results.arms) > 1 else ".")
    return f"{best.arm} is right on {of}, the untouched student on {pct(results.comparison.figure(base.name, task).accuracy.value)}."


# ---- differences -----------------------------------------------------------------------------------------------------


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


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


def _among_arms(results: Results) -> Figure | None:
    trained = [arm.name for arm in results.arms if not arm.baseline]
    pairs = [
        (one, other) if _ahead(results, one, other) else (other, one)
        for place, one in enumerate(trained)
        for other in trained[place + 1 :]
    ]
    if not pairs or len(pairs) > 30:
        return None
    return _differences(results, pairs, None)


def _ahead(results: Results, one: str, other: str) -> bool:
    task = results.tasks[0]
    figures = (results.comparison.figure(name, task).accuracy.value for name in (one, other))
    return next(figures) >= next(figures)


def _differences(results: Results, pairs: Sequence[tuple[str, str]], against: str | None) -> Figure | None:
    charts, table, found = [], [], []
    for task in results.tasks:
        rows = []
        for arm, other in pairs:
            each = results.difference(arm, other, task)
            if each is None:
                continue
            value, low, high = _gap(each, arm)
            label = arm if against else f"{arm} \N{MINUS SIGN} {other}"
            sure = f" ({_points(low)} to {_points(high)})" if low is not None and high is not None else ""
            p = "no test" if each.p_holm is None else f"p {each.p_holm:.3g} after Holm"
            said = f"{arm} against {other} on {_named(task)}: {_points(value)} points{sure}, {p}"
            rows.append({"label": label, "series": "", "value": 100 * value, "low": None if low is None else 100 * low, "high": None if high is None else 100 * high, "told": said})  # fmt: skip
            table.append(_difference_row(each, arm, other, value, low, high))
            found.append((arm, other, task, value, each))
        if rows:
            charts.append(dots(rows, [""], form="+d", rule=0, title="points").named(_named(task)))
    if not charts:
        return None
    headings = ("student", "against", "task", "items", "points", "95 % interval", "p", "p, Holm", "test", "only it right", "only the other right", "smallest difference shown", "said")  # fmt: skip
    note = "The smallest difference shown is what such data would find with a power of 80 % at a two-sided 5 %."
    return Figure(_difference_title(found, against), Table(headings, table), charts, note, wide=len(charts) > 1)


def _difference_row(
    each: Difference, arm: str, other: str, value: float, low: float | None, high: float | None
) -> list[Cell]:
    facing = each.arm == arm
    verdict = each.verdict if facing else {"better": "worse", "worse": "better"}.get(each.verdict, each.verdict)
    return [
        arm, other, _named(each.task), each.n, _points(value),
        f"{_points(low)} to {_points(high)}" if low is not None and high is not None else None,
        None if each.p is None else f"{each.p:.3g}", None if each.p_holm is None else f"{each.p_holm:.3g}", each.test,
        each.only_arm if facing else each.only_against, each.only_against if facing else each.only_arm,
        f"{100 * each.detectable:.1f}", verdict,
    ]  # fmt: skip


def _difference_title(found: Sequence[tuple[str, str, str, float, Difference]], against: str | None) -> str:
    clear = [each for each in found if each[4].verdict in ("better", "worse")]
    if not clear:
        arm, other, task, value, each = max(found, key=lambda one: abs(one[3]))
        if all(one[4].verdict == "too few seeds" for one in found):
            return f"Too few seeds for a test: {arm} against {other} {_points(value)} points on {_named(task)}."
        return (
            f"No difference is shown; the largest is {_points(value)} points, and {100 * each.detectable:.1f} could have been."
        )
    arm, other, task, value, each = max(clear, key=lambda one: abs(one[3]))
    way = "gains" if value > 0 else "loses"
    what = against or other
    return f"{arm} {way} {abs(100 * value):.1f} points against {what} on {_named(task)} ({chance(each.p_holm or 0)} after Holm)."


# ---- what it took ----------------------------------------------------------------------------------------------------


def _sizes(results: Results) -> Figure | None:
    trained = [arm for arm in results.arms if arm.target_tokens is not None]
    if not trained:
        return None
    task = results.tasks[0]
    rows = [
        {"label": arm.name, "value": arm.target_tokens, "shown": f"{arm.target_tokens:,.0f}", "told": f"{arm.name}: {arm.target_tokens:,.0f} target tokens"}
        for arm in trained
    ]  # fmt: skip
    table: list[list[Cell]] = []
    for arm in trained:
        told = results.comparison.figure(arm.name, task)
        cost = None if arm.cost_usd is None else dollars(arm.cost_usd)
        table.append([arm.name, round(arm.target_tokens or 0), cost, _interval(told), _equals(results, arm)])
    sizes = [arm.target_tokens or 0.0 for arm in trained]
    alike = max(sizes) - min(sizes) <= 0.05 * max(sizes)
    title = (
        f"All {len(trained)} trainings saw as many target tokens, to within 5 %: accuracies compare at equal tokens."
        if alike and len(trained) > 1
        else f"Trainings saw {min(sizes):,.0f} to {max(sizes):,.0f} target tokens: accuracies do not compare at equal tokens."
        if len(trained) > 1
        else f"{trained[0].name} learned from {sizes[0]:,.0f} target tokens."
    )
    headings = ("student", "target tokens", "cost of the data", f"accuracy on {_named(task)}", "as many tokens as")
    return Figure(title, Table(headings, table), [bars(rows)], "Tokens learned from, over all epochs.")


def _equals(results: Results, arm: Arm) -> str:
    same = {
        each.against if each.arm == arm.name else each.arm
        for each in results.comparison.differences
        if arm.name in (each.arm, each.against) and each.equal_tokens
    }
    return listed(sorted(same)) or "none"


# ---- cured and broken ------------------------------------------------------------------------------------------------


def _changed(results: Results) -> Figure | None:
    if not results.changed:
        return None
    rows, table, totals = [], [], {}
    for arm, seeds in results.changed.items():
        cured, broken = sum(len(each.cured) for each in seeds), sum(len(each.introduced) for each in seeds)
        totals[arm] = cured, broken
        per = f" over {len(seeds)} seeds" if len(seeds) > 1 else ""
        for series, n in (("cured", cured), ("broken", broken)):
            rows.append({"label": arm, "series": series, "value": n, "told": f"{arm} {series}: {n:,} problems{per}"})
        for task in results.tasks:
            gained = sum(key[0] == task for each in seeds for key in each.cured)
            lost = sum(key[0] == task for each in seeds for key in each.introduced)
            table.append([arm, _named(task), len(seeds), gained, lost, gained - lost])
    best = max(totals, key=lambda arm: totals[arm][0] - totals[arm][1])
    title = f"{best} cures {count(totals[best][0], 'problem')} and breaks {totals[best][1]:,}, against the untouched student."
    chart = stacked(rows, ["cured", "broken"], tones=[RIGHT, WRONG], percent=False, title="problems")
    headings = ("student", "task", "seeds", "cured", "broken", "net")
    note = "Cured: the untouched student was wrong and this one is right; broken: the other way round. Listed below."
    return Figure(title, Table(headings, table), [chart], note)


def _kinds(results: Results) -> Figure | None:
    """Wrong answers by the kind of their first flaw, where it is known."""
    found: dict[str, Counter[str]] = {}
    for arm in results.arms:
        items = [item for task in results.tasks for item in results.items(arm, task)]
        wrong = [str(item.meta.get("mistake")) for item in items if float(item.correct) <= 0.5 and item.meta.get("mistake")]
        if wrong:
            found[arm.name] = Counter(wrong)
    if not found:
        return None
    kinds = [kind for kind, _ in sum(found.values(), Counter[str]()).most_common(8)]
    rows = [
        {"label": arm, "series": _kind(kind), "value": counted[kind], "told": f"{arm}: {counted[kind]:,} wrong answers, {_kind(kind)}"}
        for arm, counted in found.items()
        for kind in kinds
    ]  # fmt: skip
    base = next((arm.name for arm in results.arms if arm.baseline and arm.name in found), next(iter(found)))
    kind, n = found[base].most_common(1)[0]
    title = f"{base} errs most often like this: {_kind(kind)}, {n:,} of {found[base].total():,} wrong answers."
    table: list[list[Cell]] = [[arm, *(counted[kind] for kind in kinds), counted.total()] for arm, counted in found.items()]
    chart = stacked(rows, [_kind(kind) for kind in kinds], percent=False, title="wrong answers")
    return Figure(title, Table(("student", *map(_kind, kinds), "all"), table), [chart], "By the first flaw of the text.")


_KINDS = {
    "logical_op": "wrong operation",
    "logical_num": "wrong quantity",
    "knowledge": "wrong unit fact",
    "calc": "miscalculated",
    "final": "wrong last sentence",
    "unfinished": "unfinished",
}


def _kind(name: str) -> str:
    return _KINDS.get(name, name)


# ---- by difficulty ---------------------------------------------------------------------------------------------------


def _by_difficulty(results: Results) -> list[Figure]:
    found = [_dimension(results, name) for name in ("steps", "level", "subject")]
    return [each for each in found if each]


def _dimension(results: Results, name: str) -> Figure | None:
    by: dict[str, dict[Any, list[Item]]] = {}
    for arm in results.arms[:MOST_ARMS]:
        for task in results.tasks:
            for item in results.items(arm, task):
                value = difficulty(item.meta).get(name)
                if value is not None:
                    by.setdefault(arm.name, {}).setdefault(value, []).append(item)
    values = sorted({value for groups in by.values() for value in groups}, key=lambda v: (isinstance(v, str), v))
    if len(values) < 2:
        return None
    rows, table = [], []
    for value in values:
        line: list[Cell] = [str(value)]
        for arm, groups in by.items():
            items = groups.get(value, [])
            share = Share(sum(float(item.correct) > 0.5 for item in items), len(items))
            line.append(share.text())
            if share.whole:
                rows.append({"x": str(value), "series": arm, **share.row(), "told": f"{arm}, {name} {value}: {share.text()}"})
        table.append(line)
    shown = len(values) <= MOST_VALUES
    chart = lines(rows, list(by), x_title=name, domain=(0, 1), points=True, ordinal=True)
    return Figure(
        _dimension_title(by, values, name),
        Table((name, *by), table),
        [chart] if shown else [],
        "All tasks and seeds together; an item counts as right above one half. Lines through points show 95 % Wilson intervals.",
    )


def _dimension_title(by: dict[str, dict[Any, list[Item]]], values: Sequence[Any], name: str) -> str:
    def rate(arm: str, value: Any) -> float:
        items = by[arm].get(value, [])
        return sum(float(item.correct) > 0.5 for item in items) / len(items) if items else 0.0

    arms = list(by)
    if len(arms) == 1:
        return f"{arms[0]}: {pct(rate(arms[0], values[0]))} at {name} {values[0]}, {pct(rate(arms[0], values[-1]))} at {values[-1]}."
    first = arms[0]
    gaps = {(arm, value): rate(arm, value) - rate(first, value) for arm in arms[1:] for value in values}
    arm, value = max(gaps, key=lambda key: gaps[key])
    if gaps[arm, value] <= 0:
        return f"No student beats {first} at any {name.removesuffix('s')}."
    at = f"problems of {value} steps" if name == "steps" else f"{name} {value}"
    return f"{arm} gains most on {at}: from {pct(rate(first, value))} to {pct(rate(arm, value))}."


# ---- how they answer -------------------------------------------------------------------------------------------------


def _answers(results: Results) -> Figure | None:
    rows, table = [], []
    for arm in results.arms:
        samples = [sample for task in results.tasks for item in results.items(arm, task) for sample in item.samples]
        if not samples:
            continue
        words = sum(len(sample.text.split()) for sample in samples) / len(samples)
        cut = Share(sum(sample.truncated for sample in samples), len(samples))
        silent = Share(sum(sample.answer is None for sample in samples), len(samples))
        rows.append({"label": arm.name, "value": words, "shown": f"{words:.0f}", "told": f"{arm.name}: {words:.1f} words an answer"})
        table.append([arm.name, len(samples), f"{words:.1f}", cut.text(), silent.text()])
    if not rows:
        return None
    longest, shortest = max(rows, key=lambda row: row["value"]), min(rows, key=lambda row: row["value"])
    title = f"{longest['label']} writes {longest['value']:.0f} words an answer"
    title += f", {shortest['label']} {shortest['value']:.0f}." if len(rows) > 1 else "."
    headings = ("student", "samples", "words, mean", "cut off at the limit", "without an answer")
    return Figure(title, Table(headings, table), [bars(rows)])
