"""What several seeds say of a difference: its mean with a t interval over them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from scipy.stats import t

SEEDS = 5


def over_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean and its 95 % interval, each value being that of one seed; two values at least."""
    mean = fmean(values)
    half = float(t.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    return mean, mean - half, mean + half
