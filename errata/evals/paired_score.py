"""The difference of two paired proportions by its score test: p, interval and power of one test.

Of n items `only_left` are right on the left side alone, `only_right` on the right side alone. The test of no
difference is McNemar's (Psychometrika 12, 1947); the interval holds the differences that the same test, with the cells'
most likely values under each, does not reject (Tango, Stat. Med. 17, 1998, 891-908), so that it leaves 0 out just where
p is below alpha, and has a width however few items there are.

Counts are numbers or arrays over data sets.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from errata.evals.stats import Values

HALVINGS = 50
"""Of the range in which a bound is looked for: to 2e-15."""
FAR = 6.0
"""Standard deviations beyond which numbers of discordant items are left out."""


def score_p(only_left: ArrayLike, only_right: ArrayLike) -> Values:
    """Two-sided p of no difference; 1 without a discordant item."""
    from scipy.stats import norm

    left, right = np.asarray(only_left, float), np.asarray(only_right, float)
    p: Values = 2 * norm.sf(np.abs(left - right) / np.sqrt(np.maximum(left + right, 1)))
    return p


def score_interval(only_left: ArrayLike, only_right: ArrayLike, n: int, alpha: float) -> tuple[Values, Values]:
    """The differences that are not rejected at `alpha`: lowest and highest, between -1 and 1."""
    left, right = np.asarray(only_left, float), np.asarray(only_right, float)
    return -_highest(right, left, n, alpha), _highest(left, right, n, alpha)


def _highest(left: Values, right: Values, n: int, alpha: float) -> Values:
    """By halving the range between the observed difference and 1: the statistic falls as the difference grows."""
    from scipy.stats import norm

    z = norm.isf(alpha / 2)
    inside, outside = (left - right) / n, np.ones(np.broadcast_shapes(left.shape, right.shape))
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        rejected = _score(left, right, n, middle) < -z
        inside, outside = np.where(rejected, inside, middle), np.where(rejected, middle, outside)
    return np.asarray(inside)


def _score(left: Values, right: Values, n: int, difference: Values) -> Values:
    """Tango's statistic; `q` is the most likely chance of the right side alone under this difference (his eq. 14)."""
    b = (2 * n - left + right) * difference - left - right
    q = (np.sqrt(np.maximum(b**2 + 8 * n * right * difference * (1 - difference), 0)) - b) / (4 * n)
    variance = n * (2 * q + difference * (1 - difference))
    score: Values = (left - right - n * difference) / np.sqrt(np.maximum(variance, 1e-300))
    return score


def detectable_score(only_left: int, only_right: int, n: int, alpha: float, power: float) -> float | None:
    """The smallest difference that so many items, as discordant as these, show with this power; None where none is.

    Half an item is added to either discordant cell (Agresti & Min, Stat. Med. 24, 2005), for few items that happen to
    agree do not prove that all would; and a true difference D parts D^2 / 2 more of them, as it does where answers are
    independent. To a thousandth.
    """
    discordant = (only_left + only_right + 1) / (n + 2)
    if score_power(1.0, 1.0, n, alpha) < power:
        return None
    low, high = 0.0, 1.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        parted = min(1.0, max(discordant + middle**2 / 2, middle))
        enough = score_power(middle, parted, n, alpha) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high


def score_power(difference: float, discordant: float, n: int, alpha: float) -> float:
    """The exact chance that the test finds a difference on n items, where an item is discordant with this chance."""
    from scipy.special import betainc, ndtri

    spread = FAR * sqrt(n * discordant * (1 - discordant)) + 1
    numbers = np.arange(max(1, int(n * discordant - spread)), min(n, int(n * discordant + spread)) + 1)
    reach = -ndtri(alpha / 2) * np.sqrt(numbers)
    wins = np.floor((numbers + reach) / 2) + 1  # the fewest that are called, of so many discordant items
    called = wins <= numbers
    numbers, wins = numbers[called], wins[called]
    chance = (discordant + difference) / (2 * discordant)
    rest = numbers - wins + 1
    power = betainc(wins, rest, chance) + betainc(wins, rest, 1 - chance)  # at least so many, on either side
    return float(_binomial(numbers, n, discordant) @ power)


def _binomial(numbers: Values, n: int, chance: float) -> Values:
    """How likely each number is, of n."""
    from scipy.special import gammaln, xlog1py, xlogy

    ways = gammaln(n + 1) - gammaln(numbers + 1) - gammaln(n - numbers + 1)
    likely: Values = np.exp(ways + xlogy(numbers, chance) + xlog1py(n - numbers, -chance))
    return likely
