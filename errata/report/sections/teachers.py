"""What each teacher is worth: right drafts, problems only it covers, what it costs."""

from __future__ import annotations

from itertools import combinations
from statistics import median
from typing import NamedTuple

from errata.report.charts import QUIET, RIGHT, dots, lines, matrix, stacked
from errata.report.figures import Cell, Figure, Lines, Rows, Section, Table, count, dollars, listed, pct
from errata.report.log_totals import LogTotals
from errata.report.proportion import Share
from errata.report.sections.synthesis import RunView
from errata.runs.ran_stages import SHIPPED_ROLES

WORKS = ("writing", "revising", "being reviewed")
"""What is charged to a teacher's rationales. Its explanations and rewrites are shown beside it, as other."""
MOST_IN_SETS = 12
"""Teachers of whom every set is looked at (4,096 sets)."""


def section(view: RunView) -> Section | None:
    totals = view.totals
    if not totals.teachers:
        return None
    figures = [_right(totals), _marginal(view), _sets(view), _cost(view), _revision(totals), _lengths(totals)]
    figures.append(_thinking(totals))
    return Section("teachers", "Teachers", _lede(view), [each for each in figures if each])


def _lede(view: RunView) -> str:
    return (
        f"{listed(sorted(view.totals.teachers))} wrote the rationales. A teacher covers a problem where one "
        f"or more of its drafts or revisions is {view.covering}; all of this is computed from the log."
    )


def _right(totals: LogTotals) -> Figure:
    known = any(counted["known"] for counted in totals.drafts.values())
    rows: Rows = []
    table: Lines = []
    series = ["right by the answer", *(["sound in every step"] if known else [])]
    for name, counted in sorted(totals.drafts.items()):
        line: list[Cell] = [name, counted["written"]]
        for measure, key, base in zip(series, ("correct", "sound"), ("written", "known"), strict=False):
            share = Share(counted[key], counted[base])
            line.append(share.text())
            if share.whole:
                tooltip = f"{name}: {measure}, {share.text()}"
                rows.append({"label": name, "series": measure, **share.row(), "tooltip": tooltip})
        table.append(line)
    rates = {name: counted["correct"] / max(1, counted["written"]) for name, counted in totals.drafts.items()}
    lowest = min((row["low"] for row in rows), default=0.0)
    chart = dots(rows, series, domain=(max(0.0, int(lowest * 10) / 10), 1.0))
    return Figure(_right_title(rates), Table(("teacher", "drafts", *series), table), [chart], "95 % Wilson intervals.")


def _right_title(rates: dict[str, float]) -> str:
    """`rates`: by teacher, the share of right drafts."""
    best, worst = max(rates, key=lambda name: rates[name]), min(rates, key=lambda name: rates[name])
    if not rates[best]:
        return "Not one draft is right."
    if len(rates) > 1 and rates[best] == rates[worst]:
        return f"{listed(sorted(rates))} draft alike: {pct(rates[best])} right."
    title = f"{best} drafts best: {pct(rates[best])} right"
    return title + (f"; {worst} reaches {pct(rates[worst])}." if len(rates) > 1 else ".")


# ---- marginal value --------------------------------------------------------------------------------------------------


class Value(NamedTuple):
    """`covered`: problems this teacher covers; `alone`: those that nobody else covers."""

    covered: int
    alone: int


def marginal(totals: LogTotals, name: str) -> dict[str, Value]:
    """By teacher, over problems with an `accepted` or a `right` rationale."""
    by_teacher = {}
    for teacher, bit in totals.teachers.items():
        covered = sum(n for mask, n in totals.covers[name].items() if mask & bit)
        by_teacher[teacher] = Value(covered, totals.covers[name][bit])
    return by_teacher


def best_sets(totals: LogTotals, name: str) -> list[tuple[tuple[str, ...], int]]:
    """For each number of teachers the set that covers most problems, and how many."""
    teachers = sorted(totals.teachers)
    best_of_size = []
    for size in range(1, len(teachers) + 1):
        sets = combinations(teachers, size)
        best = max(sets, key=lambda chosen: _union(totals, name, chosen))
        best_of_size.append((best, _union(totals, name, best)))
    return best_of_size


def _union(totals: LogTotals, name: str, chosen: tuple[str, ...]) -> int:
    bits = sum(totals.teachers[teacher] for teacher in chosen)
    return sum(n for mask, n in totals.covers[name].items() if mask & bits)


