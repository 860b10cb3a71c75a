"""How sure a figure is: intervals, tests and what could have been shown. Pure, vectorised, seeded.

Resampling n values with replacement is a multinomial draw over their distinct values. Accuracies and their differences
have few of those, so that 10,000 resamples of 10,000 items take milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
POWER = 0.8
RESAMPLES = 10_000

Values = NDArray[np.float64]


class Bounds(NamedTuple):
    low: float
    high: float


def wilson(successes: int, n: int) -> Bounds:
    """Wilson's 95 % score interval of a proportion (J. Am. Stat. Assoc. 22, 1927)."""
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(LEVEL, method="wilson")
    return Bounds(float(interval.low), float(interval.high))


def bootstrap_means(values: Values, resamples: int, dice: np.random.Generator) -> Values:
    """The mean of each of `resamples` resamples of the values."""
    distinct, counts = np.unique(values, return_counts=True)
    drawn = dice.multinomial(len(values), counts / len(values), size=resamples)
    means: Values = drawn @ distinct / len(values)
    return means


def bootstrap(values: Values, resamples: int, seed: int) -> Bounds:
    """The percentile 95 % interval of the mean over items."""
    return percentiles(bootstrap_means(values, resamples, np.random.default_rng(seed)))


def interval_of_mean(values: Sequence[float]) -> dict[str, float]:
    """The mean with its bootstrap interval, `value, low, high`, as summary.json has it."""
    low, high = bootstrap(np.array(values, float), RESAMPLES, 17)
    return {"value": mean(values), "low": low, "high": high}


def percentiles(means: Values) -> Bounds:
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Bounds(float(low), float(high))


def hierarchical_means(seeds: Sequence[Values], shared: bool, resamples: int, dice: np.random.Generator) -> Values:
    """Means over seeds of means over items, with seeds and items resampled.

    Args:
        seeds: each seed's values.
        shared: all seeds have the same items in the same order, and an item is drawn for all of them at once (crossed);
            else each drawn seed draws items of its own (nested).
    """
    number = len(seeds)
    chosen = dice.integers(number, size=(resamples, number))
    if shared:
        columns, counts = np.unique(np.stack(seeds), axis=1, return_counts=True)
        n = len(seeds[0])
        drawn = dice.multinomial(n, counts / n, size=resamples)
        by_seed = drawn @ columns.T / n
        picked: Values = np.take_along_axis(by_seed, chosen, axis=1)
    else:
        slots = [bootstrap_means(each, resamples * number, dice).reshape(resamples, number) for each in seeds]
        picked = np.choose(chosen, slots) if number <= 32 else _picked(chosen, slots)
    means: Values = picked.mean(axis=1)
    return means


def _picked(chosen: NDArray[np.int64], slots: Sequence[Values]) -> Values:
    stacked = np.stack(slots)  # numpy's choose takes 32 choices at most
    rows, columns = np.indices(chosen.shape)
    values: Values = stacked[chosen, rows, columns]
    return values


# ---- tests -----------------------------------------------------------------------------------------------------------


def mcnemar(only_left: int, only_right: int) -> float:
    """McNemar's exact two-sided p: discordant items are as likely to favour either side (Psychometrika 12, 1947)."""
    from scipy.stats import binomtest

    discordant = only_left + only_right
    return float(binomtest(only_left, discordant).pvalue) if discordant else 1.0


def sign_flip(differences: Values, resamples: int, seed: int) -> float:
    """Two-sided p of a mean paired difference: each difference might as well have had the other sign.

    By `resamples` random flips, so that the least p is 1 / (1 + resamples).
    """
    sizes, counts = np.unique(np.abs(differences), return_counts=True)
    flips = 2 * np.random.default_rng(seed).binomial(counts, 0.5, size=(resamples, len(counts))) - counts
    reached = np.abs(flips @ sizes) >= abs(differences.sum()) - 1e-9
    return float((1 + reached.sum()) / (1 + resamples))


def t_over_seeds(differences: Values) -> float:
    """Two-sided p of a mean difference over seeds that are not all equal, by a one-sample t-test."""
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(differences, 0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Scand. J. Stat. 6, 1979): controls the chance of any false difference."""
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    raised = np.minimum(np.maximum.accumulate(np.asarray(p_values, float)[order] * factors), 1.0)
    corrected = np.empty_like(raised)
    corrected[order] = raised
    return [float(each) for each in corrected]


# ---- what could have been shown --------------------------------------------------------------------------------------


def detectable_of_items(differences: Values) -> float:
    """The smallest mean difference that so many items, as discordant as these, show with 80 % power at two-sided 5 %.

    (z_.975 + z_.8) times the standard error around no difference. Half an item is added to either discordant cell
    (Agresti & Min, Stat. Med. 24, 2005), for few items that happen to agree do not prove that all would; and below six
    discordant items no split of them is significant.
    """
    from scipy.stats import norm

    n = len(differences) + 2
    spread = sqrt(float((differences**2).sum()) + 1.0) / n
    z = float(norm.ppf((1 + LEVEL) / 2) + norm.ppf(POWER))
    return min(1.0, max(z * spread, 6 / len(differences)))


def detectable_of_seeds(differences: Values) -> float:
    """The same over seeds: (t_.975 + t_.8) times the standard error of the mean over the seeds' differences."""
    from scipy.stats import t

    degrees = len(differences) - 1
    factor = float(t.ppf((1 + LEVEL) / 2, degrees) + t.ppf(POWER, degrees))
    return min(1.0, factor * float(np.std(differences, ddof=1)) / sqrt(len(differences)))


# ---- several samples -------------------------------------------------------------------------------------------------


def pass_at_k(n: int, right: int, k: int) -> float:
    """The chance that one of k samples is right, given `right` of n: 1 - C(n - right, k) / C(n, k), unbiased.

    (Codex, arXiv 2107.03374, eq. 1.) Raises ValueError where k exceeds n.
    """
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {n} samples")
    return 1 - comb(n - right, k) / comb(n, k)


def mean(values: Sequence[Any] | Values) -> float:
    return float(np.mean(np.asarray(values, float)))
