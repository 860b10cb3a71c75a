"""Student's distribution for a mean whose variance has two parts: one over few seeds, one over many items.

The seeds' part, estimated from S seeds, is uncertain by a factor w that follows chi2(S - 1) / (S - 1); the items' part
is known as well as n items make it. Behrens and Fisher's solution averages the chance of an error over w, with the
variance seed / w + item (Fisher, Ann. Eugenics 11, 1941). It errs no more often than stated at any level, but covers up
to 97.6 % instead of 95 with three seeds. So only the share (seed / total)^SHARE of the seeds' part is taken as
uncertain, which is all of it where seeds are all there is: with three seeds and more that covers 94.9 to 96.9 %, at
every ratio of the parts, and at a level of 0.05 / 12 makes at most 1.4 times the stated errors. Satterthwaite's degrees
of freedom (Biometrics Bulletin 2, 1946) cover 92 % at worst, and make six times the stated errors at that level.

Arrays are over data sets, X; W is the axis of w.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from errata.evals.stats import Values

SHARE = 0.3
NODES = 64
"""Values of w that are looked at."""
HALVINGS = 36
MANY = 30
"""Degrees of freedom from which Student's distribution is approximated."""


class Parts(NamedTuple):
    """A mean, and the parts of its variance that S seeds and n items add; numbers, or arrays over data sets."""

    value: Values
    seed: Values
    item: Values
    seeds: int
    items: int


class _Draws(NamedTuple):
    """Values of w and how likely each is."""

    w: Values
    weights: Values


@cache
def _draws(seeds: int) -> _Draws:
    """By Gauss and Legendre over the quantiles, closer together towards both ends."""
    from scipy.special import chdtri

    places, weights = np.polynomial.legendre.leggauss(NODES)
    s = (1 + places) / 2
    quantiles = s**3 * (10 - 15 * s + 6 * s**2)
    df = seeds - 1
    return _Draws(chdtri(df, 1 - quantiles) / df, weights / 2 * 30 * s**2 * (1 - s) ** 2)


def _spread(seed: Values, item: Values, seeds: int) -> Values:
    """Standard errors at every w, XW."""
    total = seed + item
    uncertain = seed * (seed / total) ** SHARE
    spread: Values = np.sqrt((total - uncertain)[..., None] + uncertain[..., None] / _draws(seeds).w)
    return spread


def _beyond(reach_XW: Values, spread_XW: Values, parts: Parts) -> Values:
    """The two-sided chance, averaged over w, of an error beyond `reach`: Student's with n - 1 degrees at each w."""
    chance: Values = 2 * _tail(reach_XW / spread_XW, max(parts.items - 1, 1)) @ _draws(parts.seeds).weights
    return chance


def _tail(t: Values, df: int) -> Values:
    """Student's upper tail; of many degrees by the normal approximation of Abramowitz & Stegun, 26.7.8."""
    from scipy.special import ndtr, stdtr

    chance: Values = stdtr(df, -t) if df < MANY else ndtr(-t * (1 - 1 / (4 * df)) / np.sqrt(1 + t**2 / (2 * df)))
    return chance


def p_of(parts: Parts) -> Values:
    """Two-sided p of no difference."""
    seed, item = np.asarray(parts.seed, float), np.asarray(parts.item, float)
    return _beyond(np.abs(np.asarray(parts.value))[..., None], _spread(seed, item, parts.seeds), parts)


def reach_of(parts: Parts, alpha: float) -> Values:
    """How far the interval at 1 - alpha reaches from the mean: where p would be alpha."""
    from scipy.special import stdtrit

    seed, item = np.asarray(parts.seed, float), np.asarray(parts.item, float)
    spread = _spread(seed, item, parts.seeds)
    fewest = min(parts.seeds, parts.items) - 1
    low, high = np.zeros_like(seed), -stdtrit(fewest, alpha / 2) * np.sqrt(seed + item)
    while (beyond := _beyond(high[..., None], spread, parts) > alpha).any():
        high = np.where(beyond, 2 * high, high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        within = _beyond(middle[..., None], spread, parts) > alpha
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    return np.asarray(low)


def detectable_parts(parts: Parts, alpha: float, power: float) -> float:
    """The smallest true difference that is found with this power, were the parts as estimated. One data set."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    draws = _draws(parts.seeds)
    seed, item = float(parts.seed), float(parts.item)
    estimated = parts._replace(seed=seed * draws.w, item=np.full_like(draws.w, item))
    reach, error = reach_of(estimated, alpha), float(np.sqrt(seed + item))

    def lacking(difference: float) -> float:
        found = ndtr((difference - reach) / error) + ndtr((-difference - reach) / error)
        return power - float(draws.weights @ found)

    return float(brentq(lacking, 0.0, float(reach.max()) + 10 * error, xtol=1e-7))


def parts_of(value: ArrayLike, seed: ArrayLike, item: ArrayLike, seeds: int, items: int) -> Parts:
    """Parts of numbers or lists."""
    return Parts(np.asarray(value, float), np.asarray(seed, float), np.asarray(item, float), seeds, items)