def _marginal(view: RunView) -> Figure:
    totals, name = view.totals, view.covering
    values = marginal(totals, name)
    all_covered = sum(n for mask, n in totals.covers[name].items() if mask)
    rows: Rows = []
    table: Lines = []
    for teacher, value in sorted(values.items()):
        for series, n in (("only this teacher", value.alone), ("others too", value.covered - value.alone)):
            tooltip = f"{teacher}: {n:,} problems, {series}"
            rows.append({"label": teacher, "series": series, "value": n, "tooltip": tooltip})
        table.append([teacher, value.covered, value.alone, all_covered - value.alone, *_saved(totals, teacher)])
    headings = (
        *("teacher", "problems covered", "only by this teacher", "left without it"),
        *("calls saved", "tokens saved", "dollars saved"),
    )
    parts = ["only this teacher", "others too"]
    return Figure(
        _marginal_title({teacher: value.alone for teacher, value in values.items()}, all_covered, name),
        Table(headings, table),
        [stacked(rows, parts, tones=[RIGHT, QUIET], percent=False, title="problems covered")],
        f"Leave one out: a problem is covered where a rationale is {name}. What is saved are the calls that write, "
        "revise and review this teacher's rationales. It would be missed as a reviewer too, which is not counted.",
    )


def _marginal_title(alone: dict[str, int], covered: int, name: str) -> str:
    """`alone`: by teacher, the problems that nobody else covers."""
    dearest, least = max(alone, key=lambda teacher: alone[teacher]), min(alone, key=lambda teacher: alone[teacher])
    if not covered:
        return f"No problem is covered: not one rationale is {name}."
    if not alone[dearest]:
        return f"Each of the {count(covered, 'covered problem')} is covered by two or more teachers."
    title = f"Without {dearest}, {count(alone[dearest], 'covered problem')} of {covered:,} would be lost"
    return title + (f"; without {least}, {alone[least]:,}." if least != dearest else ".")


def _saved(totals: LogTotals, teacher: str) -> list[Cell]:
    calls = sum(totals.spend[teacher, work]["calls"] for work in WORKS)
    tokens = sum(totals.spend[teacher, work]["tokens"] for work in WORKS)
    unpriced, replayed = (sum(totals.spend[teacher, work][key] for work in WORKS) for key in ("unpriced", "replayed"))
    usd = dollars(sum(totals.usd[teacher, work] for work in WORKS))
    if replayed:
        usd = "replayed" if replayed == calls else f"{usd} and {replayed:,} replayed"
    return [calls, tokens, None if unpriced else usd]


def _sets(view: RunView) -> Figure | None:
    totals, name = view.totals, view.covering
    if not 2 <= len(totals.teachers) <= MOST_IN_SETS:
        return None
    sets = best_sets(totals, name)
    if not sets[-1][1]:
        return None
    total = sum(totals.covers[name].values())
    rows = [
        {
            "x": str(len(chosen)),
            "series": "",
            "value": n / total,
            "tooltip": f"best {len(chosen)}: {listed(chosen)} cover {n:,} problems, {pct(n / total, 1)}",
        }
        for chosen, n in sets
    ]
    table: Lines = [[size, listed(chosen), n, pct(n / total, 1)] for size, (chosen, n) in enumerate(sets, 1)]
    one, most = sets[0], sets[-1]
    enough = next(size for size, (_, n) in enumerate(sets, 1) if n >= 0.99 * most[1])
    together = f"all {len(sets)} together {pct(most[1] / total)}"
    title = f"{one[0][0]} alone covers {pct(one[1] / total)} of the problems, {together}."
    if enough < len(sets):
        reach = "reaches" if enough == 1 else "reach"
        title = f"{listed(sets[enough - 1][0])} {reach} 99 % of what all {len(sets)} teachers cover."
    chart = lines(rows, [""], x_title="teachers, best set of that size", domain=(0, 1), points=True, ordinal=True)
    return Figure(title, Table(("teachers", "best set", "problems covered", "share"), table), [chart])


# ---- cost ------------------------------------------------------------------------------------------------------------


def _cost(view: RunView) -> Figure | None:
    totals = view.totals
    good = {
        teacher: (counted["accepted"] + counted["rescued"]) if view.paneled else counted["correct"]
        for teacher, counted in totals.drafts.items()
    }
    good = {teacher: n for teacher, n in good.items() if n}
    if not good:
        return None
    unit, why = _unit(totals)
    rows: Rows = []
    table: Lines = []
    each: dict[str, float] = {}
    for teacher, n in sorted(good.items()):
        for work in WORKS:
            spent = totals.usd[teacher, work] if unit == "dollars" else totals.spend[teacher, work][unit]
            each[teacher] = each.get(teacher, 0.0) + spent / n
            tooltip = f"{teacher}, {work}: {_amount(spent / n, unit)}"
            rows.append({"label": teacher, "series": work, "value": spent / n, "tooltip": tooltip})
        calls, _, usd = _saved(totals, teacher)
        works = [round(totals.spend[teacher, work]["tokens"] / n) for work in WORKS]
        table.append([teacher, n, calls, *works, usd, totals.spend[teacher, "other"]["tokens"]])
    drawn = [work for work in WORKS if any(row["value"] for row in rows if row["series"] == work)]
    rows = [row for row in rows if row["series"] in drawn]
    cheap, dear = min(each, key=lambda t: each[t]), max(each, key=lambda t: each[t])
    title = f"{'An accepted' if view.paneled else 'A right'} rationale by {dear} costs {_amount(each[dear], unit)}"
    title += f", one by {cheap} {_amount(each[cheap], unit)}." if len(each) > 1 else "."
    work_headings = [f"tokens {work}, each" for work in WORKS]
    headings = ("teacher", f"{view.covering} rationales", "calls", *work_headings, "dollars in all", "other tokens")
    return Figure(
        title,
        Table(headings, table),
        [stacked(rows, drawn, percent=False, title=unit)],
        f"Divided by the {view.covering} rationales, revisions included; at the price of the first payment.{why}",
    )


