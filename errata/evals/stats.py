"""Small sums of evals: a share with its interval, a mean, pass@k."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95

Values = NDArray[np.float64]


class Bounds(NamedTuple):
    low: float
    high: float


def wilson(successes: int, n: int) -> Bounds:
    """Wilson's 95 % score interval of a proportion (J. Am. Stat. Assoc. 22, 1927)."""
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(LEVEL, method="wilson")
    return Bounds(float(interval.low), float(interval.high))


def pass_at_k(n: int, right: int, k: int) -> float:
    """The chance that one of k samples is right, given `right` of n: 1 - C(n - right, k) / C(n, k), unbiased.

    (Codex, arXiv 2107.03374, eq. 1.) Raises ValueError where k exceeds n.
    """
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {n} samples")
    return 1 - comb(n - right, k) / comb(n, k)


def mean(values: Sequence[Any] | Values) -> float:
    return float(np.mean(np.asarray(values, float)))
