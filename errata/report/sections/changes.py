"""Which problems and which kinds of mistakes a training cured and broke, by difficulty; and how the students answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from errata.evals.results import Item
from errata.report.charts import RIGHT, WRONG, bars, lines, stacked
from errata.report.eval_results import Results, mistake_of
from errata.report.figures import Cell, Figure, Lines, Rows, Source, Table, at, count, named, pct
from errata.report.log_totals import difficulty
from errata.report.proportion import Share

MOST_VALUES = 12
"""Steps, levels or subjects that a chart shows; beyond, the table has them."""
MOST_ARMS = 8
"""Students that a chart shows; the table has all."""


def figures(results: Results) -> list[Figure]:
    drawn = [_changed(results), _kinds(results), *_by_difficulty(results), _answers(results)]
    return [each for each in drawn if each]


# ---- cured and broken ------------------------------------------------------------------------------------------------


def _changed(results: Results) -> Figure | None:
    if not results.changed:
        return None
    rows: Rows = []
    table: Lines = []
    totals: dict[str, tuple[int, int]] = {}
    for arm, seeds in results.changed.items():
        cured, broken = sum(len(each.cured) for each in seeds), sum(len(each.introduced) for each in seeds)
        totals[arm] = cured, broken
        per = f" over {len(seeds)} seeds" if len(seeds) > 1 else ""
        for series, n in (("cured", cured), ("broken", broken)):
            rows.append({"label": arm, "series": series, "value": n, "tooltip": f"{arm} {series}: {n:,} problems{per}"})
        for task in results.tasks:
            gained = sum(key[0] == task for each in seeds for key in each.cured)
            lost = sum(key[0] == task for each in seeds for key in each.introduced)
            table.append([arm, named(task), len(seeds), gained, lost, gained - lost])
    best = max(totals, key=lambda arm: totals[arm][0] - totals[arm][1])
    cures = f"{best} cures {count(totals[best][0], 'problem')} and breaks {totals[best][1]:,}"
    title = f"{cures}, against the untouched student."
    if not any(map(any, totals.values())):
        title = "No training cures or breaks a problem, against the untouched student."
    chart = stacked(rows, ["cured", "broken"], tones=[RIGHT, WRONG], percent=False, title="problems")
    headings = ("student", "task", "seeds", "cured", "broken", "net")
    note = "Cured: the untouched student was wrong and this one is right; broken: the other way round. Listed below."
    sources = [
        Source(f"{what} by {label}", "items", {"change": f"{what} by {label}"})
        for each in results.evals
        if (label := results.label(each)) and not each.manifest.baseline
        for what in ("cured", "broken")
    ]
    return Figure(title, Table(headings, table), [chart], note, sources=sources)


def _kinds(results: Results) -> Figure | None:
    """Wrong answers by the kind of their first flaw, where it is known."""
    wrong_by_arm: dict[str, Counter[str]] = {}
    for arm in results.arms:
        items = [item for task in results.tasks for item in results.items(arm, task)]
        wrong = Counter(kind for item in items if (kind := mistake_of(item)))
        if wrong:
            wrong_by_arm[arm.name] = wrong
    if not wrong_by_arm:
        return None
    kinds = [kind for kind, _ in sum(wrong_by_arm.values(), Counter[str]()).most_common(8)]
    rows: Rows = []
    table: Lines = []
    for name, counted in wrong_by_arm.items():
        table.append([name, *(counted[kind] for kind in kinds), counted.total()])
        for kind in kinds:
            tooltip = f"{name}: {counted[kind]:,} wrong answers, {kind}"
            rows.append({"label": name, "series": kind, "value": counted[kind], "tooltip": tooltip})
    base = next(
        (arm.name for arm in results.arms if arm.baseline and arm.name in wrong_by_arm), next(iter(wrong_by_arm))
    )
    kind, n = wrong_by_arm[base].most_common(1)[0]
    title = f"{base} errs most often in this way: {kind}, {n:,} of {wrong_by_arm[base].total():,} wrong answers."
    chart = stacked(rows, kinds, percent=False, title="wrong answers")
    headings = ("student", *kinds, "all")
    sources = [Source(f"wrong, {kind}", "items", {"mistake": kind}) for kind in kinds]
    return Figure(title, Table(headings, table), [chart], "By the first flaw of the text.", sources=sources)


# ---- by difficulty ---------------------------------------------------------------------------------------------------


def _by_difficulty(results: Results) -> list[Figure]:
    drawn = [_dimension(results, name) for name in ("steps", "level", "subject")]
    return [each for each in drawn if each]


def _dimension(results: Results, name: str) -> Figure | None:
    by: dict[str, dict[Any, list[Item]]] = {}
    for arm in results.arms:
        for task in results.tasks:
            for item in results.items(arm, task):
                value = difficulty(item.meta).get(name)
                if value is not None:
                    by.setdefault(arm.name, {}).setdefault(value, []).append(item)
    values = sorted({value for groups in by.values() for value in groups}, key=lambda v: (isinstance(v, str), v))
    if len(values) < 2:
        return None
    rows: Rows = []
    table: Lines = []
    for value in values:
        line: list[Cell] = [str(value)]
        for student, groups in by.items():
            items = groups.get(value, [])
            share = Share(sum(float(item.correct) > 0.5 for item in items), len(items))
            line.append(share.text())
            if share.whole:
                tooltip = f"{student}, {name} {value}: {share.text()}"
                rows.append({"x": str(value), "series": student, **share.row(), "tooltip": tooltip})
        table.append(line)
    is_drawn = len(values) <= MOST_VALUES
    drawn = list(by)[:MOST_ARMS]
    rows = [row for row in rows if row["series"] in drawn]
    chart = lines(rows, drawn, x_title=name, domain=(0, 1), points=True, ordinal=True)
    return Figure(
        _dimension_title(by, values, name),
        Table((name, *by), table),
        [chart] if is_drawn else [],
        "All tasks and seeds together; an item counts as right above one half. Lines show 95 % intervals.",
    )


def _dimension_title(by: dict[str, dict[Any, list[Item]]], values: Sequence[Any], name: str) -> str:
    def rate(arm: str, value: Any) -> float:
        items = by[arm].get(value, [])
        return sum(float(item.correct) > 0.5 for item in items) / len(items) if items else 0.0

    arms = list(by)
    if len(arms) == 1:
        first, last = (pct(rate(arms[0], value)) for value in (values[0], values[-1]))
        if first == last:
            return f"{arms[0]}: {first} at {at(name, values[0])}, as at {values[-1]}."
        return f"{arms[0]}: {first} at {at(name, values[0])}, {last} at {values[-1]}."
    base = arms[0]
    gaps = {(arm, value): rate(arm, value) - rate(base, value) for arm in arms[1:] for value in values}
    arm, value = max(gaps, key=lambda key: gaps[key])
    if gaps[arm, value] <= 0:
        return f"No student beats {base} at any {name.removesuffix('s')}."
    where = f"problems of {value} steps" if name == "steps" else at(name, value)
    return f"{arm} gains most on {where}: from {pct(rate(base, value))} to {pct(rate(arm, value))}."


# ---- how they answer -------------------------------------------------------------------------------------------------


def _answers(results: Results) -> Figure | None:
    rows: Rows = []
    table: Lines = []
    for arm in results.arms:
        samples = [sample for task in results.tasks for item in results.items(arm, task) for sample in item.samples]
        if not samples:
            continue
        words = sum(len(sample.text.split()) for sample in samples) / len(samples)
        cut = Share(sum(sample.truncated for sample in samples), len(samples))
        silent = Share(sum(sample.answer is None for sample in samples), len(samples))
        tooltip = f"{arm.name}: {words:.1f} words per answer"
        rows.append({"label": arm.name, "value": words, "text": f"{words:.0f}", "tooltip": tooltip})
        table.append([arm.name, len(samples), f"{words:.1f}", cut.text(), silent.text()])
    if not rows:
        return None
    longest, shortest = max(rows, key=lambda row: row["value"]), min(rows, key=lambda row: row["value"])
    title = f"{longest['label']} writes {longest['value']:.0f} words per answer"
    title += f", {shortest['label']} {shortest['value']:.0f}." if shortest is not longest else "."
    headings = ("student", "samples", "words, mean", "cut off at the limit", "without an answer")
    return Figure(title, Table(headings, table), [bars(rows)])
