"""The panel: precision and recall of its verdicts, by teacher and threshold; agreement and leniency of reviewers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from errata.graphs.stages.peer_review import PEER_REVIEW
from errata.report.charts import QUIET, RIGHT, THIRD, WIDTH, WRONG, dots, lines, matrix, stacked
from errata.report.figures import Cell, Chart, Figure, Lines, Rows, Section, Table, listed, pct
from errata.report.log_totals import LogTotals, Scored
from errata.report.proportion import Share
from errata.report.sections.synthesis import RunView
from errata.runs.status import alpha

EVERYONE = "all teachers"
TRUTHS = {"correct": "against the answer", "sound": "against soundness"}
ALL = 50
"""A threshold below every score, in hundredths."""
ASKED = ("asked", "valid", "lost")
MOST_TEACHERS = 8
"""Small multiples drawn; the table has them all."""


def section(view: RunView) -> Section | None:
    """None where no panel sat."""
    if not view.paneled:
        return None
    figures = [
        _verdicts(view),
        _thresholds(view),
        _by_teacher(view),
        _agreement(view),
        _leniency(view),
        _scores(view.totals),
        _who_judges_whom(view.totals),
    ]
    return Section("panel", "Peer review", _lede(view), [each for each in figures if each])


def _lede(view: RunView) -> str:
    judged = view.status["acceptance"]["judged"]
    rule = view.recipe.settings.of(PEER_REVIEW) if view.recipe else None
    how = f" The rule was {_rule(rule)}." if rule else ""
    known = " Soundness is known here: every step was checked." if view.status["acceptance"]["sound"] else ""
    return (
        f"Reviewers gave a verdict on {judged:,} rationales, never on their own.{how} Precision is the share of the "
        f"accepted that are right, recall the share of the right ones that are accepted.{known}"
    )


def _rule(settings: Any) -> str:
    accept, sight = settings.accept, "blind" if settings.blind else "with the gold answer shown"
    words = {
        "mean": f"a mean score above {accept.threshold:g}",
        "min": f"every score above {accept.threshold:g}",
        "k_of_n": f"at least {accept.k} scores above {accept.threshold:g}",
        "veto": f"a mean score above {accept.threshold:g} and none of {accept.veto_at} or less",
    }
    return f"{words.get(accept.rule, accept.rule)}, {sight}"


# ---- verdicts --------------------------------------------------------------------------------------------------------


def precision(judged: Iterable[tuple[Scored, int]], truth: str, threshold: int | None = None) -> Share:
    """Of the accepted (None: by the panel's own rule; else by mean score in hundredths), the share that is true."""
    known = [(each, n) for each, n in judged if getattr(each, truth) is not None and _accepts(each, threshold)]
    return Share(sum(n for each, n in known if getattr(each, truth)), sum(n for _, n in known))


def recall(judged: Iterable[tuple[Scored, int]], truth: str, threshold: int | None = None) -> Share:
    known = [(each, n) for each, n in judged if getattr(each, truth)]
    return Share(sum(n for each, n in known if _accepts(each, threshold)), sum(n for _, n in known))


def _accepts(each: Scored, threshold: int | None) -> bool:
    return each.accepted if threshold is None else each.points is not None and each.points > threshold


def _truths(totals: LogTotals) -> list[str]:
    return [name for name in TRUTHS if any(getattr(each, name) is not None for each in totals.scored)]


def _of(totals: LogTotals, author: str = EVERYONE) -> list[tuple[Scored, int]]:
    return [(each, n) for each, n in totals.scored.items() if author in (EVERYONE, each.author)]


def _authors(totals: LogTotals) -> list[str]:
    return sorted({each.author for each in totals.scored})


def _verdicts(view: RunView) -> Figure:
    totals, truths = view.totals, _truths(view.totals)
    authors = [EVERYONE, *_authors(totals)] if len(_authors(totals)) > 1 else _authors(totals)
    rows: dict[str, list[dict[str, Any]]] = {"precision": [], "recall": []}
    table: Lines = []
    for author in authors:
        judged = _of(totals, author)
        line: list[Cell] = [author, sum(n for _, n in judged)]
        for truth in truths:
            for name, measure in (("precision", precision), ("recall", recall)):
                share = measure(judged, truth)
                line.append(share.text())
                if share.whole:
                    tooltip = f"{author}, {name} {TRUTHS[truth]}: {share.text()}"
                    rows[name].append({"label": author, "series": TRUTHS[truth], **share.row(), "tooltip": tooltip})
        table.append(line)
    headings = ("teacher", "judged", *(f"{name} {TRUTHS[t]}" for t in truths for name in rows))
    charts = [dots(rows[name], [TRUTHS[t] for t in truths], domain=_room(rows[name])).named(name) for name in rows]
    everyone = _of(totals)
    right, recalled = precision(everyone, "correct"), recall(everyone, "correct")
    base = Share(sum(n for each, n in everyone if each.correct), sum(n for _, n in everyone))
    title = (
        f"Review raises the share of right rationales from {pct(base.value)} to {pct(right.value)}, "
        f"and keeps {pct(recalled.value)} of the right ones."
        if (right.value or 0) > (base.value or 0)
        else f"{pct(right.value)} of what the panel accepts is right, {pct(base.value)} of what it judged."
    )
    return Figure(
        title,
        Table(headings, table),
        charts,
        "Drafts and revisions with a verdict. Lines show 95 % Wilson intervals. " + _control(view),
        wide=True,
    )


def _control(view: RunView) -> str:
    sound = view.status["acceptance"]["sound"]
    if not sound or sound["precision"] is None or sound["grader_only_precision"] is None:
        return ""
    return (
        f"The answer grader alone would accept texts of which {pct(sound['grader_only_precision'], 1)} are sound; "
        f"of those the panel accepts, {pct(sound['precision'], 1)} are."
    )


def _room(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """A scale from a round share below every interval to 1."""
    lowest = min((row["low"] for row in rows), default=0.0)
    return max(0.0, int(lowest * 10) / 10), 1.0


# ---- thresholds ------------------------------------------------------------------------------------------------------


def curve(judged: list[tuple[Scored, int]], truth: str) -> list[tuple[float, Share, Share]]:
    """(threshold, precision, recall): a mean score above the threshold accepts. From ALL, which every score exceeds, at
    every mean score that occurs but the highest."""
    points = sorted({each.points for each, _ in judged if each.points is not None})
    return [(p / 100, precision(judged, truth, p), recall(judged, truth, p)) for p in (ALL, *points[:-1])]


def _curve_rows(judged: list[tuple[Scored, int]], truth: str) -> list[dict[str, Any]]:
    rows: Rows = []
    for threshold, right, recalled in curve(judged, truth):
        for name, share in (("precision", right), ("recall", recalled)):
            if share.whole:
                tooltip = f"threshold {threshold:g}: {name} {share.text()}"
                rows.append({"x": threshold, "series": name, "value": share.value, "tooltip": tooltip})
    return rows


def _threshold(view: RunView) -> float | None:
    accept = view.recipe.settings.of(PEER_REVIEW).accept if view.recipe else None
    return accept.threshold if accept else None


def _thresholds(view: RunView) -> Figure | None:
    judged, truths, rule = _of(view.totals), _truths(view.totals), _threshold(view)
    curves = {truth: curve(judged, truth) for truth in truths}
    points = curves["correct"]
    if len(points) < 2:
        return None
    charts = [
        _curves(_curve_rows(judged, truth), rule).named(TRUTHS[truth]) for truth in truths
    ]  # fmt: skip
    headings = ("threshold", *(f"{name} {TRUTHS[t]}" for t in truths for name in ("precision", "recall")))
    table: Lines = [
        [f"{points[place][0]:g}", *(share.text() for truth in truths for share in curves[truth][place][1:])]
        for place in range(len(points))
    ]
    return Figure(
        _at_thresholds(points, rule),
        Table(headings, table),
        charts,
        "A rationale is accepted where its mean valid score exceeds the threshold, whatever rule the recipe had"
        + (f"; the dotted line is the recipe's {rule:g}." if rule is not None else "."),
        wide=True,
    )


def _curves(rows: list[dict[str, Any]], rule: float | None, width: int = WIDTH) -> Chart:
    return lines(
        rows, ["precision", "recall"], x_title="threshold of the mean score", rule=rule, domain=(0, 1), points=True,
        width=width, interpolate="step-after",
    )  # fmt: skip


def _at_thresholds(points: list[tuple[float, Share, Share]], rule: float | None) -> str:
    low = next((each for each in reversed(points) if each[0] <= (rule or 0)), points[0])
    high = next((each for each in points if each[0] > low[0]), low)
    if high is low:
        return f"Above a mean score of {low[0]:g} precision is {pct(low[1].value)} and recall {pct(low[2].value)}."
    return (
        f"Raising the threshold from {low[0]:g} to {high[0]:g} would move precision from {pct(low[1].value)} to "
        f"{pct(high[1].value)} and recall from {pct(low[2].value)} to {pct(high[2].value)}."
    )


def _by_teacher(view: RunView) -> Figure | None:
    totals, rule, authors = view.totals, _threshold(view), _authors(view.totals)
    if len(authors) < 2:
        return None
    table: Lines = []
    for author in authors:
        for threshold, *shares in curve(_of(totals, author), "correct"):
            table.append([author, f"{threshold:g}", *(share.text() for share in shares)])
    charts = [
        _curves(_curve_rows(_of(totals, author), "correct"), rule, THIRD).named(author)
        for author in authors[:MOST_TEACHERS]
    ]
    recalls = {author: recall(_of(totals, author), "correct").value or 0.0 for author in authors}
    low, high = min(authors, key=lambda author: recalls[author]), max(authors, key=lambda author: recalls[author])
    title = f"The panel keeps {pct(recalls[low])} of {low}'s right rationales and {pct(recalls[high])} of {high}'s."
    return Figure(
        title,
        Table(("teacher", "threshold", "precision", "recall"), table),
        charts,
        "Precision and recall against the answer over the threshold of the mean score, teacher by teacher.",
        wide=True,
    )


# ---- reviewers -------------------------------------------------------------------------------------------------------


def pair_alpha(scores: Counter[tuple[int, int]]) -> float | None:
    """Krippendorff's ordinal alpha of two reviewers over the rationales that both scored."""
    patterns: Counter[tuple[int, ...]] = Counter()
    for pair, n in scores.items():
        patterns[tuple(pair.count(score) for score in range(1, 6))] += n
    return alpha(patterns)


def _agreement(view: RunView) -> Figure | None:
    pairs = view.totals.score_pairs
    if not pairs:
        return None
    overall, units = view.status["agreement"]["alpha"], view.status["agreement"]["units"]
    rows: Rows = []
    table: Lines = []
    for (one, other), scores in sorted(pairs.items()):
        value, n = pair_alpha(scores), scores.total()
        same = Share(sum(count for (a, b), count in scores.items() if a == b), n)
        near = Share(sum(count for (a, b), count in scores.items() if abs(a - b) <= 1), n)
        text = "-" if value is None else f"{value:.2f}"
        tooltip = f"{one} and {other}: alpha {text}, same score {pct(same.value)}, n {n:,}"
        for left, right in ((one, other), (other, one)):
            rows.append(
                {"label": left, "series": right, "value": max(0.0, value or 0.0), "text": text, "tooltip": tooltip}
            )
        table.append([f"{one}, {other}", n, text, same.text(), near.text()])
    names = sorted({name for pair in pairs for name in pair})
    rows += [{"label": n, "series": n, "value": 0, "text": "", "tooltip": n} for n in names]
    rows.sort(key=lambda row: (names.index(row["label"]), names.index(row["series"])))
    return Figure(
        _alpha_title(overall, units),
        Table(("reviewers", "rationales", "alpha", "same score", "at most one apart"), table),
        [matrix(rows)],
        "Krippendorff's alpha (ordinal): 1 is full agreement, 0 what chance gives; he asks for 0.80, and for 0.667 "
        "where conclusions may be tentative. Each cell is one pair of reviewers over the rationales both scored.",
    )


def _alpha_title(overall: float | None, units: int) -> str:
    if overall is None:
        return "All valid scores are the same, so that agreement cannot be view."
    levels = ((0.8, "reliably"), (0.667, "well enough for tentative conclusions"), (1e-9, "only loosely"))
    level = next((word for least, word in levels if overall >= least), "no better than chance")
    return f"Reviewers agree {level}: alpha {overall:.2f} over {units:,} rationales."


def _leniency(view: RunView) -> Figure | None:
    totals, by_reviewer = view.totals, view.status["reviewers"]
    offsets = {name: offset.interval() for name, offset in sorted(totals.offsets.items()) if offset.n}
    if len(offsets) < 2:
        return None
    rows: Rows = []
    table: Lines = []
    for name, (value, low, high) in offsets.items():
        n = totals.offsets[name].n
        tooltip = f"{value:+.2f} points ({low:+.2f} to {high:+.2f}), n {n:,}"
        rows.append(
            {"label": name, "series": "", "value": value, "low": low, "high": high, "tooltip": f"{name}: {tooltip}"}
        )
        table.append(
            [name, *(by_reviewer[name][key] for key in ASKED), n, f"{value:+.3f}", f"{low:+.3f} to {high:+.3f}"]
        )
    mild, strict = max(offsets, key=lambda name: offsets[name][0]), min(offsets, key=lambda name: offsets[name][0])
    highest, lowest = offsets[mild], offsets[strict]
    title = f"{mild} is the most lenient, {highest[0]:+.2f} points; {strict} the strictest, {lowest[0]:+.2f}."
    if highest[1] <= 0 and lowest[2] >= 0:
        title = "No reviewer is clearly more lenient than the others."
    return Figure(
        title,
        Table(("reviewer", *ASKED, "with co-reviewers", "points above them", "95 % interval"), table),
        [dots(rows, [""], form="+.2~f", rule=0, title="points above the mean of the co-reviewers")],
        "Difference to the mean of the other reviewers of the same rationale, with a normal 95 % interval.",
    )


def _scores(totals: LogTotals) -> Figure | None:
    reviewers = sorted({name for name, _, _ in totals.scores})
    rows: Rows = []
    table: Lines = []
    for reviewer in reviewers:
        for right in (True, False):
            counts = [totals.scores[reviewer, score, right] for score in range(1, 6)]
            label = f"{reviewer}, {'right' if right else 'wrong'}"
            table.append([label, *counts])
            for score, n in enumerate(counts, 1):
                tooltip = f"{label} rationales: score {score} given {n:,} times, {pct(n / sum(counts)) if n else '0 %'}"
                rows.append({"label": label, "series": str(score), "value": n, "tooltip": tooltip})
    if not rows:
        return None
    lenient = {name: Share(*_high(totals, name)) for name in reviewers}
    lenient = {name: share for name, share in lenient.items() if share.whole}
    worst = max(lenient, key=lambda name: lenient[name].value or 0, default=None)
    title = (
        f"{worst} gives {pct(lenient[worst].value)} of wrong rationales a 4 or 5, more than any other reviewer."
        if worst and len(lenient) > 1
        else "Scores of right and of wrong rationales."
    )
    shades = [WRONG, "var(--wrong-soft)", QUIET, "var(--right-soft)", RIGHT]
    return Figure(
        title,
        Table(("reviewer, rationales that are", "1", "2", "3", "4", "5"), table),
        [stacked(rows, ["1", "2", "3", "4", "5"], tones=shades)],
        "Scores from 1 to 5, right and wrong by the answer grader.",
    )


def _high(totals: LogTotals, reviewer: str) -> tuple[int, int]:
    wrong = [totals.scores[reviewer, score, False] for score in range(1, 6)]
    return sum(wrong[3:]), sum(wrong)


def _who_judges_whom(totals: LogTotals) -> Figure | None:
    reviewers = sorted({reviewer for reviewer, _ in totals.given})
    authors = sorted({author for _, author in totals.given})
    if len(authors) < 2 or len(reviewers) < 2:
        return None
    means = {key: total / n for key, (n, total) in totals.given.items()}
    low, high = min(means.values()) - 0.2, max(means.values())
    rows: Rows = []
    table: Lines = []
    for reviewer in reviewers:
        values = [means.get((reviewer, author)) for author in authors]
        table.append([reviewer, *(None if value is None else f"{value:.2f}" for value in values)])
        for author, value in zip(authors, values, strict=True):
            shade = 0.0 if value is None else (value - low) / (high - low)
            text = "" if value is None else f"{value:.2f}"
            tooltip = f"{reviewer} gives {author} {text} on average" if text else f"{reviewer} never judges {author}"
            rows.append({"label": reviewer, "series": author, "value": shade, "text": text, "tooltip": tooltip})
    best = max(means, key=lambda key: means[key])
    worst = min(means, key=lambda key: means[key])
    return Figure(
        f"{best[0]} scores {best[1]} highest, {means[best]:.2f}; {worst[0]} {worst[1]} lowest, {means[worst]:.2f}.",
        Table(("reviewer", *authors), table),
        [matrix(rows)],
        f"Mean score each reviewer (row) gives to each author (column): {listed(authors)}.",
    )