def _unit(totals: LogTotals) -> tuple[str, str]:
    """What is drawn, and why it is not dollars."""
    if any(counted["unpriced"] for counted in totals.spend.values()):
        return "tokens", " Prices are unknown for some calls, so tokens are drawn."
    if totals.replayed:
        why = " Some replies are replayed, at a price that is not known; "
        if any(counted["tokens"] for counted in totals.spend.values()):
            return "tokens", f"{why}tokens are drawn."
        return "calls", f"{why}calls are drawn."
    if sum(totals.usd.values()) > 0:
        return "dollars", ""
    if any(counted["tokens"] for counted in totals.spend.values()):
        return "tokens", " The calls cost nothing, so tokens are drawn."
    return "calls", " The calls cost nothing and have no tokens, so calls are drawn."


def _amount(value: float, unit: str) -> str:
    if unit == "dollars":
        return dollars(value)
    return f"{value:,.0f} tokens" if unit == "tokens" else f"{value:.1f} calls"


def _revision(totals: LogTotals) -> Figure | None:
    rows: Rows = []
    table: Lines = []
    for teacher, counted in sorted(totals.drafts.items()):
        if counted["revised"]:
            share = Share(counted["rescued"], counted["revised"])
            rows.append(
                {"label": teacher, "series": "", **share.row(), "tooltip": f"{teacher}: {share.text()} accepted"}
            )
            table.append([teacher, counted["revised"], counted["rescued"], share.text()])
    if not rows:
        return None
    rescued, revised = (sum(counted[key] for counted in totals.drafts.values()) for key in ("rescued", "revised"))
    whole = Share(rescued, revised)
    return Figure(
        f"{pct(whole.value)} of revisions turn a rejected draft into an accepted one.",
        Table(("teacher", "revisions", "accepted after rejection", "share"), table),
        [dots(rows, [""], domain=(0, 1))],
        "95 % Wilson intervals. A revision may have seen the gold answer where the critiques did.",
    )


def _lengths(totals: LogTotals) -> Figure | None:
    order = (*SHIPPED_ROLES[1:], SHIPPED_ROLES[0])
    means = {key: words / n for key, (n, words) in totals.words.items() if n}
    if len(means) < 2:
        return None
    own = sorted({role for _, role in means} - set(SHIPPED_ROLES))
    roles = [role for role in (*order, *own) if any(each == role for _, each in means)]
    authors = sorted({author for author, _ in means}, key=lambda author: ((author, "student") in means, author))
    most = max(means.values())
    rows: Rows = []
    table: Lines = []
    for author in authors:
        for role in roles:
            value = means.get((author, role))
            tooltip = f"{author}, {role}: " + ("none" if value is None else f"{value:.1f} words")
            text = "" if value is None else f"{value:.0f}"
            rows.append(
                {"label": author, "series": role, "value": (value or 0) / most, "text": text, "tooltip": tooltip}
            )
            if value is not None:
                table.append([author, role, totals.words[author, role][0], f"{value:.1f}"])
    longest = max(means, key=lambda key: means[key])
    title = f"{longest[0]} writes longest: {means[longest]:.0f} words per text as {longest[1]}."
    note = "Words of a text, mean, by author (row) and role (column)."
    return Figure(title, Table(("author", "role", "texts", "words, mean"), table), [matrix(rows)], note)


def _thinking(totals: LogTotals) -> Figure | None:
    """How long reasoning models think before right and before wrong rationales; None where nobody thinks."""
    if not totals.thinking:
        return None
    middle = {key: median(words) for key, words in totals.thinking.items()}
    most = max(middle.values())
    rows: Rows = []
    table: Lines = []
    for (author, right), words in sorted(totals.thinking.items(), key=lambda item: (item[0][0], not item[0][1])):
        value, side = middle[author, right], "right" if right else "wrong"
        tooltip = f"{author}, {side}: {value:.0f} words of thinking"
        rows.append(
            {"label": author, "series": side, "value": value / most, "text": f"{value:.0f}", "tooltip": tooltip}
        )
        table.append([author, side, len(words), f"{value:.0f}", max(words)])
    author, right = max(middle, key=lambda key: middle[key])
    title = f"{author} thinks longest: {most:.0f} words before {'right' if right else 'wrong'} texts."
    note = "Words of thinking, median, by author (row) and by what the grader says of the text (column)."
    columns = ("author", "text", "texts", "words of thinking, median", "longest")
    return Figure(title, Table(columns, table), [matrix(rows)], note)
