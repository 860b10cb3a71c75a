"""The section of a school in its report: accuracy by round and by cost, what changed, mistakes, cures, why it ended."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from errata.report.charts import RIGHT, WRONG, lines, stacked
from errata.report.figures import Cell, Chart, Figure, Lines, Link, Rows, Section, Table, chance, count, dollars, pct
from errata.school.card import standing
from errata.school.figures import Changed, Standing, kinds_of_mistakes, next_point, standings
from errata.school.history import History
from errata.school.record import Round
from errata.school.words import cost, forgotten, interval, mastered, points, sums

MOST_ITEMS = 20
"""Items of a round that are listed as cured, as broken, as never learned and as forgotten; the counts are of all."""
MOST_CURES = 50
"""Explanations that are shown."""


def section(history: History) -> Section:
    """Of a school that has not begun, its lede alone."""
    school = history.school
    if school.start.accuracy is None:
        return Section("school", "The school", "Nothing is judged yet: the school has not come to its first student.")
    figures = [_accuracy(history), _rounds(history), _changed(history), _items(history), _mistakes(history)]
    notes = [standing(school).replace("`", ""), _sentence(sums(school)), _sentence(cost(next_point(school)))]
    return Section(
        "school",
        "The school",
        f"{count(len(school.rounds), 'round')}, each an exam, a lesson on what was chosen, a training and a judge. "
        "Accuracy and changes are of problems that are never taught.",
        [each for each in (*figures, _cures(history)) if each],
        notes=notes,
    )


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


# ---- rounds ----------------------------------------------------------------------------------------------------------


def _accuracy(history: History) -> Figure:
    rows = standings(history.school)
    first, last = rows[0], rows[-1]
    title = f"The untouched student is right on {pct(first.accuracy.value, 1)}."
    if last is not first:
        title = (
            f"From {pct(first.accuracy.value, 1)} to {pct(last.accuracy.value, 1)} in {count(len(rows) - 1, 'round')}."
        )
    table = [
        [
            each.name,
            interval(each.accuracy),
            each.teacher_tokens,
            None if each.dollars is None else dollars(each.dollars),
        ]
        for each in rows
    ]
    headings = ("student", "right in % [95 %]", "teacher tokens so far", "dollars so far")
    charts = [_by_round(rows)]
    if last.teacher_tokens > 0:
        charts.append(_by_amount(rows, [each.teacher_tokens for each in rows], "teacher tokens"))
    paid = [each.dollars for each in rows if each.dollars is not None]
    if len(paid) == len(rows) and paid[-1] > 0:
        charts.append(_by_amount(rows, paid, "dollars"))
    note = (
        "Lines show 95 % intervals of each student's accuracy; gains between two students are paired, and in the table."
    )
    return Figure(title, Table(headings, table), charts, note, wide=len(charts) > 2)


def _by_round(standings: Sequence[Standing]) -> Chart:
    rows = [_drawn(each, each.name) for each in standings]
    return lines(rows, [""], x_title="round", points=True, ordinal=True).named("by round")


def _by_amount(standings: Sequence[Standing], amounts: Sequence[float], what: str) -> Chart:
    rows = [_drawn(each, amount) for each, amount in zip(standings, amounts, strict=True)]
    return lines(rows, [""], x_title=what, points=True).named(f"by {what}")


def _drawn(each: Standing, x: str | float) -> dict[str, str | float]:
    at = each.accuracy
    spent = f"{each.teacher_tokens:,} teacher tokens"
    tooltip = f"{each.name}: {pct(at.value, 1)} ({100 * at.low:.1f} to {100 * at.high:.1f}), {spent}"
    return {"x": x, "series": "", "value": at.value, "low": at.low, "high": at.high, "tooltip": tooltip}


def _rounds(history: History) -> Figure | None:
    rounds = history.school.rounds
    if not rounds:
        return None
    gains = sum(each.gain is not None and each.gain.verdict == "better" for each in rounds)
    headings = (
        *("round", "chosen", "right in % [95 %]", "gain in points", "p", "verdict", "mastered", "forgot in points"),
        *("teacher tokens", "own tokens", "dollars", "hours", "learning rate"),
    )
    title = f"{gains or 'None'} of {count(len(rounds), 'round')} {'is' if gains < 2 else 'are'} shown to be a gain."
    note = (
        "Gains are over the student that the round started from, paired on the same items, and not corrected for the "
        "number of rounds. Forgot: what accuracy fell by on the problems that the exam shows as mastered."
    )
    return Figure(title, Table(headings, [_round(each) for each in rounds]), (), note, wide=True)


def _round(done: Round) -> list[Cell]:
    gain = done.gain
    return [
        f"round {done.round}" + (", repeated at half the rate" if done.repeated else ""),
        done.chosen,
        None if done.accuracy is None else interval(done.accuracy),
        *(
            (points(gain), chance(gain.p).removeprefix("p = "), gain.verdict)
            if gain is not None
            else (None, None, None)
        ),
        mastered(done),
        forgotten(done),
        done.teacher_tokens,
        done.own_tokens,
        None if done.dollars is None else dollars(done.dollars),
        f"{done.hours:.2f}",
        None if done.learning_rate is None else f"{done.learning_rate:g}",
    ]


# ---- items -----------------------------------------------------------------------------------------------------------


def _changed(history: History) -> Figure | None:
    changed = history.changed
    if not changed:
        return None
    rows: Rows = []
    table: Lines = []
    for each in changed:
        name, forgotten = f"round {each.round}", history.forgotten.get(each.round)
        for series, items in (("cured", each.cured), ("broken", each.broken)):
            tooltip = f"{name}: {count(len(items), 'item')} {series}"
            rows.append({"label": name, "series": series, "value": len(items), "tooltip": tooltip})
        lost = None if forgotten is None else len(forgotten)
        table.append([name, len(each.cured), len(each.broken), len(each.never_learned), lost])
    cured, broken = sum(len(each.cured) for each in changed), sum(len(each.broken) for each in changed)
    never = len(changed[-1].never_learned)
    were = "was" if never == 1 else "were"
    title = f"The rounds cured {count(cured, 'answer')} and broke {broken:,}; {never:,} {were} never right."
    chart = stacked(rows, ["cured", "broken"], tones=[RIGHT, WRONG], percent=False, title="judged items")
    headings = ("round", "cured", "broken", "never right so far", "forgotten of the mastered")
    note = (
        "Against the student that the round started from. Forgotten: problems that may be taught, that the exam before "
        "shows as mastered and that the new student has wrong."
    )
    return Figure(title, Table(headings, table), [chart], note)


def _items(history: History) -> Figure | None:
    table: Lines = [row for each in history.changed for row in _listed(history, each)]
    if not table:
        return None
    note = f"At most {MOST_ITEMS} of each kind and round. Judged items lead to all students' answers below."
    return Figure("Which items they were.", Table(("item", "round", "what became of it", "question"), table), (), note)


def _listed(history: History, changed: Changed) -> Lines:
    questions = {item.id: str(item.meta.get("question") or "") for item in history.judges[changed.round].items}
    forgotten = history.forgotten.get(changed.round, ())
    judged = (("cured", changed.cured), ("broken", changed.broken), ("never right so far", changed.never_learned))
    lines: Lines = []
    for what, items in judged:
        for item in items[:MOST_ITEMS]:
            link = Link(item, f"#item={quote(item, safe='')}")
            lines.append([link, changed.round, what, questions[item] or None])
    for item in forgotten[:MOST_ITEMS]:
        lines.append([item, changed.round, "mastered before, forgotten", None])
    return lines


# ---- lessons ---------------------------------------------------------------------------------------------------------


def _mistakes(history: History) -> Figure | None:
    by_round = {number: kinds_of_mistakes(each) for number, each in sorted(history.explained.items())}
    kinds = sorted({kind for counted in by_round.values() for kind in counted})
    if not kinds:
        return None
    rows: Rows = []
    for number, counted in by_round.items():
        for kind in kinds:
            tooltip = f"round {number}: {kind} {counted[kind]:,}"
            rows.append({"label": f"round {number}", "series": kind, "value": counted[kind], "tooltip": tooltip})
    table: Lines = [[f"round {number}", *(counted[kind] for kind in kinds)] for number, counted in by_round.items()]
    total = sum(counted.total() for counted in by_round.values())
    title = f"Teachers named the kind of a mistake {count(total, 'time')} in the student's answers."
    chart = stacked(rows, kinds, percent=False, title="times named")
    return Figure(
        title, Table(("round", *kinds), table), [chart], "As the explainers named them; one may name several."
    )


def _cures(history: History) -> Figure | None:
    if not any(history.explained.values()):
        return None
    cures = history.cures
    problems = len({(each.round, each.explained.problem_id) for each in cures})
    title = f"{count(len(cures), 'explanation')} preceded a cure, of {count(problems, 'problem')}."
    table: Lines = [
        [each.explained.problem_id, each.round, each.explained.author, each.explained.question, each.explained.text]
        for each in cures[:MOST_CURES]
    ]
    note = (
        "The exam before the lesson had the problem wrong, the next one right. That the explanation was the reason is "
        f"not shown. Of the last round nothing can be said before another exam. At most {MOST_CURES} are listed."
    )
    return Figure(
        title, Table(("problem", "round", "explained by", "question", "explanation"), table), (), note, wide=True
    )
