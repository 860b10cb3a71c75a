"""From the samples of an item to what counts as its answer, and the figures that several samples give."""

from __future__ import annotations

from collections.abc import Sequence

from errata.config.code import Reference
from errata.evals.results import Item, Sample
from errata.evals.stats import pass_at_k
from errata.evals.voting import WEIGHTINGS, Vote, Weighting, vote, weights_by


def verdict(samples: Sequence[Sample], how: Weighting | Reference | None) -> tuple[bool | float, str | None]:
    """`correct` and `answer` of an item: its one answer, the vote of several, without a vote the share of right ones.

    A vote that is not tied is right or wrong; one that ties has the share of right answers among those that tie.
    """
    if len(samples) == 1:
        return samples[0].correct, samples[0].answer
    if how is None:
        return sum(each.correct for each in samples) / len(samples), None
    result = vote_of(samples, how)
    answers = {each.group: each.answer for each in reversed(samples)}
    answer = answers[result.winners[0]] if result.winners else None
    return (bool(result.credit) if len(result.winners) < 2 else result.credit), answer


def vote_of(samples: Sequence[Sample], how: Weighting | Reference) -> Vote:
    """The vote over an item's samples."""
    return vote([each.group for each in samples], [each.correct for each in samples], weights_by(samples, how))


def several(items: Sequence[Item], own_vote: str | None = None) -> dict[str, list[float]]:
    """By name, each item's value of what its samples give: `pass@1`, and of k samples for k = 2, 4, 8, ... and all:
    `pass@k`, `maj@k`, with a ranker's scores `asc[w]@k` of all, and `vote[NAME]@k` where the items were decided by the
    vote of one's own with that name.

    pass@k is the unbiased estimate from all samples; maj@k the mean over as many disjoint groups of k as there are.
    """
    least = min((len(item.samples) for item in items), default=0)
    if not least:
        return {}
    sizes = sorted({*(2**power for power in range(1, 20) if 2**power < least), least} - {1})
    values = {"pass@1": [sum(each.correct for each in item.samples) / len(item.samples) for item in items]}
    for k in sizes:
        values[f"pass@{k}"] = [
            pass_at_k(len(item.samples), sum(each.correct for each in item.samples), k) for item in items
        ]
    for k in sizes:
        values[f"maj@{k}"] = [_by_groups(item.samples, k) for item in items]
    if least > 1 and any(each.score is not None for item in items for each in item.samples):
        for how in WEIGHTINGS[1:]:
            values[f"asc[{how}]@{least}"] = [vote_of(item.samples[:least], how).credit for item in items]
    if own_vote is not None:
        values[f"vote[{own_vote}]@{least}"] = [float(item.correct) for item in items]
    return values


def _by_groups(samples: Sequence[Sample], k: int) -> float:
    starts = range(0, len(samples) - k + 1, k)
    return sum(vote_of(samples[start : start + k], "majority").credit for start in starts) / len(starts)
