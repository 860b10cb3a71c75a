"""Student's distribution for a mean whose variance has two parts: one over few seeds, one over many items.

The seeds' part, estimated from S seeds, is uncertain by a factor w that follows chi2(S - 1) / (S - 1); the items'
part is known as well as n items make it. Behrens and Fisher's solution averages the chance of an error over w, with
the variance seed / w + item (Fisher, Ann. Eugenics 11, 1941). It errs no more often than stated at any level, but
covers up to 97.6 % instead of 95 with three seeds. So only the share sqrt(seed / total) of the seeds' part is taken
as uncertain, which is all of it where seeds are all there is; and p is at least Behrens and Fisher's over EXCESS, so
that at no level, however corrected, errors are more than EXCESS times the stated ones. By quadrature that covers 94.7
to 96.5 % with three seeds and more, at every ratio of the parts, with at most 1.4 times the stated errors at 0.05 /
12. Satterthwaite's degrees of freedom (Biometrics Bulletin 2, 1946) cover 92 % at worst, and make six times the
stated errors there.

Arrays are over data sets, X; W is the axis of w.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from errata.evals.stats import Values

SHARE = 0.5
"""Of the seeds' part (seed / total)^SHARE is uncertain."""
EXCESS = 1.5
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


def _spread(parts: Parts, share: float) -> Values:
    """Standard errors at every w, XW, where (seed / total)^share of the seeds' part is uncertain."""
    seed, total = np.asarray(parts.seed, float), np.asarray(parts.seed + parts.item, float)
    uncertain = seed * (seed / total) ** share
    spread: Values = np.sqrt((total - uncertain)[..., None] + uncertain[..., None] / _draws(parts.seeds).w)
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
    reach_XW = np.abs(np.asarray(parts.value))[..., None]
    some, all_ = (_beyond(reach_XW, _spread(parts, share), parts) for share in (SHARE, 0.0))
    return np.minimum(np.maximum(some, all_ / EXCESS), 1.0)  # the quadrature's weights add up to a little more


def reach_of(parts: Parts, alpha: float) -> Values:
    """How far the interval at 1 - alpha reaches from the mean: where p would be alpha."""
    return np.maximum(_reach(parts, alpha, SHARE), _reach(parts, min(EXCESS * alpha, 1.0), 0.0))


def _reach(parts: Parts, alpha: float, share: float) -> Values:
    """By halving a range that holds the place."""
    spread = _spread(parts, share)
    low, high = np.zeros(spread.shape[:-1]), 2 * spread.max(axis=-1)
    while (beyond := _beyond(high[..., None], spread, parts) > alpha).any():
        high = np.where(beyond, 2 * high, high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        within = _beyond(middle[..., None], spread, parts) > alpha
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    return low


def detectable_parts(parts: Parts, alpha: float, power: float) -> float:
    """The smallest true difference that is found with this power, were the parts as estimated. One data set."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    draws = _draws(parts.seeds)
    seed, item = float(parts.seed), float(parts.item)
    estimated = parts._replace(seed=seed * draws.w, item=np.full_like(draws.w, item))
    reach, error = reach_of(estimated, alpha), float(np.sqrt(seed + item))

    def lacking(difference: float) -> float:
        chance = ndtr((difference - reach) / error) + ndtr((-difference - reach) / error)
        return power - float(draws.weights @ chance)

    return float(brentq(lacking, 0.0, float(reach.max()) + 10 * error, xtol=1e-7))


def parts_of(value: ArrayLike, seed: ArrayLike, item: ArrayLike, seeds: int, items: int) -> Parts:
    """Parts of numbers or lists."""
    return Parts(np.asarray(value, float), np.asarray(seed, float), np.asarray(item, float), seeds, items)
