"""One part of the variance alone is Student's; both are averaged as plain draws average them; errors are as stated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from errata.evals.two_parts import EXCESS, SHARE, Parts, detectable_parts, p_of, parts_of, reach_of

MANY = 10**7
"""Items whose part is as good as known."""


def drawn(seed: float, item: float, seeds: int, number: int, dice: np.random.Generator) -> Parts:
    """Data sets without a difference, and their estimated parts."""
    values = dice.normal(0, (seed + item) ** 0.5, number)
    return parts_of(values, seed * dice.chisquare(seeds - 1, number) / (seeds - 1), [item] * number, seeds, MANY)


@pytest.mark.parametrize("seeds", [2, 3, 12])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 12])
def test_seeds_alone_are_students(seeds: int, alpha: float) -> None:
    parts = parts_of(0.3, 0.04, 0.0, seeds, MANY)

    assert float(reach_of(parts, alpha)) == pytest.approx(t.isf(alpha / 2, seeds - 1) * 0.2, rel=2e-3)
    assert float(p_of(parts)) == pytest.approx(2 * t.sf(1.5, seeds - 1), rel=1e-3)


def test_items_alone_are_students() -> None:
    parts = parts_of(0.3, 1e-12, 0.04, 3, 50)

    assert float(reach_of(parts, 0.05)) == pytest.approx(t.isf(0.025, 49) * 0.2, rel=2e-3)
    assert float(p_of(parts)) == pytest.approx(2 * t.sf(1.5, 49), rel=1e-2)


@pytest.mark.parametrize(("value", "share", "excess"), [(0.4, SHARE, 1.0), (1.2, 0.0, EXCESS)])
def test_both_are_averaged_over_what_the_seeds_part_may_be(value: float, share: float, excess: float) -> None:
    """Near, what some of the seeds' part being uncertain says counts; far, what all of it says."""
    dice = np.random.default_rng(1)
    w = dice.chisquare(2, 1_000_000) / 2
    uncertain = 0.01 * 0.25**share
    errors = dice.normal(size=len(w)) * np.sqrt(uncertain / w + 0.04 - uncertain)

    p_value = p_of(parts_of(value, 0.01, 0.03, 3, MANY))

    assert float(p_value) == pytest.approx(np.mean(np.abs(errors) > value) / excess, rel=0.05)


@pytest.mark.parametrize("seed_share", [0.25, 0.9])
def test_errors_are_as_seldom_as_stated_at_corrected_levels_too(seed_share: float) -> None:
    p_values = p_of(drawn(seed_share, 1 - seed_share, 3, 40_000, np.random.default_rng(2)))

    assert 0.6 * 0.05 < np.mean(p_values < 0.05) < 1.12 * 0.05
    assert np.mean(p_values < 0.05 / 12) < 1.5 * 0.05 / 12


@pytest.mark.parametrize(("seeds", "items"), [(2, 2), (3, 5), (5, 500)])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 40])
def test_the_interval_ends_where_p_is_alpha(seeds: int, items: int, alpha: float) -> None:
    parts = parts_of([0.0, 0.0], [0.03, 1e-9], [0.0, 0.02], seeds, items)

    assert p_of(parts._replace(value=reach_of(parts, alpha))) == pytest.approx([alpha, alpha], rel=1e-4)


def test_what_is_stated_as_detectable_is_found_at_the_stated_power() -> None:
    parts = drawn(0.5, 0.5, 5, 20_000, np.random.default_rng(3))
    detectable = detectable_parts(parts_of(0, 0.5, 0.5, 5, MANY), 0.05, 0.8)

    shifted = parts._replace(value=parts.value + detectable)

    assert np.mean(p_of(shifted) < 0.05) == pytest.approx(0.8, abs=0.01)
