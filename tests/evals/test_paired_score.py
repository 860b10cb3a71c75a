"""The paired score test and its interval against published ones, a numeric twin and draws."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from errata.evals.paired_score import detectable_score, score_interval, score_p, score_power
from tests.evals import twins

cells = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 30)).filter(lambda cell: sum(cell) > 0)


def test_the_interval_agrees_with_published_ones() -> None:
    # Fagerland, Lydersen & Laake, Stat. Med. 33 (2014) 2850-2875, table V: 1 and 7 discordant of 21;
    # the same authors, Statistical Analysis of Contingency Tables (2017), chapter 8: 6 and 16 of 161
    assert [float(bound) for bound in score_interval(1, 7, 21, 0.05)] == pytest.approx([-0.517, -0.026], abs=5e-4)
    assert [float(bound) for bound in score_interval(6, 16, 161, 0.05)] == pytest.approx([-0.1240, -0.0054], abs=5e-5)


def test_p_is_mcnemars() -> None:
    # Agresti, Categorical Data Analysis: approval ratings, 86 and 150 discordant; z^2 = 17.36
    assert float(score_p(86, 150)) == pytest.approx(scipy.stats.chi2.sf(17.36, 1), rel=0.01)
    assert float(score_p(0, 0)) == 1.0


@settings(max_examples=25, deadline=None)
@given(cells, st.sampled_from([0.05, 0.01]))
def test_the_bounds_are_where_the_constrained_likelihoods_statistic_is_critical(
    cell: tuple[int, int, int], alpha: float
) -> None:
    left, right, alike = cell
    n = left + right + alike
    z = scipy.stats.norm.isf(alpha / 2)

    low, high = (float(bound) for bound in score_interval(left, right, n, alpha))

    for bound, sign in ((low, 1), (high, -1)):
        if abs(bound) < 0.999:
            assert twins.score(left, right, n, bound) == pytest.approx(sign * z, abs=2e-3)


@settings(max_examples=50, deadline=None)
@given(cells, st.sampled_from([0.05, 0.05 / 12]))
def test_the_interval_leaves_0_out_just_where_p_is_below_alpha(cell: tuple[int, int, int], alpha: float) -> None:
    left, right, alike = cell
    low, high = score_interval(left, right, left + right + alike, alpha)

    assert (low > 0 or high < 0) == (score_p(left, right) < alpha)
    assert -1 <= low < high <= 1


def test_few_items_have_a_wide_interval() -> None:
    assert score_interval(1, 0, 1, 0.05)[0] < -0.5
    assert score_interval(0, 0, 5, 0.05)[1] > 0.4


def test_arrays_are_done_at_once() -> None:
    low, high = score_interval([1, 6], [7, 16], 161, 0.05)

    assert (low[1], high[1]) == tuple(score_interval(6, 16, 161, 0.05))


# ---- power -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "difference", "discordant"), [(20, 0.3, 0.4), (300, 0.05, 0.1)])
def test_the_power_is_that_of_draws(n: int, difference: float, discordant: float) -> None:
    dice = np.random.default_rng(1)
    chances = [(discordant + difference) / 2, (discordant - difference) / 2, 1 - discordant]
    left, right, _ = dice.multinomial(n, chances, 40_000).T

    assert score_power(difference, discordant, n, 0.05) == pytest.approx((score_p(left, right) < 0.05).mean(), abs=0.01)


def test_the_detectable_difference_is_found_at_the_stated_power() -> None:
    for left, right, n in ((0, 0, 50), (3, 2, 50), (25, 25, 500)):
        detectable = detectable_score(left, right, n, 0.05, 0.8)
        assert detectable is not None
        discordant = max((left + right + 1) / (n + 2) + detectable**2 / 2, detectable)
        assert score_power(detectable, discordant, n, 0.05) == pytest.approx(0.8, abs=0.02)


def test_too_few_items_can_show_nothing() -> None:
    assert detectable_score(1, 0, 3, 0.05, 0.8) is None
    assert detectable_score(2, 0, 6, 0.05 / 12, 0.8) is None
