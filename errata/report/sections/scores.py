"""The reviewers: how far they agree, who is lenient, what scores they give, and who judges whom how."""

from __future__ import annotations

from collections import Counter

from errata.report.charts import QUIET, RIGHT, WRONG, dots, matrix, stacked
from errata.report.figures import Figure, Lines, Rows, Table, listed, pct
from errata.report.log_totals import LogTotals
from errata.report.proportion import Share
from errata.report.sections.synthesis import RunView
from errata.runs.agreement import alpha

COUNTS = ("asked", "valid", "lost")


def figures(view: RunView) -> list[Figure | None]:
    """Those that the log has figures for."""
    return [_agreement(view), _leniency(view), _scores(view.totals), _who_judges_whom(view.totals)]


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
        return "All valid scores are the same, so that agreement cannot be measured."
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
            [name, *(by_reviewer[name][key] for key in COUNTS), n, f"{value:+.3f}", f"{low:+.3f} to {high:+.3f}"]
        )
    mild, strict = max(offsets, key=lambda name: offsets[name][0]), min(offsets, key=lambda name: offsets[name][0])
    highest, lowest = offsets[mild], offsets[strict]
    title = f"{mild} is the most lenient, {highest[0]:+.2f} points; {strict} the strictest, {lowest[0]:+.2f}."
    if highest[1] <= 0 and lowest[2] >= 0:
        title = "No reviewer is clearly more lenient than the others."
    return Figure(
        title,
        Table(("reviewer", *COUNTS, "with co-reviewers", "points above them", "95 % interval"), table),
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
    shades = [WRONG, "var(--wrong-soft)", QUIET, "var(--right-soft)", RIGHT]
    return Figure(
        _lenient_title({name: share.value or 0.0 for name, share in lenient.items()}),
        Table(("reviewer, rationales that are", "1", "2", "3", "4", "5"), table),
        [stacked(rows, ["1", "2", "3", "4", "5"], tones=shades)],
        "Scores from 1 to 5, right and wrong by the answer grader.",
    )


def _lenient_title(lenient: dict[str, float]) -> str:
    """`lenient`: by reviewer, the share of wrong rationales that got a 4 or 5."""
    first, *others = sorted(lenient, key=lambda name: -lenient[name]) or [""]
    if not others:
        return "Scores of right and of wrong rationales."
    if not lenient[first]:
        return "No reviewer gives a wrong rationale a 4 or 5."
    beyond = ", more than any other reviewer" if lenient[first] > lenient[others[0]] else ", and no reviewer more"
    return f"{first} gives {pct(lenient[first])} of wrong rationales a 4 or 5{beyond}."


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
    title = f"{best[0]} scores {best[1]} highest, {means[best]:.2f}; {worst[0]} {worst[1]} lowest, {means[worst]:.2f}."
    return Figure(
        title if means[best] > means[worst] else f"Every reviewer gives every author {means[best]:.2f} on average.",
        Table(("reviewer", *authors), table),
        [matrix(rows)],
        f"Mean score each reviewer (row) gives to each author (column): {listed(authors)}.",
    )
