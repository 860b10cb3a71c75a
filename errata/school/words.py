"""Figures of a school in words, as its card and its page have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from errata.report.figures import count
from errata.runs.progress import money
from errata.school.figures import Amount, Explained, NextPoint, kinds_of_mistakes
from errata.school.record import Accuracy, Gain, Round, School


def interval(accuracy: Accuracy) -> str:
    """In percent."""
    return f"{100 * accuracy.value:.1f} [{100 * accuracy.low:.1f}, {100 * accuracy.high:.1f}]"


def points(gain: Gain) -> str:
    return f"{100 * gain.difference:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def verdict(done: Round) -> str | None:
    """Of a judged round, and whether its training was repeated."""
    if done.gain is None:
        return None
    return done.gain.verdict + (" (repeated at half the rate)" if done.repeated else "")


def mastered(done: Round) -> str | None:
    return None if done.mastered is None else f"{100 * done.mastered:.1f} %"


def forgotten(done: Round) -> str | None:
    """In points."""
    return None if done.forgotten is None else f"{100 * done.forgotten:+.1f}"


def sums(school: School) -> str:
    """What the school took in all."""
    paid = [school.start.dollars, *(each.dollars for each in school.rounds)]
    known = [each for each in paid if each is not None]
    dollars = money(sum(known)) if len(known) == len(paid) else "dollars unknown"
    tokens = sum(each.teacher_tokens for each in school.rounds)
    own = school.start.own_tokens + sum(each.own_tokens for each in school.rounds)
    hours = school.start.hours + sum(each.hours for each in school.rounds)
    return f"in all: {tokens:,} teacher tokens, {own:,} of the student's own, {dollars}, {hours:.2f} hours"


def cost(point: NextPoint | None) -> str:
    """What the next point of accuracy costs, by the last judged round."""
    if point is None:
        return "cost of the next point: cannot be said, since no gain is shown in the last round that was judged"
    dollars = "dollars unknown" if point.dollars is None else _range(point.dollars, money)
    tokens = _range(point.teacher_tokens, lambda value: f"{value:,.0f}")
    return (
        f"cost of the next point, were it as dear as in round {point.round}: {tokens} teacher tokens, {dollars}; the "
        "bounds are those of that round's gain"
    )


def mistakes(explained: Sequence[Explained]) -> str:
    """How many were explained, and of which kinds."""
    kinds = kinds_of_mistakes(explained)
    named = ", ".join(f"{kind} {number}" for kind, number in kinds.most_common()) or "no kinds named"
    return f"{count(len(explained), 'explanation')} of the student's mistakes: {named}"


def _range(amount: Amount, text: Callable[[float], str]) -> str:
    return f"{text(amount.value)} [{text(amount.low)}, {text(amount.high)}]"
