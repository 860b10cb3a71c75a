"""Slow twins: the same figures by plain loops, exact fractions and whole enumerations."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, product

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


def mcnemar(only_left: int, only_right: int) -> float:
    """Over every way in which the discordant items might have fallen: how many are as lopsided."""
    n = only_left + only_right
    lopsided = abs(only_left - only_right)
    ways = [abs(2 * sum(fall) - n) >= lopsided for fall in product((0, 1), repeat=n)]
    return sum(ways) / len(ways)


def sign_flip(differences: Sequence[float]) -> float:
    """Over every choice of signs: how many sums are as far from 0."""
    reached = abs(sum(differences))
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    return sum(each >= reached - 1e-12 for each in sums) / len(sums)


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p by its rank: the largest of the raised ones up to it."""
    ranked = sorted(p_values)
    raised = [min(1.0, max((len(ranked) - j) * ranked[j] for j in range(i + 1))) for i in range(len(ranked))]
    return [raised[ranked.index(p)] for p in p_values]


def bootstrap_means(values: Sequence[float], resamples: int, seed: int) -> list[float]:
    dice = np.random.default_rng(seed)
    return [float(np.mean(dice.choice(values, len(values)))) for _ in range(resamples)]


def hierarchical_means(seeds: Sequence[Sequence[float]], shared: bool, resamples: int, seed: int) -> list[float]:
    """Seeds drawn with replacement; of each drawn one its items, or the same drawn items for all where shared."""
    dice = np.random.default_rng(seed)
    means = []
    for _ in range(resamples):
        drawn = dice.integers(len(seeds), size=len(seeds))
        items = dice.integers(len(seeds[0]), size=len(seeds[0]))
        parts = []
        for one in drawn:
            values = np.array(seeds[one])
            own = items if shared else dice.integers(len(values), size=len(values))
            parts.append(float(values[own].mean()))
        means.append(float(np.mean(parts)))
    return means
