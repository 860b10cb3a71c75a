"""Interval, p and verdict are one; a family's correction moves all three; what could be shown is what would be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nct, t

from errata.evals.evidence import (
    ALPHA,
    ByParts,
    ByScore,
    ByT,
    Evidence,
    holm,
    interval_of_mean,
    noncentrality,
    verdict_of,
)
from errata.evals.stats import Bounds
from errata.evals.two_parts import parts_of
from tests.evals import twins

by_t = st.builds(ByT, st.floats(-0.4, 0.4), st.floats(0.001, 0.2), st.floats(1, 500))
by_parts = st.builds(
    lambda value, seed, item, seeds, n: ByParts(parts_of(value, seed**2, item**2, seeds, n)),
    st.floats(-0.4, 0.4), st.floats(0.001, 0.2), st.floats(0, 0.2), st.integers(2, 12), st.integers(2, 500),
)  # fmt: skip
by_score = st.builds(lambda won, lost, alike: ByScore(won, lost, won + lost + alike + 1), *[st.integers(0, 40)] * 3)


@settings(max_examples=40, deadline=None)
@given(st.lists(by_t | by_parts | by_score, min_size=1, max_size=6))
def test_no_verdict_contradicts_its_interval_or_its_p(claims: list[Evidence]) -> None:
    for each, corrected in zip(claims, holm([each.p for each in claims]), strict=True):
        low, high = each.interval(corrected.alpha)
        shown = verdict_of(Bounds(low, high)) != "not shown"

        assert low <= each.value <= high
        assert shown == (low > 0 or high < 0)
        if abs(corrected.p - ALPHA) > 1e-9:
            assert shown == (corrected.p < ALPHA)


def test_verdicts_are_read_off_the_interval() -> None:
    bounds = [Bounds(0.01, 0.1), Bounds(-0.1, -0.01), Bounds(0.0, 0.1), Bounds(-0.1, 0.1)]

    assert [verdict_of(each) for each in bounds] == ["better", "worse", "not shown", "not shown"]


# ---- a family --------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_equals_the_slow_twin(p_values: list[float]) -> None:
    assert [each.p for each in holm(p_values)] == pytest.approx(twins.holm(p_values))


def test_holm_of_a_worked_example() -> None:
    # Holm, Scand. J. Stat. 6 (1979): p of .01, .02, .03 are compared with .05/3, .05/2, .05
    corrected = holm([0.03, 0.01, 0.02])

    assert [each.p for each in corrected] == pytest.approx([0.04, 0.03, 0.04])
    assert [each.alpha for each in corrected] == pytest.approx([0.05, 0.05 / 3, 0.05 / 2])


def test_what_comes_after_a_claim_that_is_not_shown_is_decided_at_its_level() -> None:
    corrected = holm([0.03, 0.04])

    assert [each.p for each in corrected] == pytest.approx([0.06, 0.06])
    assert [each.alpha for each in corrected] == pytest.approx([0.025, 0.025])


# ---- what could be shown ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("df", "alpha"), [(2, 0.05), (4.5, 0.05), (2, 0.05 / 12), (200, 0.05 / 12)])
def test_the_detectable_difference_has_the_stated_power(df: float, alpha: float) -> None:
    shift = noncentrality(df, alpha, 0.8)

    assert nct.sf(t.isf(alpha / 2, df), df, shift) == pytest.approx(0.8, abs=1e-3)


def test_the_power_of_two_seeds_is_that_of_draws() -> None:
    draws = np.random.default_rng(1).normal(size=(40_000, 2))
    means = draws.mean(axis=1) + noncentrality(1, 0.05, 0.8) / 2**0.5
    p_values = 2 * t.sf(np.abs(means) / (draws.std(axis=1, ddof=1) / 2**0.5), 1)

    assert np.mean(p_values < 0.05) == pytest.approx(0.8, abs=0.01)


def test_a_correction_raises_what_could_be_shown_until_nothing_could() -> None:
    one = ByT(0.1, 0.05, 2)

    alone, of_three = one.detectable(ALPHA), one.detectable(ALPHA / 3)

    assert alone is not None
    assert of_three is not None
    assert alone < of_three
    assert one.detectable(ALPHA / 78) is None


# ---- means -----------------------------------------------------------------------------------------------------------


def test_a_mean_has_an_interval_within_its_ends() -> None:
    interval = interval_of_mean([1.0, 1.0, 1.0])

    assert interval["value"] == interval["high"] == 1.0
    assert 0 <= (interval["low"] or 0) < 0.5


def test_pairs_of_one_problem_do_not_narrow_an_interval() -> None:
    values = list(np.random.default_rng(3).normal(size=12))
    problems = [f"problem-{place}" for place in range(12)]

    once = interval_of_mean(values, problems, bounded=False)
    thrice = interval_of_mean(np.repeat(values, 3).tolist(), np.repeat(problems, 3).tolist(), bounded=False)

    assert thrice == pytest.approx(once)
    assert interval_of_mean(values, ["one"] * 12, bounded=False) == {
        "value": pytest.approx(np.mean(values)),
        "low": None,
        "high": None,
    }
