"""From the samples of an item to what counts as its answer, and the figures that several samples give."""

from __future__ import annotations

from collections.abc import Sequence

from errata.evals.results import Item, Sample
from errata.evals.stats import pass_at_k
from errata.evals.voting import WEIGHTINGS, Vote, Weighting, vote


def verdict(samples: Sequence[Sample], how: Weighting | None) -> tuple[bool | float, str | None]:
    """`correct` and `answer` of an item: its one answer, the vote of several, without a vote the share of right ones.

    A vote that is not tied is right or wrong; one that ties has the share of right answers among those that tie.
    """
    if len(samples) == 1:
        return samples[0].correct, samples[0].answer
    if how is None:
        return sum(each.correct for each in samples) / len(samples), None
    found = voted(samples, how)
    answers = {each.group: each.answer for each in reversed(samples)}
    answer = answers[found.winners[0]] if found.winners else None
    return (bool(found.credit) if len(found.winners) < 2 else found.credit), answer


def voted(samples: Sequence[Sample], how: Weighting) -> Vote:
    return vote(
        [each.group for each in samples],
        [each.correct for each in samples],
        [each.score for each in samples],
        how,
    )


def several(items: Sequence[Item]) -> dict[str, list[float]]:
    """By name, each item's value of what its samples give: `pass@1`, and of k samples for k = 2, 4, 8, ... and all:
    `pass@k`, `maj@k`, and with a ranker's scores `asc[w]@k` of all.

    pass@k is the unbiased estimate from all samples; maj@k the mean over as many disjoint groups of k as there are.
    """
    least = min((len(item.samples) for item in items), default=0)
    if not least:
        return {}
    sizes = sorted({*(2**power for power in range(1, 20) if 2**power < least), least} - {1})
    found = {"pass@1": [sum(each.correct for each in item.samples) / len(item.samples) for item in items]}
    for k in sizes:
        found[f"pass@{k}"] = [
            pass_at_k(len(item.samples), sum(each.correct for each in item.samples), k) for item in items
        ]
    for k in sizes:
        found[f"maj@{k}"] = [_by_groups(item.samples, k) for item in items]
    if least > 1 and any(each.score is not None for item in items for each in item.samples):
        for how in WEIGHTINGS[1:]:
            found[f"asc[{how}]@{least}"] = [voted(item.samples[:least], how).credit for item in items]
    return found


def _by_groups(samples: Sequence[Sample], k: int) -> float:
    starts = range(0, len(samples) - k + 1, k)
    return sum(voted(samples[start : start + k], "majority").credit for start in starts) / len(starts)
