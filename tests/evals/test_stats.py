"""Intervals and tests against scipy, published examples and slow twins; what is planted is found at the stated rate."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from errata.evals import stats
from tests.evals import twins

few_values = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=2, max_size=9)


def test_wilson_agrees_with_a_published_interval() -> None:
    # Newcombe, Stat. Med. 17 (1998) 857-872, table I: 81 of 263, and 0 of 20
    assert stats.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert stats.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_mcnemar_agrees_with_a_published_example() -> None:
    # Agresti, Categorical Data Analysis: approval ratings, 86 and 150 discordant; z^2 = 17.36, so p = 3.1e-5
    exact = stats.mcnemar(86, 150)

    assert exact == pytest.approx(scipy.stats.chi2.sf(17.36, 1), rel=0.25)
    assert exact == pytest.approx(scipy.stats.binomtest(86, 236).pvalue)


@given(st.integers(0, 7), st.integers(0, 7))
def test_mcnemar_equals_the_enumeration(left: int, right: int) -> None:
    assert stats.mcnemar(left, right) == pytest.approx(twins.mcnemar(left, right))


@settings(max_examples=25, deadline=None)
@given(few_values)
def test_sign_flips_approach_the_enumeration(differences: list[float]) -> None:
    p_value = stats.sign_flip(np.array(differences), 20_000, 1)

    assert p_value == pytest.approx(twins.sign_flip(differences), abs=0.015)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_equals_the_slow_twin(p_values: list[float]) -> None:
    assert stats.holm(p_values) == pytest.approx(twins.holm(p_values))


def test_holm_of_a_worked_example() -> None:
    # Holm, Scand. J. Stat. 6 (1979): p of .01, .02, .03 are compared with .05/3, .05/2, .05
    assert stats.holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])


def test_the_bootstrap_agrees_with_scipy() -> None:
    values = np.random.default_rng(5).choice([-1.0, 0.0, 1.0], 400, p=[0.1, 0.7, 0.2])

    ours = stats.bootstrap(values, 20_000, 1)

    theirs = scipy.stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.004)


def test_the_bootstrap_is_seeded() -> None:
    values = np.linspace(0, 1, 50)

    assert stats.bootstrap(values, 1000, 3) == stats.bootstrap(values, 1000, 3) != stats.bootstrap(values, 1000, 4)


@pytest.mark.parametrize("shared", [True, False])
def test_the_hierarchical_bootstrap_agrees_with_plain_loops(shared: bool) -> None:
    dice = np.random.default_rng(8)
    hardness = dice.normal(size=60)
    seeds = [(hardness + dice.normal() / 2 > 0).astype(float) for _ in range(4)]

    ours = stats.hierarchical_means(seeds, shared, 20_000, np.random.default_rng(1))
    slowly = twins.hierarchical_means(seeds, shared, 4000, 2)

    assert ours.mean() == pytest.approx(np.mean(slowly), abs=0.004)
    assert ours.std() == pytest.approx(np.std(slowly), rel=0.05)


def test_shared_items_widen_the_interval_where_all_seeds_fail_alike() -> None:
    same = (np.arange(100) % 3 == 0).astype(float)
    seeds = [same, same, same]

    crossed = stats.hierarchical_means(seeds, True, 20_000, np.random.default_rng(1))
    nested = stats.hierarchical_means(seeds, False, 20_000, np.random.default_rng(1))

    assert crossed.std() > 1.5 * nested.std()


def test_more_than_thirty_seeds_are_drawn_from_evenly() -> None:
    seeds = [np.full(3, float(seed)) for seed in range(40)]

    means = stats.hierarchical_means(seeds, False, 4000, np.random.default_rng(1))

    assert means.mean() == pytest.approx(19.5, abs=0.2)
    assert means.std() == pytest.approx(np.std(range(40)) / 40**0.5, rel=0.1)


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.data())
def test_pass_at_k_is_the_share_of_choices_that_hold_a_right_one(right: list[bool], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(right)))

    assert stats.pass_at_k(len(right), sum(right), k) == pytest.approx(float(twins.pass_at_k(right, k)))


def test_pass_at_more_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="pass@6 of 5"):
        stats.pass_at_k(5, 2, 6)


# ---- stated rates ----------------------------------------------------------------------------------------------------


def paired_draws(n: int, gain: float, rounds: int, seed: int) -> np.ndarray:
    """Differences of `rounds` simulated comparisons: a fifth of the items discordant, won by `gain` more than lost."""
    dice = np.random.default_rng(seed)
    drawn = dice.random((rounds, n))
    return np.where(drawn < 0.1 + gain / 2, 1.0, 0.0) - np.where(drawn > 0.9 + gain / 2, 1.0, 0.0)


def p_values(differences: np.ndarray) -> np.ndarray:
    return np.array([stats.mcnemar(int((row > 0).sum()), int((row < 0).sum())) for row in differences])


def test_a_planted_null_is_found_no_more_often_than_stated() -> None:
    p_value = (p_values(paired_draws(300, 0.0, 600, 1)) < 0.05).mean()

    assert 0.01 < p_value < 0.07  # the exact test keeps below its 5 %


def test_a_difference_as_large_as_the_detectable_one_is_found_at_the_stated_power() -> None:
    n = 500
    detectable = stats.detectable_of_items(paired_draws(n, 0.0, 1, 2)[0])
    p_value = (p_values(paired_draws(n, detectable, 600, 3)) < 0.05).mean()

    assert 0.7 < p_value < 0.9


def test_a_planted_difference_over_seeds_is_found_at_the_stated_power() -> None:
    dice = np.random.default_rng(4)
    spread, seeds = 0.02, 5
    typical = np.sqrt(np.mean([stats.detectable_of_seeds(dice.normal(0, spread, seeds)) ** 2 for _ in range(2000)]))
    draws = dice.normal(typical, spread, (1000, seeds))
    nothing = dice.normal(0, spread, (1000, seeds))

    assert 0.7 < np.mean([stats.t_over_seeds(row) < 0.05 for row in draws]) < 0.9
    assert 0.03 < np.mean([stats.t_over_seeds(row) < 0.05 for row in nothing]) < 0.07


def test_the_interval_covers_at_its_rate() -> None:
    differences = paired_draws(200, 0.05, 300, 6)
    bounds = [stats.bootstrap(row, 2000, place) for place, row in enumerate(differences)]

    covered = np.mean([low <= 0.05 <= high for low, high in bounds])
    assert 0.91 < covered < 0.98


def test_few_items_that_agree_do_not_prove_much() -> None:
    assert stats.detectable_of_items(np.zeros(20)) >= 0.3
    assert stats.detectable_of_items(np.zeros(2000)) < 0.005
