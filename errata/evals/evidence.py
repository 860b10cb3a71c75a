"""What data say of a difference: one value gives its p, its interval, its verdict and what it could have shown.

The interval at 1 - alpha leaves 0 out just where p is below alpha, and the verdict is read off the interval, so that
no two of them can contradict each other. `ByT` is for means over seeds or over shares, `ByParts` for means over seeds
and items, `ByScore` for right or wrong answers of one result on each side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from errata.evals.estimate import Estimate, over_clusters
from errata.evals.paired_score import detectable_score, score_interval, score_p
from errata.evals.stats import Bounds
from errata.evals.two_parts import Parts, detectable_parts, p_of, reach_of

ALPHA = 0.05
POWER = 0.8
NODES = 200
"""Points at which the distribution of an estimated error is looked at."""

Verdict = Literal["better", "worse", "not shown"]


@dataclass(frozen=True)
class ByT:
    """A mean between `least` and `most` whose error, over `se`, follows Student's t with `df` degrees of freedom."""

    value: float
    se: float
    df: float
    least: float = -1.0
    most: float = 1.0

    @classmethod
    def of(cls, estimate: Estimate, least: float = -1.0, most: float = 1.0) -> ByT:
        return cls(float(estimate.value), float(estimate.se), float(estimate.df), least, most)

    @property
    def p(self) -> float:
        """Two-sided, of no difference."""
        from scipy.stats import t

        return float(2 * t.sf(abs(self.value) / self.se, self.df))

    def interval(self, alpha: float = ALPHA) -> Bounds:
        from scipy.stats import t

        reach = float(t.isf(alpha / 2, self.df)) * self.se
        return Bounds(max(self.least, self.value - reach), min(self.most, self.value + reach))

    def detectable(self, alpha: float = ALPHA, power: float = POWER) -> float | None:
        """The smallest true difference that shows with this power, were the spread as estimated; None above 1."""
        multiple = noncentrality(self.df, alpha, power)
        return multiple * self.se if multiple * self.se <= 1 else None


@dataclass(frozen=True)
class ByScore:
    """Of `n` items how many only the arm and only the other side has right."""

    only_arm: int
    only_against: int
    n: int

    @property
    def value(self) -> float:
        return (self.only_arm - self.only_against) / self.n

    @property
    def p(self) -> float:
        """Two-sided, of no difference."""
        return float(score_p(self.only_arm, self.only_against))

    def interval(self, alpha: float = ALPHA) -> Bounds:
        low, high = score_interval(self.only_arm, self.only_against, self.n, alpha)
        return Bounds(float(low), float(high))

    def detectable(self, alpha: float = ALPHA, power: float = POWER) -> float | None:
        """The smallest true difference that shows with this power on items as discordant as these; None above 1."""
        return detectable_score(self.only_arm, self.only_against, self.n, alpha, power)


@dataclass(frozen=True)
class ByParts:
    """A mean between `least` and 1 over seeds and items, with the parts of its variance that either adds."""

    parts: Parts
    least: float = -1.0

    @property
    def value(self) -> float:
        return float(self.parts.value)

    @property
    def p(self) -> float:
        """Two-sided, of no difference."""
        return float(p_of(self.parts))

    def interval(self, alpha: float = ALPHA) -> Bounds:
        reach = float(reach_of(self.parts, alpha))
        return Bounds(max(self.least, self.value - reach), min(1.0, self.value + reach))

    def detectable(self, alpha: float = ALPHA, power: float = POWER) -> float | None:
        """The smallest true difference that shows with this power, were the spread as estimated; None above 1."""
        difference = detectable_parts(self.parts, alpha, power)
        return difference if difference <= 1 else None


Evidence = ByT | ByParts | ByScore


def noncentrality(df: float, alpha: float, power: float) -> float:
    """How many standard errors a true difference measures that a two-sided t-test finds with this power.

    By the chance given the estimated error, averaged over the distribution of that (scipy's noncentral t has no value
    for some of the degrees and levels that occur here).
    """
    from scipy.optimize import brentq
    from scipy.special import chdtri, ndtr, stdtrit

    places, weights = np.polynomial.legendre.leggauss(NODES)
    errors = np.sqrt(chdtri(df, (1 - places) / 2) / df)  # estimated over true
    critical = -float(stdtrit(df, alpha / 2)) * errors

    def lacking(shift: float) -> float:
        return power - float(weights @ (ndtr(shift - critical) + ndtr(-shift - critical))) / 2

    return float(brentq(lacking, 0.0, 2 * critical.max() + 4, xtol=1e-6))


def verdict_of(bounds: Bounds) -> Verdict:
    """`better` or `worse` where the interval leaves 0 out, else `not shown`."""
    return "better" if bounds.low > 0 else "worse" if bounds.high < 0 else "not shown"


def interval_of_mean(
    values: Sequence[float], clusters: Sequence[Any] | None = None, *, bounded: bool = True
) -> dict[str, float | None]:
    """The mean with its 95 % interval, `value, low, high`, as summary.json has it.

    Args:
        clusters: what each value belongs to; values of one cluster are not independent. By default each stands alone.
        bounded: the values lie between 0 and 1. Of others the interval is None where there is one cluster alone.
    """
    together = range(len(values)) if clusters is None else clusters
    estimate = over_clusters(np.asarray(values, float), np.asarray(together), 1.0 if bounded else None)
    if np.isnan(estimate.se):
        return {"value": float(estimate.value), "low": None, "high": None}
    bounds = ByT.of(estimate, *((0.0, 1.0) if bounded else (-np.inf, np.inf))).interval()
    return {"value": float(estimate.value), "low": bounds.low, "high": bounds.high}


# ---- a family of claims ----------------------------------------------------------------------------------------------


class Corrected(NamedTuple):
    """A claim's p after the correction, and the level at which it was decided: its interval is at 1 - `alpha`."""

    p: float
    alpha: float


def holm(p_values: Sequence[float], alpha: float = ALPHA) -> list[Corrected]:
    """Holm's step-down correction (Scand. J. Stat. 6, 1979): controls the chance of any false claim of a family.

    From the smallest p on, each is held against `alpha` over the number still open, until one is not below; that one
    and all after it are decided at its level. So a corrected p is below `alpha` just where p is below its own level.
    """
    number = len(p_values)
    order = np.argsort(p_values, kind="stable")
    results = [Corrected(1.0, alpha)] * number
    raised, level, open_ = 0.0, alpha, True
    for rank, place in enumerate(order):
        left = number - rank
        level = alpha / left if open_ else level
        open_ = open_ and p_values[place] < level
        raised = min(1.0, max(raised, left * p_values[place]))
        results[place] = Corrected(raised, level)
    return results
