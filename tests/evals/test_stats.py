"""Shares and pass@k against published figures and slow twins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from errata.evals import stats
from tests.evals import twins


def test_wilson_agrees_with_a_published_interval() -> None:
    # Newcombe, Stat. Med. 17 (1998) 857-872, table I: 81 of 263, and 0 of 20
    assert stats.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert stats.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(st.integers(1, 5_000), st.data())
def test_wilson_agrees_with_scipys(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))

    interval = binomtest(successes, n).proportion_ci(stats.LEVEL, method="wilson")

    assert stats.wilson(successes, n) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert 0 <= stats.wilson(successes, n).low <= successes / n <= stats.wilson(successes, n).high <= 1


def test_more_successes_than_tries_are_refused() -> None:
    for successes, n in ((6, 5), (-1, 5), (0, 0)):
        with pytest.raises(ValueError, match=f"{successes} successes of {n}"):
            stats.wilson(successes, n)


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.data())
def test_pass_at_k_is_the_share_of_choices_that_hold_a_right_one(right: list[bool], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(right)))

    assert stats.pass_at_k(len(right), sum(right), k) == pytest.approx(float(twins.pass_at_k(right, k)))


def test_pass_at_more_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="pass@6 of 5"):
        stats.pass_at_k(5, 2, 6)
