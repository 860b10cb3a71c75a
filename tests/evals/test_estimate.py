"""Means with their errors against scipy, a published analysis of variance and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from errata.evals.estimate import (
    FEW,
    ITEM_FLOOR,
    Estimate,
    departures,
    over_clusters,
    over_items,
    over_seeds,
    over_seeds_and_items,
)
from tests.evals import twins

SHROUT_FLEISS = np.array([[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]], float)
"""Four judges of six targets (Psychol. Bull. 86, 1979, 420-428, table 2); its table 3 has the mean squares: 11.24
between targets, 32.49 between judges, 1.02 the rest."""


def test_shares_over_items_and_means_over_seeds_are_students() -> None:
    values = np.random.default_rng(1).choice([-1, -0.4, 0.2, 0.6], 30)
    theirs = scipy.stats.ttest_1samp(values, 0)

    for estimate in (over_items(values, 2.0), over_seeds(values, 1000, 2.0)):
        assert estimate.value / estimate.se == pytest.approx(theirs.statistic)
        assert estimate.df == theirs.df == 29


def test_seeds_and_items_have_the_published_mean_squares() -> None:
    parts = over_seeds_and_items(SHROUT_FLEISS, span=1e-6)

    assert parts.value == pytest.approx(SHROUT_FLEISS.mean())
    assert parts.seed == pytest.approx(32.49 / 24, abs=5e-4)
    assert parts.item == pytest.approx((11.24 - 1.02) / 24, abs=5e-4)


def test_seeds_and_items_equal_plain_loops() -> None:
    dice = np.random.default_rng(3)
    values_XSN = dice.normal(size=(4, 5, 1)) + 2 * dice.normal(size=(4, 1, 9)) + dice.normal(size=(4, 5, 9))

    ours = over_seeds_and_items(values_XSN, span=1e-6)

    for place, values_SN in enumerate(values_XSN):
        slowly = twins.seeds_and_items(values_SN.tolist())
        assert [float(part[place]) for part in ours[:3]] == pytest.approx(slowly)


def test_items_that_all_seeds_answer_alike_count_once() -> None:
    once = np.random.default_rng(2).choice([-1.0, 0.0, 1.0], 200)
    alike = over_seeds_and_items(np.stack([once] * 5), 2.0)

    assert alike.item == pytest.approx(over_items(once, 2.0).se ** 2)
    assert alike.seed < 0.01 * alike.item


def test_seeds_that_differ_on_items_that_do_not_are_all_there_is() -> None:
    values_SN = np.array([[0.1] * 50, [0.3] * 50, [0.2] * 50])

    parts = over_seeds_and_items(values_SN, 2.0)

    assert parts.seed == pytest.approx(0.01 / 3)
    assert parts.item == pytest.approx(0)


@pytest.mark.parametrize(
    ("estimate", "least"),
    [
        (over_items(np.zeros(5), 2.0), 0.1),
        (over_items(np.ones(1), 2.0), 0.5),
        (over_seeds(np.full(3, 0.1), 20, 2.0), 0.01),
        (over_seeds(np.array([0.1, 0.1 + 3e-17, 0.1]), 20, 2.0), 0.01),
        (over_clusters(np.ones(4), [0, 0, 1, 1], 1.0), 0.2),
    ],
)
def test_what_agrees_by_accident_has_a_width(estimate: Estimate, least: float) -> None:
    assert estimate.se >= least


def test_seeds_that_agree_on_every_item_have_a_spread() -> None:
    parts = over_seeds_and_items(np.zeros((3, 5)), 2.0)

    assert parts.seed > 0.003


def test_clusters_of_one_are_items() -> None:
    values = np.random.default_rng(4).random(40)

    ours, theirs = over_clusters(values, range(40), None), over_items(values, 1e-6)

    assert [float(each) for each in ours] == pytest.approx([float(each) for each in theirs])


def test_values_of_one_cluster_count_together() -> None:
    values = np.random.default_rng(5).random(30)
    clusters = [place // 3 for place in range(30)]

    ours = over_clusters(values, clusters, None)

    assert ours.se**2 == pytest.approx(twins.sandwich(values.tolist(), clusters))
    assert ours.df == 9
    thrice = over_clusters(np.repeat(values[:10], 3), clusters, None)
    assert thrice.se == pytest.approx(over_items(values[:10], 1e-6).se)
    assert np.isnan(over_clusters(values, [0] * 30, None).se)


@pytest.mark.parametrize(
    ("span", "one_checkpoint", "departing", "few"),
    [
        (2.0, False, 4, True),
        (2.0, False, 5, False),
        (2.0, True, 4, True),
        (2.0, True, 5, False),
        (1.0, False, 4, True),
        (1.0, False, 5, False),
        (1.0, False, 36, True),
    ],
)
def test_few_items_that_depart_have_the_items_floor(
    span: float, one_checkpoint: bool, departing: int, few: bool
) -> None:
    """Of three seeds and 40 items; the first items are right, or differ, in all seeds, one of the rest in one seed."""
    values = np.zeros((3, 40))
    values[:, :departing] = 1.0
    if one_checkpoint or span == 1.0:
        values[0, -1] = 1.0

    assert (departures(values, span, one_checkpoint) < FEW) == few
    floor = ITEM_FLOOR * span**2 / (40 * 41)
    item = float(over_seeds_and_items(values, span, one_checkpoint).item)
    plain = values.mean(axis=0).var(ddof=1) / 40
    assert item >= floor if few else item == pytest.approx(plain, rel=0.05)


def test_the_items_floor_is_two_standard_errors_of_three_items() -> None:
    for span in (1.0, 2.0):
        item = float(over_seeds_and_items(np.zeros((3, 40)), span).item)
        assert item == pytest.approx(ITEM_FLOOR * span**2 / (40 * 41))
    few = over_clusters(np.zeros(12), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2], 2.0)
    assert float(few.se) ** 2 == pytest.approx(ITEM_FLOOR * 4 / (3 * 4))
