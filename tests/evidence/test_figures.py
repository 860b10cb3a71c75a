"""Figures of an acceptance and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from errata.evidence.figures import figures_of, interval_of


@pytest.mark.parametrize("draws", [40, 100, 400])
def test_one_more_draw_falls_into_the_interval_as_often_as_it_says(draws: int) -> None:
    """By numpy's usual quantiles it would in 90.4, 93.1 and 94.5 % of cases."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(2000):
        values = rng.gamma(2.0, size=draws + 1)
        low, high = interval_of(values[:-1])
        held += low <= values[-1] <= high
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


def test_precision_recall_and_accuracy_by_hand() -> None:
    right, accepted = np.array([1.0, 0.5, 0.0, 1.0]), np.array([True, True, False, False])
    assert figures_of(right, accepted) == pytest.approx([1.5 / 2, 1.5 / 2.5, (1.5 + 1) / 4])
    assert np.isnan(figures_of(right, np.zeros(4, bool))[0])
