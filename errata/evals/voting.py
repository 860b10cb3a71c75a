"""One answer of several: majority (self-consistency) and votes weighted by a ranker's scores (ASC, arXiv 2312.12832).

    score(a) = sum of w(s_i) over the samples i that answer a,     w one of  1,  1 + 2 s,  1 + s,  s

A vote of one's own (`my_votes.py:NAME` in a recipe) is one function from an item's samples to a weight for each.
A sample without an answer has no vote. A missing score counts as the mean of the question's other scores. Answers that
tie for the most share the credit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum, isfinite
from typing import Literal, NamedTuple, get_args

from errata.config.code import Reference
from errata.errors import UsageError
from errata.evals.results import Manifest, Sample

Weighting = Literal["majority", "1+2s", "1+s", "s"]
WEIGHTINGS: tuple[Weighting, ...] = get_args(Weighting)
Weigh = Callable[[Sequence[Sample]], Sequence[float]]
"""A vote of one's own: an item's samples -> the weight of each, 0 or more."""


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


def weights_by(samples: Sequence[Sample], how: Weighting | Reference) -> list[float]:
    """Each sample's weight by a shipped weighting or by a vote of one's own. UsageError where that gives none."""
    if not isinstance(how, Reference):
        return weights_of([each.score for each in samples], how)
    weigh: Weigh = how.loaded
    try:
        weights = [float(weight) for weight in weigh(samples)]
    except Exception as error:
        raise UsageError(
            f"vote {how}: {type(error).__name__}: {error}", "it fails on an item's samples", "correct the function"
        ) from error
    if len(weights) != len(samples) or not all(isfinite(weight) and weight >= 0 for weight in weights):
        raise UsageError(
            f"vote {how} gives the weights {weights} to {len(samples)} samples",
            "a vote needs one weight per sample, a number of 0 or more",
            "return as many weights as there are samples, in their order",
        )
    return weights


def own_vote(manifest: Manifest) -> str | None:
    """The name of a vote of one's own; None for a shipped one and for none."""
    name = manifest.decoding.get("vote")
    return str(name) if name is not None and name not in WEIGHTINGS else None


def vote(answers: Sequence[int | None], right: Sequence[bool], weights: Sequence[float] | None = None) -> Vote:
    """The vote over one question's samples.

    Args:
        answers: each sample's answer as a number, equal for equivalent answers; None where it has none.
        right: whether each sample is right. An answer is as right as the first sample that gives it.
        weights: each sample's; by default all weigh the same (self-consistency).
    """
    weights = [1.0] * len(answers) if weights is None else weights
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
