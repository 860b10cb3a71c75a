"""What was made: the funnel of problems and rationales, by difficulty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from errata.report.charts import QUIET, RIGHT, SERIES, bars, lines
from errata.report.figures import Cell, Chart, Figure, Lines, Rows, Section, Table, at, count, dollars, listed, pct
from errata.report.log_totals import LogTotals
from errata.report.proportion import Share
from errata.report.sections import verdicts
from errata.runs.ran_stages import own_stages
from errata.runs.recipe import SynthRecipe


@dataclass(frozen=True)
class RunView:
    """A run, read: what `errata status` tells, the totals beside it, and the recipe where it can be read."""

    name: str
    status: dict[str, Any]
    totals: LogTotals
    recipe: SynthRecipe | None
    manifest: dict[str, Any]

    @property
    def paneled(self) -> bool:
        """Whether a panel judged rationales whose grade is known."""
        return bool(self.totals.scored)

    @property
    def covering(self) -> str:
        """What makes a problem covered: an accepted rationale where a panel sat, else a right one."""
        return "accepted" if self.paneled else "right"


def section(view: RunView) -> Section:
    of_verdicts = [of(view.status) for of in verdicts.FIGURES]
    figures = [_problems(view), _rationales(view), _estimated(view), *of_verdicts, _unread(view), *_levels(view)]
    return Section("synthesis", "Synthesis", _lede(view), [each for each in figures if each])


def _lede(view: RunView) -> str:
    problems, totals = view.status["problems"], view.totals
    sat = sum(view.totals.explained.values())
    parts = [f"{count(problems['total'], 'problem')} went through the graph {view.status['graph'] or 'of the recipe'}"]
    own = own_stages(view.manifest)
    if own:
        parts[0] += f" with {listed(own)} of your own"
    if totals.teachers:
        parts.append(f"{count(len(totals.teachers), 'teacher')} wrote {_all(totals, 'written'):,} drafts")
    if sat:
        parts.append(f"{sat:,} explanations of mistakes were written")
    return ", ".join(parts) + "."


def _all(totals: LogTotals, key: str) -> int:
    return sum(counted[key] for counted in totals.drafts.values())


def _covered(view: RunView, name: str) -> int:
    return sum(number for mask, number in view.totals.covers[name].items() if mask)


def _problems(view: RunView) -> Figure | None:
    problems = view.status["problems"]
    if not problems["total"]:
        return None
    ended = problems["total"] - problems["pending"]
    rows = [("problems", problems["total"])]
    rows += [("finished", ended)] if problems["pending"] else []
    for ending in ("rejected", "failed"):
        number = sum(problems[ending].values())
        rows += [(ending, number)] if number else []
    if view.totals.exam:
        rows.append(("the student got wrong", _mistaken(view)))
    if view.totals.teachers:
        rows.append(("with a right rationale", _covered(view, "right")))
    if view.paneled:
        rows.append(("with an accepted rationale", _covered(view, "accepted")))
    total = problems["total"]
    table: Lines = [[name, number, pct(number / total, 1)] for name, number in rows]
    for ending in ("rejected", "failed"):
        table += [[f"{ending}: {reason}", n, pct(n / total, 1)] for reason, n in problems[ending].items()]
    table.append(["pending", problems["pending"], pct(problems["pending"] / total, 1)])
    last = rows[-1] if len(rows) > 1 else ("finished", ended)
    title = _how_many(*last, total)
    return Figure(title, Table(("problems", "number", "share"), table), [_steps(rows, total)], apart(rows))


def _how_many(name: str, number: int, total: int) -> str:
    """The last of the steps as a sentence."""
    if name == "the student got wrong":
        return f"The student got {number:,} of {count(total, 'problem')} wrong."
    what = name.replace("with", "end with") if name.startswith("with") else f"are {name}"
    many = f"All {total:,} problems" if number == total else f"{number:,} of {count(total, 'problem')}"
    return f"{many} {what}."


def _mistaken(view: RunView) -> int:
    return view.totals.exam["mistaken"]


def _steps(rows: Sequence[tuple[str, int]], total: int, tones: Sequence[str] | None = None) -> Chart:
    tones = tones or [QUIET, *[SERIES[0]] * (len(rows) - 2), RIGHT]
    return bars(
        [
            {
                "label": name,
                "value": number,
                "text": f"{number:,}",
                "tooltip": f"{name}: {number:,}, {pct(number / total)} of {total:,}",
                "tone": tone,
            }
            for (name, number), tone in zip(rows, tones, strict=False)
        ]
    )


def _rationales(view: RunView) -> Figure | None:
    totals = view.totals
    written = _all(totals, "written")
    if not written:
        return None
    rows = [("drafts written", written), ("right", _all(totals, "correct"))]
    left = _all(totals, "kept")
    if left < written:
        rows.append(("kept by the filters", left))
    if view.paneled:
        rows += [("reviewed", _all(totals, "reviewed")), ("accepted as drafted", _all(totals, "accepted"))]
        revised, rescued = _all(totals, "revised"), _all(totals, "rescued")
        if revised:
            rows += [("revised", revised), ("accepted after revision", rescued)]
            title = (
                f"{_all(totals, 'accepted'):,} of {written:,} drafts are accepted as written; "
                f"revision adds {rescued:,} more."
            )
        else:
            title = f"{_all(totals, 'accepted'):,} of {count(written, 'draft')} are accepted."
    else:
        title = f"{_all(totals, 'correct'):,} of {count(written, 'draft')} end in the right answer."
    good = {"accepted as drafted", "accepted after revision"} if view.paneled else {"right"}
    tones = [RIGHT if name in good else QUIET if not place else SERIES[0] for place, (name, _) in enumerate(rows)]
    headings = ("teacher", "written", "right", "kept", "reviewed", "accepted", "revised", "accepted after revision")
    keys = ("written", "correct", "kept", "reviewed", "accepted", "revised", "rescued")
    table: Lines = [[name, *(n[key] for key in keys)] for name, n in sorted(totals.drafts.items())]
    dropped = ", ".join(f"{n:,} {reason.replace('_', ' ')}" for reason, n in view.status["dropped"].items())
    note = f"Set aside by the filters: {dropped}." if dropped else ""
    return Figure(
        title, Table(headings, table), [_steps(rows, written, tones)], " ".join(filter(None, (note, apart(rows))))
    )


def apart(rows: Sequence[tuple[str, int]]) -> str:
    """A sentence for bars that are no funnel, since one of them is longer than the one above it; else nothing."""
    widening = any(below > above for (_, above), (_, below) in pairwise(rows))
    return "Each bar counts for itself, out of the first: it is no part of the bar above it." if widening else ""


def _estimated(view: RunView) -> Figure | None:
    """Rationales on problems without a gold answer; None where all problems have one."""
    estimated = view.status.get("estimated")
    if not estimated:
        return None
    title = (
        f"{estimated['right']:,} of {count(estimated['written'], 'rationale')} on problems without a gold answer are "
        "estimated right."
    )
    rows: Lines = [
        [each["author"], each["role"], each["estimated"], each["estimated_right"], each["accepted"]]
        for each in view.status["authors"]
        if each.get("estimated")
    ]
    marked = estimated.get("marked")
    by_hand = f" A person marked {marked['right']:,} right and {marked['wrong']:,} wrong." if marked else ""
    note = (
        "A probability over 0.5 that the answer is right, by agreement of answers, reviews and arithmetic. Nothing "
        "here was compared with a gold answer, and no figure of what is right counts these rationales."
        f"{by_hand}"
    )
    return Figure(title, Table(("author", "role", "without a grade", "estimated right", "accepted"), rows), (), note)


def _unread(view: RunView) -> Figure | None:
    """Replies that could not be read or were cut off; None where there are none."""
    rows = [row for row in view.status["replies"] if row["unreadable"] or row["cut_off"]]
    if not rows:
        return None
    every = view.status["replies"]
    replies, unreadable, cut_off, fresh = (
        sum(row[key] for row in every) for key in ("replies", "unreadable", "cut_off", "fresh_tries")
    )
    title = f"{unreadable:,} of {count(replies, 'reply', 'replies')} could not be read"
    if not unreadable:
        title = f"{cut_off:,} of {count(replies, 'reply', 'replies')} were cut off at the length limit"
    if fresh:
        title += f"; {count(fresh, 'fresh try', 'fresh tries')} took {_price(every)}"
    keys = ("replies", "unreadable", "cut_off", "fresh_tries", "fresh_tokens")
    table: Lines = [
        [f"{row['agent']}, {row['verb']}", row["stage"], *(row[key] for key in keys), _price([row])] for row in rows
    ]
    headings = (
        "agent, verb",
        "stage",
        "replies",
        "unreadable",
        "cut off",
        "fresh tries",
        "their tokens",
        "their price",
    )
    note = (
        "A reply is cut off where the provider says so; a fresh try is a call made because the one before was unread."
    )
    return Figure(f"{title}.", Table(headings, table), note=note)


def _price(rows: Sequence[dict[str, Any]]) -> str:
    """What the fresh tries of these rows took: dollars, or tokens where the price is unknown."""
    if any(row["fresh_usd"] is None for row in rows):
        return f"{sum(row['fresh_tokens'] for row in rows):,} tokens"
    return dollars(sum(row["fresh_usd"] for row in rows))


# ---- by difficulty ---------------------------------------------------------------------------------------------------

MEASURES = {
    "student_right": ("student's answers right", "student"),
    "right": ("problems with a right rationale", "problems"),
    "accepted": ("problems with an accepted rationale", "problems"),
}


def _levels(view: RunView) -> list[Figure]:
    figures = (_level(view, name, counted) for name, counted in view.totals.levels.items())
    return [each for each in figures if each]


def _level(view: RunView, name: str, counted: dict[float | str, Counter[str]]) -> Figure | None:
    values = sorted(counted, key=lambda value: (isinstance(value, str), value))
    used = [key for key, (_, base) in MEASURES.items() if any(each[base] for each in counted.values())]
    used = [key for key in used if key != "accepted" or view.paneled]
    used = [key for key in used if key == "student_right" or view.totals.teachers]
    if len(values) < 2 or not used:
        return None
    rows: Rows = []
    table: Lines = []
    for value in values:
        line: list[Cell] = [str(value), counted[value]["problems"]]
        for key in used:
            series, base = MEASURES[key]
            share = Share(counted[value][key], counted[value][base])
            line.append(share.text())
            if share.whole:
                where = f"{value} steps" if name == "steps" else at(name, value)
                tooltip = f"{where}: {series} {share.text()}"
                rows.append({"x": str(value), "series": series, **share.row(), "tooltip": tooltip})
        table.append(line)
    title = _level_title(name, "student_right" if "student_right" in used else used[-1], counted, values)
    headings = (name, "problems", *(MEASURES[key][0] for key in used))
    if len(values) > 12:
        return Figure(title, Table(headings, table))
    chart = lines(
        rows, [MEASURES[key][0] for key in used], x_title="steps of the problem" if name == "steps" else name,
        domain=(0, 1), points=True, ordinal=True,
    )  # fmt: skip
    return Figure(title, Table(headings, table), [chart], "Lines through points show 95 % Wilson intervals.")


def _level_title(
    name: str, measure: str, counted: dict[float | str, Counter[str]], values: Sequence[float | str]
) -> str:
    """The first and the last level that hold any, side by side."""
    base = MEASURES[measure][1]
    known = [value for value in values if counted[value][base]]
    first, last = (Share(counted[value][measure], counted[value][base]).value for value in (known[0], known[-1]))
    what = "The student is right on" if measure == "student_right" else "A rationale covers"
    where = f"problems of {known[0]} steps" if name == "steps" else at(name, known[0])
    there = f"those of {known[-1]}" if name == "steps" else f"{known[-1]}"
    if first == last:
        return f"{what} {pct(first)} of {where}" + (f", as of {there}." if len(known) > 1 else ".")
    return f"{what} {pct(first)} of {where} and {pct(last)} of {there}."
