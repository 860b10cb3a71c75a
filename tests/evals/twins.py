"""Slow twins: the same figures by plain loops, exact fractions and whole enumerations."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np


def vote_credit(
    answers: Sequence[int | None], right: Sequence[bool], scores: Sequence[float | None], weighting: str
) -> tuple[set[int], Fraction]:
    """Winners and credit of a vote, in exact arithmetic."""
    known = [Fraction(score) for score in scores if score is not None]
    total: dict[int, Fraction] = {}
    truth: dict[int, bool] = {}
    for answer, correct, score in zip(answers, right, scores, strict=True):
        if answer is None:
            continue
        s = Fraction(score) if score is not None else sum(known, Fraction(0)) / len(known) if known else None
        if weighting == "majority" or s is None:
            weight = Fraction(1)
        else:
            weight = {"1+2s": 1 + 2 * s, "1+s": 1 + s, "s": s}[weighting]
        total[answer] = total.get(answer, Fraction(0)) + weight
        truth.setdefault(answer, correct)
    if not total:
        return set(), Fraction(0)
    winners = {answer for answer in total if total[answer] == max(total.values())}
    return winners, Fraction(sum(truth[answer] for answer in winners), len(winners))


def pass_at_k(right: Sequence[bool], k: int) -> Fraction:
    """The share of all choices of k samples that hold a right one."""
    choices = list(combinations(right, k))
    return Fraction(sum(any(choice) for choice in choices), len(choices))


def score(left: int, right: int, n: int, difference: float) -> float:
    """The score statistic with the likeliest cells under the difference, searched for on a grid that closes in."""
    alike = n - left - right

    def likelihood(q: float) -> float:
        cells = ((left, q + difference), (right, q), (alike, 1 - 2 * q - difference))
        if any(number and chance <= 0 for number, chance in cells):
            return -np.inf
        return sum(number * np.log(chance) for number, chance in cells if number)

    low, high = max(0.0, -difference), (1 - difference) / 2
    for _ in range(60):
        grid = np.linspace(low, high, 9)
        best = int(np.argmax([likelihood(q) for q in grid]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 8)]
    q = (low + high) / 2
    return float((left - right - n * difference) / np.sqrt(n * (2 * q + difference * (1 - difference))))


def seeds_and_items(values: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Mean, and the seeds' and the items' part of its variance: sums of squares one by one."""
    seeds, n = len(values), len(values[0])
    cells = [(s, i, value) for s, row in enumerate(values) for i, value in enumerate(row)]
    grand = sum(value for *_, value in cells) / len(cells)
    by_seed = [sum(row) / n for row in values]
    by_item = [sum(row[i] for row in values) / seeds for i in range(n)]
    of_seeds = n * sum((each - grand) ** 2 for each in by_seed) / (seeds - 1)
    of_items = seeds * sum((each - grand) ** 2 for each in by_item) / (n - 1)
    rest = sum((value - by_seed[s] - by_item[i] + grand) ** 2 for s, i, value in cells) / ((seeds - 1) * (n - 1))
    return grand, of_seeds / (seeds * n), max(0.0, of_items - rest) / (seeds * n)


def sandwich(values: Sequence[float], clusters: Sequence[int]) -> float:
    """The variance of a mean over clusters."""
    grand = sum(values) / len(values)
    sums: dict[int, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value - grand
    return sum(each**2 for each in sums.values()) / len(values) ** 2 * len(sums) / (len(sums) - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p by its rank: the largest of the raised ones up to it."""
    ranked = sorted(p_values)
    raised = [min(1.0, max((len(ranked) - j) * ranked[j] for j in range(i + 1))) for i in range(len(ranked))]
    return [raised[ranked.index(p)] for p in p_values]
