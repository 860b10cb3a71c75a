"""Figures of an acceptance and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.drawn_logs import holds
from errata.evidence.ballots import Ballot, Voter, gather
from errata.evidence.figures import estimated, figures_of, interval_of
from errata.evidence.read_log import Evidence


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


def test_an_interval_holds_its_own_value_where_nearly_every_draw_is_right() -> None:
    votes = {Voter(f"review:{name}", panel=True): True for name in "xyz"}
    log = gather([[Ballot(f"{p}.{a}", a, 0, votes, right=True if p else None) for a in "abc"] for p in range(60)])
    precision = estimated(Evidence(log, log, ()), {"all": np.ones(len(log), bool)}, resamples=40)["all"]["precision"]
    value, low, high = (precision[key] or 0.0 for key in ("value", "low", "high"))
    assert 0.99 < value < 1
    assert low <= value <= high


@pytest.mark.slow
def test_the_interval_holds_the_truth_of_small_logs_as_often_as_it_says() -> None:
    """As before priors were drawn and levels were two at least it would in 83 % of such logs."""
    logs = [each for number in range(100) if (each := holds(30, number))]
    assert np.mean([held for held, _ in logs]) > 0.89
