"""The panel: precision and recall of its verdicts, by teacher and threshold; agreement and leniency of reviewers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from errata.graphs.stages.peer_review import PEER_REVIEW
from errata.report.charts import THIRD, WIDTH, dots, lines
from errata.report.figures import Cell, Chart, Figure, Lines, Rows, Section, Table, listed, pct
from errata.report.log_totals import LogTotals, Scored
from errata.report.proportion import Share
from errata.report.sections import scores
from errata.report.sections.synthesis import RunView

EVERYONE = "all teachers"
TRUTHS = {"correct": "against the answer", "sound": "against soundness"}
ALL = 50
"""A threshold below every score, in hundredths."""
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
        *scores.figures(view),
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
    return Figure(
        _verdicts_title(base, right, recalled),
        Table(headings, table),
        charts,
        "Drafts and revisions with a verdict. Lines show 95 % Wilson intervals. " + _control(view),
        wide=True,
    )


def _verdicts_title(base: Share, right: Share, recalled: Share) -> str:
    """`base`: right ones of the judged, `right`: of the accepted, `recalled`: accepted ones of the right."""
    if not right.whole:
        of_them = f", {pct(base.value)} of which are right" if base.part else ""
        return f"The panel accepts not one of the {base.whole:,} rationales that it judged{of_them}."
    if not right.part:
        return f"Not one of the {right.whole:,} rationales that the panel accepts is right."
    if (right.value or 0) > (base.value or 0):
        return (
            f"Review raises the share of right rationales from {pct(base.value)} to {pct(right.value)}, "
            f"and keeps {pct(recalled.value)} of the right ones."
        )
    if right.value == base.value:
        return f"{pct(right.value)} of what the panel accepts is right, as of what it judged."
    return f"{pct(right.value)} of what the panel accepts is right, {pct(base.value)} of what it judged."


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
    if not low[2].whole:
        return "Not one of the judged rationales is right, so that no threshold would find one."
    if high is low:
        return f"Above a mean score of {low[0]:g} precision is {pct(low[1].value)} and recall {pct(low[2].value)}."
    moves = f"{_moved('precision', low[1], high[1])} and {_moved('recall', low[2], high[2])}"
    return f"Raising the threshold from {low[0]:g} to {high[0]:g} would {moves}."


def _moved(name: str, low: Share, high: Share) -> str:
    if pct(low.value) == pct(high.value):
        return f"leave {name} at {pct(low.value)}"
    return f"move {name} from {pct(low.value)} to {pct(high.value)}"


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
    return Figure(
        _recall_title({author: recall(_of(totals, author), "correct") for author in authors}),
        Table(("teacher", "threshold", "precision", "recall"), table),
        charts,
        "Precision and recall against the answer over the threshold of the mean score, teacher by teacher.",
        wide=True,
    )


def _recall_title(recalls: dict[str, Share]) -> str:
    shares = {author: share.value for author, share in recalls.items() if share.value is not None}
    if not shares:
        return "No teacher wrote a right rationale that the panel judged."
    low, high = min(shares, key=lambda author: shares[author]), max(shares, key=lambda author: shares[author])
    if shares[low] == shares[high]:
        return f"The panel keeps {pct(shares[low])} of the right rationales of {listed(sorted(shares))}."
    return f"The panel keeps {pct(shares[low])} of {low}'s right rationales and {pct(shares[high])} of {high}'s."
