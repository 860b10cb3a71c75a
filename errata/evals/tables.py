"""Evals and comparisons as tables for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from errata.errors import plain
from errata.evals.comparison import Comparison, Difference, Interval
from errata.evals.reasoning import kind_of
from errata.evals.results import Eval
from errata.runs.progress import money
from errata.runs.tables import show, table

_P_SHOWN = 0.001


def share(interval: dict[str, Any] | Interval) -> str:
    """`12.0 [7.0, 19.8]`, in percent."""
    bounds = interval if isinstance(interval, dict) else {k: getattr(interval, k) for k in ("value", "low", "high")}
    return f"{100 * bounds['value']:.1f} [{100 * bounds['low']:.1f}, {100 * bounds['high']:.1f}]"


def points(interval: Interval) -> str:
    """`+3.5 [-1.0, +8.0]`, in percentage points."""
    return f"{100 * interval.value:+.1f} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"


def show_evals(evals: Sequence[Eval], console: Console | None = None) -> None:
    """For each task accuracy with its interval, truncated answers and tokens, and what several samples give."""
    tasks = list(dict.fromkeys(task for each in evals for task in each.summary.get("tasks", {})))
    parts = []
    for task in tasks:
        of_task = [(each.name, each.summary["tasks"][task]) for each in evals if task in each.summary.get("tasks", {})]
        parts.append(_accuracies(task, of_task))
        if sampled := [(name, figures) for name, figures in of_task if "pass@1" in figures]:
            parts.append(_samples(task, sampled))
        if any(figures["mistakes"] for _, figures in of_task):
            parts.append(_mistakes(task, of_task))
    if any(each.summary.get("key_steps") for each in evals):
        parts.append(_key_steps(evals))
    show(parts, console)


def _accuracies(task: str, evals: Sequence[tuple[str, dict[str, Any]]]) -> RenderableType:
    rows = [
        (name, figures["n"], share(figures["accuracy"]), figures["truncated"], f"{figures['tokens_mean']:.0f}")
        for name, figures in evals
    ]
    graders = sorted({figures["grader"] for _, figures in evals if "grader" in figures})
    by = f", graded by {', '.join(graders)}" if graders else ""
    title = f"{_name(task, evals[0][1]['split'])}, accuracy in % with its 95 % interval{by}"
    return table(title, ("eval", "items", "accuracy", "truncated", "tokens per item"), rows)


def _samples(task: str, evals: Sequence[tuple[str, dict[str, Any]]]) -> RenderableType:
    names = list(dict.fromkeys(name for _, figures in evals for name in figures if "@" in name))
    rows = [(name, *(share(figures[name]) if name in figures else None for _, figures in evals)) for name in names]
    return table(f"{task}, of the same samples", ("", *(name for name, _ in evals)), rows)


def _mistakes(task: str, evals: Sequence[tuple[str, dict[str, Any]]]) -> RenderableType:
    counts = [Counter[str]() for _ in evals]
    for count, (_, figures) in zip(counts, evals, strict=True):
        for flaw, number in figures["mistakes"].items():
            count[kind_of(flaw)] += number
    rows = [(kind, *(count[kind] for count in counts)) for kind in sum(counts, Counter())]
    return table(f"{task}, mistakes by kind", ("first flaw", *(name for name, _ in evals)), rows)


def _key_steps(evals: Sequence[Eval]) -> RenderableType:
    rows = []
    for each in evals:
        figures = each.summary.get("key_steps") or {}
        done, likelihood = figures.get("done"), figures.get("likelihood") or {}
        rows.append(
            (
                each.name,
                share(done) if done else None,
                *(_nats(likelihood.get(name)) for name in ("key_right_nll", "key_wrong_nll")),
                share(likelihood["prefers_right"]) if likelihood else None,
            )
        )
    headings = ("eval", "done, %", "nats, right", "nats, wrong", "right likelier, %")
    return table("Key steps of dual pairs", headings, rows)


def _nats(interval: dict[str, Any] | None) -> str | None:
    if interval is None:
        return None
    if interval["low"] is None:  # one problem tells nothing of others
        return f"{interval['value']:.2f}"
    return f"{interval['value']:.2f} [{interval['low']:.2f}, {interval['high']:.2f}]"


def show_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Accuracies, then differences in percentage points, then what a reader has to know."""
    parts: list[RenderableType] = []
    for task in comparison.tasks:
        parts.append(_figures(task, comparison))
        differences = [each for each in comparison.differences if each.task == task]
        if claims := [each for each in differences if each.claim is not None]:
            parts.append(_claims(task, claims))
        if exploratory := [each for each in differences if each.claim is None]:
            parts.append(_exploratory(task, exploratory))
        if mistakes := [each for each in comparison.mistakes() if each["task"] == task]:
            parts.append(_mistake_changes(task, mistakes))
    if comparison.notes:
        parts.append(Text("\n".join(f"note: {plain(note)}" for note in comparison.notes)))
    if comparison.differences:
        parts.append(Text("\n".join(plain(line) for line in comparison.methods())))
    show(parts, console)


