"""Kinds of mistakes, by who made and who named them; how far right and wrong texts of a pair are apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from errata.report.charts import QUIET, SERIES, columns, stacked
from errata.report.figures import Figure, Lines, Rows, Section, Source, Table, count, pct
from errata.report.log_totals import LogTotals
from errata.report.proportion import Share
from errata.report.sections.synthesis import RunView

KINDS = ("logical", "knowledge", "calculation", "other")
ORIGINS = ("natural", "student", "rectified", "corrupted")


def section(view: RunView) -> Section | None:
    totals = view.totals
    figures = [
        _by(totals, "named", _named(totals)),
        _by(totals, "made", _by_author(totals)),
        _by(totals, "checked", dict(_flaws(totals))),
    ]
    drawn = [each for each in figures if each]
    if not drawn:
        return None
    explained = sum(totals.explained.values())
    lede = f"Teachers wrote {count(explained, 'explanation')} of mistakes." if explained else ""
    if totals.same_kinds.total():
        same = Share(totals.same_kinds[True], totals.same_kinds.total())
        lede += f" Where several explained one mistake, {same.text()} named the same kinds."
    return Section("mistakes", "Mistakes", lede.strip(), drawn)


def _named(totals: LogTotals) -> dict[str, Counter[str]]:
    by_explainer: dict[str, Counter[str]] = {}
    for (explainer, _, _, kind), n in totals.kinds.items():
        by_explainer.setdefault(explainer, Counter())[kind] += n
    return by_explainer


def _by_author(totals: LogTotals) -> dict[str, Counter[str]]:
    by_author: dict[str, Counter[str]] = {}
    for (_, author, role, kind), n in totals.kinds.items():
        by_author.setdefault(f"{author}, {role}", Counter())[kind] += n
    return by_author if len(by_author) > 1 else {}


def _flaws(totals: LogTotals) -> dict[str, Counter[str]]:
    by_author: dict[str, Counter[str]] = {}
    for (author, role, kind), n in totals.flaws.items():
        if role in ("teacher", "student"):
            by_author.setdefault(f"{author}, {role}", Counter())[kind] += n
    return by_author


_TEXTS = {
    "named": (
        "explained by",
        "Kinds as the explainers named them for the mistakes they explained; an explanation may name several.",
    ),
    "made": ("mistakes of", "Kinds of an author's mistakes, as the explainers named them."),
    "checked": (
        "mistakes of",
        "The first flaw of each unsound text as the classroom's checker finds it, lucky ones with a right answer too.",
    ),
}


def _by(totals: LogTotals, what: str, by_name: dict[str, Counter[str]]) -> Figure | None:
    if not by_name:
        return None
    heading, note = _TEXTS[what]
    kinds = [kind for kind in KINDS if any(counted[kind] for counted in by_name.values())]
    rows: Rows = []
    table: Lines = []
    for name, counted in sorted(by_name.items()):
        whole = counted.total()
        for kind in kinds:
            tooltip = f"{name}: {kind} {counted[kind]:,}, {pct(counted[kind] / whole)}"
            rows.append({"label": name, "series": kind, "value": counted[kind], "tooltip": tooltip})
        table.append([name, *(counted[kind] for kind in kinds), whole])
    sources = [Source(f"explained as {kind}", "transcripts", {"mistake": kind}) for kind in kinds]
    return Figure(
        _title(what, by_name),
        Table((heading, *kinds, "all"), table),
        [stacked(rows, kinds)],
        note,
        sources=sources if what == "named" else (),
    )


def _title(what: str, by_name: dict[str, Counter[str]]) -> str:
    tops = {name: counted.most_common(1)[0] for name, counted in by_name.items()}
    if what == "named":
        total: Counter[str] = sum(by_name.values(), Counter())
        kind, n = total.most_common(1)[0]
        return f"{pct(n / total.total())} of the kinds named are {kind}."
    name = max(tops, key=lambda name: tops[name][1] / by_name[name].total())
    kind, n = tops[name]
    who = name.split(", ")[0]
    return f"{who}'s mistakes are the most alike: {pct(n / by_name[name].total())} are {kind}."


# ---- pairs -----------------------------------------------------------------------------------------------------------


def pairs(view: RunView) -> Section | None:
    """The section of dual chains of thought; None where the log has none."""
    ratios = view.totals.ratios
    if not ratios:
        return None
    total = ratios.total()
    origins = [origin for origin in ORIGINS if any(each == origin for each, _ in ratios)]
    rows: Rows = []
    table: Lines = []
    for step in range(max(step for _, step in ratios) + 1):
        x = f"{step * 5}"
        for origin in origins:
            n = ratios[origin, step]
            tooltip = f"{n:,} {origin} pairs differ in {step * 5} to {step * 5 + 5} % of their words"
            rows.append({"x": x, "series": origin, "value": n, "tooltip": tooltip})
        table.append([f"{step * 5} to {step * 5 + 5} %", *(ratios[origin, step] for origin in origins)])
    so_far, middle = 0, 0
    for step in range(20):
        so_far += sum(ratios[origin, step] for origin in origins)
        if so_far * 2 >= total:
            middle = step * 5 + 5
            break
    figure = Figure(
        f"Half of the {total:,} pairs differ in at most {middle} % of their words.",
        Table(("words that differ", *origins), table),
        [columns(rows, origins, x_title="words that differ, %")],
        "Word edit distance over the longer text. Natural: one author's own right and wrong text; student: the "
        "student's wrong text and a right one; rectified and corrupted: rewritten by a teacher.",
        sources=[Source(f"{origin} pairs", "transcripts", {"pair": origin}) for origin in origins],
    )
    counted = view.status["pairs"]
    sides = [(origin, counted[origin]["written"], counted[origin]["in_band"]) for origin in origins]
    inside = sum(counted[origin]["in_band"] for origin in origins)
    bands = _by_origin(sides, inside, total)
    return Section(
        "pairs",
        "Dual chains of thought",
        "A right and a wrong solution of one problem, as alike as possible. The marked words are the key steps: those "
        "that the alignment of both texts does not match.",
        [figure, bands],
        view="pairs",
    )


def _by_origin(sides: Sequence[tuple[str, int, int]], inside: int, total: int) -> Figure:
    rows: Rows = []
    for origin, written, in_band in sides:
        for series, n in (("inside the band", in_band), ("outside", written - in_band)):
            rows.append({"label": origin, "series": series, "value": n, "tooltip": f"{origin}: {n:,} pairs {series}"})
    parts = ["inside the band", "outside"][: 1 if inside == total else 2]
    rows = [row for row in rows if row["series"] in parts]
    chart = stacked(rows, parts, percent=False, tones=[SERIES[0], QUIET], title="pairs")
    many = f"All {total:,}" if inside == total else f"{inside:,} of {total:,}"
    title = f"{many} pairs lie inside the band of edit ratios that the recipe asks for."
    return Figure(title, Table(("origin", "written", "inside the band"), sides), [chart])
