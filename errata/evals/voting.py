"""One answer of several: majority (self-consistency) and votes weighted by a ranker's scores (ASC, arXiv 2312.12832).

    score(a) = sum of w(s_i) over the samples i that answer a,     w one of  1,  1 + 2 s,  1 + s,  s

A sample without an answer has no vote. A missing score counts as the mean of the question's other scores. Answers that
tie for the most share the credit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import fsum
from typing import Literal, NamedTuple, get_args

Weighting = Literal["majority", "1+2s", "1+s", "s"]
WEIGHTINGS: tuple[Weighting, ...] = get_args(Weighting)
Same = Callable[[str, str], Awaitable[bool]]


class Vote(NamedTuple):
    """`winners` are the answers with the most weight, by number, in order of first appearance; `credit` the share of
    them that is right. No winner where no sample has an answer: then the credit is 0."""

    winners: tuple[int, ...]
    credit: float


def weights_of(scores: Sequence[float | None], weighting: Weighting) -> list[float]:
    """Each sample's weight. Without any score every sample weighs the same."""
    known = [score for score in scores if score is not None]
    if weighting == "majority" or not known:
        return [1.0] * len(scores)
    middle = fsum(known) / len(known)
    filled = [middle if score is None else score for score in scores]
    match weighting:
        case "1+2s":
            return [1 + 2 * score for score in filled]
        case "1+s":
            return [1 + score for score in filled]
        case "s":
            return filled


def vote(
    answers: Sequence[int | None],
    right: Sequence[bool],
    scores: Sequence[float | None] | None = None,
    weighting: Weighting = "majority",
) -> Vote:
    """The vote over one question's samples.

    Args:
        answers: each sample's answer as a number, equal for equivalent answers; None where it has none.
        right: whether each sample is right. An answer is as right as the first sample that gives it.
        scores: the ranker's, None where it gave none.
    """
    weights = weights_of(scores if scores is not None else [None] * len(answers), weighting)
    ballots: dict[int, list[float]] = {}
    is_right: dict[int, bool] = {}
    for answer, correct, weight in zip(answers, right, weights, strict=True):
        if answer is not None:
            ballots.setdefault(answer, []).append(weight)
            is_right.setdefault(answer, correct)
    if not ballots:
        return Vote((), 0.0)
    totals = {answer: fsum(given) for answer, given in ballots.items()}  # exactly rounded: order makes no winner
    most = max(totals.values())
    winners = tuple(answer for answer, total in totals.items() if total == most)
    return Vote(winners, sum(is_right[answer] for answer in winners) / len(winners))


async def grouped(answers: Sequence[str | None], same: Same) -> list[int | None]:
    """Answers as numbers, equal for those that `same` finds equivalent, counted in order of first appearance."""
    groups: list[str] = []
    numbers: list[int | None] = []
    for answer in answers:
        if answer is None:
            numbers.append(None)
            continue
        place = groups.index(answer) if answer in groups else None
        if place is None:
            for known, first in enumerate(groups):
                if await same(first, answer):
                    place = known
                    break
        if place is None:
            groups.append(answer)
            place = len(groups) - 1
        numbers.append(place)
    return numbers