def _mistake_changes(task: str, mistakes: Sequence[dict[str, Any]]) -> RenderableType:
    kinds = list(dict.fromkeys(kind_of(each["kind"]) for each in mistakes))
    cured, introduced = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for each in mistakes:
        cured[each["arm"], kind_of(each["kind"])] += each["cured"]
        introduced[each["arm"], kind_of(each["kind"])] += each["introduced"]
    rows = [
        (arm, *(f"{cured[arm, kind]}:{introduced[arm, kind]}" for kind in kinds))
        for arm in dict.fromkeys(each["arm"] for each in mistakes)
    ]
    return table(f"{task}, mistakes cured:introduced against the untouched student", ("arm", *kinds), rows)


def _figures(task: str, comparison: Comparison) -> RenderableType:
    figures = [each for each in comparison.figures if each.task == task]
    arms = {arm.name: arm for arm in comparison.arms}
    rows = [
        (
            each.arm,
            each.n,
            share(each.accuracy),
            " ".join(f"{100 * value:.1f}" for _, value in each.by_seed) or None,
            each.truncated or None,
            f"{each.tokens_mean:.0f}" if each.tokens_mean else None,
            _whole(arms[each.arm].target_tokens),
            None if arms[each.arm].cost_usd is None else money(arms[each.arm].cost_usd),
        )
        for each in figures
    ]
    headings = ("arm", "items", "accuracy, %", "by seed", "truncated", "tokens", "trained on", "data cost")
    return _filled(_name(task, figures[0].split), headings, rows)


def _name(task: str, split: str | None = None) -> str:
    """A task in a title, with its split where one is known; items of a bare file belong to none."""
    return (task or "items") + (f" ({split})" if split else "")


def _filled(title: str, headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> RenderableType:
    """The table without the columns in which nothing stands."""
    filled = [place for place in range(len(headings)) if any(row[place] is not None for row in rows)]
    return table(title, [headings[place] for place in filled], [[row[place] for place in filled] for row in rows])


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


HEADINGS = ("difference", "points", "by seed", "won:lost", "p", "adjusted p", "equal tokens", "verdict", "could show")


def _claims(task: str, claims: Sequence[Difference]) -> RenderableType:
    rows = [(each.claim, *_difference(each)) for each in claims]
    return _filled(f"{_name(task)}, claims: differences in points, corrected by Holm", ("claim", *HEADINGS), rows)


def _exploratory(task: str, differences: Sequence[Difference]) -> RenderableType:
    title = f"{_name(task)}, exploratory: differences in points with their 95 % interval, uncorrected"
    return _filled(title, HEADINGS, [_difference(each) for each in differences])


def _difference(each: Difference) -> tuple[Any, ...]:
    return (
        f"{each.arm} - {each.against}",
        points(each.difference),
        " ".join(f"{100 * one.value:+.1f}" for _, one in each.by_seed) or None,
        None if each.only_arm is None else f"{each.only_arm}:{each.only_against}",
        probability(each.p),
        probability(each.p_adjusted),
        {None: None, True: "yes", False: "no"}[each.equal_tokens],
        each.verdict,
        could_show(each.detectable),
    )


def could_show(detectable: float | None) -> str:
    """The smallest difference that could have been shown, in points."""
    return "none" if detectable is None else f"{100 * detectable:.1f}"


def probability(p: float | None) -> str | None:
    if p is None:
        return None
    return f"< {_P_SHOWN}" if p < _P_SHOWN else f"{p:.3f}"
