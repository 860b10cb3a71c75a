"""Which student is better, and what could have been shown: the claims first, then what is exploratory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from math import ceil, floor
from typing import NamedTuple

from errata.evals.compare import Size
from errata.evals.comparison import Difference
from errata.evals.tables import could_show
from errata.report.charts import dots, width_of
from errata.report.eval_results import Results
from errata.report.figures import Cell, Chart, Figure, Rows, Table, chance, count, listed, named

MOST_PAIRS = 28
"""Pairs of trained students that are shown one by one; of more, the best against each other one."""

DIFFERENCE = (
    *("student", "against", "task", "items", "seeds", "points", "interval", "p", "adjusted p", "claim", "design"),
    *("method", "only it right", "only the other right", "smallest difference shown", "said"),
)


class View(NamedTuple):
    """A difference as it is drawn: `student` in front, `label` beside it."""

    difference: Difference
    student: str
    label: str

    @property
    def turned(self) -> bool:
        return self.difference.arm != self.student

    @property
    def other(self) -> str:
        return self.difference.arm if self.turned else self.difference.against

    @property
    def points(self) -> tuple[float, float, float]:
        """Value, low and high in points."""
        value, low, high = (100 * getattr(self.difference.difference, name) for name in ("value", "low", "high"))
        return (-value, -high, -low) if self.turned else (value, low, high)

    @property
    def verdict(self) -> str:
        """In one of three words: better, worse, not shown."""
        verdict = self.difference.verdict
        return {"better": "worse", "worse": "better"}.get(verdict, verdict) if self.turned else verdict

    @property
    def chance(self) -> str:
        """Its p in words, and whether it was corrected."""
        one = self.difference
        if one.p_adjusted is not None:
            return f"{chance(one.p_adjusted)} after Holm"
        return f"exploratory, {chance(one.p)} uncorrected"


def figures(results: Results) -> list[Figure | None]:
    return [
        _claims(results),
        _against_untouched(results),
        _among_arms(results),
        _at_equal_size(results, "tokens"),
        _at_equal_size(results, "cost"),
    ]


# ---- which -----------------------------------------------------------------------------------------------------------


def _claims(results: Results) -> Figure | None:
    drawn = [View(each, each.arm, each.claim or "") for each in results.comparison.claims]
    if not drawn:
        return None
    clear = [each for each in drawn if each.verdict != "not shown"]
    counted = f"{len(clear) or 'none'} is" if len(clear) < 2 else f"{len(clear)} are"
    worse = sum(each.verdict == "worse" for each in clear)
    ways = f", {len(clear) - worse} as better and {worse} as worse" if worse else ""
    title = f"Of {count(len(drawn), 'claim')} {counted} shown{ways}: {_clearest(drawn, None)}"
    note = "Named before, and corrected for one another by Holm: each interval is at the level at which it was decided."
    return _figure(title, drawn, f"{note} {_covers(drawn)}")


def _against_untouched(results: Results) -> Figure | None:
    pairs = [(arm.name, base.name) for arm in results.arms if (base := results.untouched(arm))]
    return _exploratory(results, pairs, "the untouched student") if pairs else None


def _trained_pairs(results: Results) -> list[tuple[str, str]]:
    """Every two trained students, the better one first."""
    task = results.tasks[0]
    trained = [arm.name for arm in results.arms if not arm.baseline]
    accuracy = {name: results.comparison.figure(name, task).accuracy.value for name in trained}
    return [
        (one, other) if accuracy[one] >= accuracy[other] else (other, one) for one, other in combinations(trained, 2)
    ]


def _among_arms(results: Results) -> Figure | None:
    pairs = _trained_pairs(results)
    if len(pairs) > MOST_PAIRS:
        names = dict.fromkeys(name for pair in pairs for name in pair)
        best = max(names, key=lambda name: results.comparison.figure(name, results.tasks[0]).accuracy.value)
        pairs = [(best, other) for other in names if other != best]
    return _exploratory(results, pairs, None) if pairs else None


def _at_equal_size(results: Results, size: Size) -> Figure | None:
    """Only those whose trainings were as large, where not all of them were: then they stand above already."""
    pairs = _trained_pairs(results)
    equal = [pair for pair in pairs if _equally(results.difference(*pair, results.tasks[0]), size)]
    if not equal or len(equal) == len(pairs):
        return None
    figure = _exploratory(results, equal[:MOST_PAIRS], None)
    if figure is None:
        return None
    part = f" {MOST_PAIRS} of {len(equal)} pairs." if len(equal) > MOST_PAIRS else ""
    what = {"tokens": "target tokens", "cost": "cost of the data"}[size]
    note = f"Only trainings with the same {what}, to within 5 %.{part} {figure.note}"
    return replace(figure, title=f"At equal {what}: {figure.title}", note=note)


def _equally(each: Difference | None, size: Size) -> bool:
    return each is not None and bool(each.equal_tokens if size == "tokens" else each.equal_cost)


def _exploratory(results: Results, pairs: Sequence[tuple[str, str]], against: str | None) -> Figure | None:
    drawn = [
        View(each, arm, arm if against else f"{arm} \N{MINUS SIGN} {other}")
        for task in results.tasks
        for arm, other in pairs
        if (each := results.difference(arm, other, task)) is not None
    ]
    if not drawn:
        return None
    note = "Exploratory, where no claim is named: intervals at 95 %, p not corrected for how many were looked at."
    return _figure(_title(_clearest(drawn, against)), drawn, f"{note} {_covers(drawn)}")


# ---- how -------------------------------------------------------------------------------------------------------------


def _figure(title: str, drawn: Sequence[View], note: str) -> Figure:
    charts = _forest(drawn)
    return Figure(title, Table(DIFFERENCE, [_row(each) for each in drawn]), charts, note, wide=len(charts) > 1)


def _covers(drawn: Sequence[View]) -> str:
    words = listed(list(dict.fromkeys(each.difference.covers for each in drawn)))
    return (
        f"Intervals cover {words}. The smallest difference shown is what such data would find with a power of 80 %, "
        "a claim's after its correction."
    )


def _forest(drawn: Sequence[View]) -> list[Chart]:
    """A chart per task, all on one scale that holds 0."""
    rows_by_task: dict[str, Rows] = {}
    for each in drawn:
        rows_by_task.setdefault(each.difference.task, []).append(_drawn_row(each))
    known = [row[side] for rows in rows_by_task.values() for row in rows for side in ("low", "high")]
    domain = 5 * floor(min(0, *known) / 5), 5 * ceil(max(0, *known) / 5)
    domain = domain if domain[0] < domain[1] else (-5, 5)
    return [
        dots(rows, [""], form="+d", rule=0, title="points", domain=domain, width=width_of(len(rows_by_task))).named(
            named(task)
        )
        for task, rows in rows_by_task.items()
    ]


def _drawn_row(each: View) -> dict[str, Cell]:
    value, low, high = each.points
    place = named(each.difference.task)
    tooltip = (
        f"{each.student} against {each.other} on {place}: {value:+.1f} points ({low:+.1f} to {high:+.1f}), "
        f"{each.verdict}, {each.chance}"
    )
    return {"label": each.label, "series": "", "value": value, "low": low, "high": high, "tooltip": tooltip}


def _row(each: View) -> list[Cell]:
    one = each.difference
    value, low, high = each.points
    won = (one.only_against, one.only_arm) if each.turned else (one.only_arm, one.only_against)
    return [
        each.student, each.other, named(one.task), one.n, len(one.by_seed) or 1, f"{value:+.1f}",
        f"{low:+.1f} to {high:+.1f}", f"{one.p:.3g}", None if one.p_adjusted is None else f"{one.p_adjusted:.3g}",
        one.claim or "exploratory", one.design, one.difference.method, *won, could_show(one.detectable), each.verdict,
    ]  # fmt: skip


def _clearest(drawn: Sequence[View], against: str | None) -> str:
    """The largest difference that is shown, else the largest, as the end of a sentence."""
    clear = [each for each in drawn if each.verdict != "not shown"]
    each = max(clear or drawn, key=lambda one: abs(one.points[0]))
    value, task = each.points[0], named(each.difference.task)
    if not clear:
        could = could_show(each.difference.detectable)
        largest = f"the largest difference is {value:+.1f} points" if round(value, 1) else "all are level"
        return f"{largest}, {could} could have been shown."
    way = "gains" if value > 0 else "loses"
    return f"{each.student} {way} {abs(value):.1f} points against {against or each.other} on {task} ({each.chance})."


def _title(clearest: str) -> str:
    return f"No difference is shown: {clearest}" if clearest.startswith(("the largest", "all are")) else clearest
