"""Small sums of evals: a share with its interval, a mean, pass@k."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
NORMAL = NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Standard errors that an interval at LEVEL reaches where the error is known."""

Values = NDArray[np.float64]


class Bounds(NamedTuple):
    low: float
    high: float


def wilson(successes: int, n: int) -> Bounds:
    """Wilson's 95 % score interval of a proportion (J. Am. Stat. Assoc. 22, 1927).

    In closed form: scipy.stats has it too, and takes a second to import before `errata status` says anything. Raises
    ValueError unless 0 <= successes <= n and n > 0.
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} successes of {n}")
    low, high = score_bounds(successes / n, n, NORMAL)
    return Bounds(low if successes else 0.0, high if successes < n else 1.0)


def score_bounds(share: float, n: float, z: float) -> Bounds:
    """Wilson's interval of a share of `n` that reaches z standard errors."""
    whole = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / whole
    half = z * sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / whole
    return Bounds(float(centre - half), float(centre + half))


def pass_at_k(n: int, right: int, k: int) -> float:
    """The chance that one of k samples is right, given `right` of n: 1 - C(n - right, k) / C(n, k), unbiased.

    (Codex, arXiv 2107.03374, eq. 1.) Raises ValueError where k exceeds n.
    """
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {n} samples")
    return 1 - comb(n - right, k) / comb(n, k)


def mean(values: Sequence[Any] | Values) -> float:
    return float(np.mean(np.asarray(values, float)))
