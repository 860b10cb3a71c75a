"""What the model of the voters holds for likely, and that draws of it spread as a posterior does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from errata.evidence.ballots import Ballot, Voter, gather
from errata.evidence.layout import Layout
from errata.evidence.priors import AUTHORS, Priors
from errata.evidence.voters_model import fit_levels, start

BEN = Voter("review:ben")


@pytest.mark.parametrize("number", [0, 10, 100])
def test_drawn_fits_spread_as_the_posterior_does(number: int) -> None:
    """Of wrong texts ben refuses seven in ten: by Bayes his specificity is Beta(6 + 0.7 n, 3 + 0.3 n)."""
    ballots = gather([[Ballot(f"{n}", "ada", 0, {BEN: n % 10 >= 7}, right=False)] for n in range(max(number, 1))])
    layout, rng = Layout.of(ballots), np.random.default_rng(1)
    drawn = []
    for _ in range(300):
        weight_P = rng.multinomial(number, np.full(ballots.problems, 1 / ballots.problems)).astype(float)
        found = fit_levels(replace(layout, priors=layout.priors.drawn(rng)), weight_P, start(ballots, 2), steps=1)
        drawn.append(found.parameters.right_ZJ[0, 0])
    exact = beta(6 + 0.7 * number, 3 + 0.3 * number)
    assert np.mean(drawn) == pytest.approx(exact.mean(), abs=0.015)
    assert np.std(drawn) == pytest.approx(exact.std(), rel=0.12)


def test_a_drawn_prior_is_worth_as_much_and_is_itself_on_average() -> None:
    priors, rng = Priors.of([BEN, Voter("units", prior=(2.0, 8.0))], authors=3), np.random.default_rng(2)
    drawn = [priors.drawn(rng) for _ in range(2000)]
    for name in ("voters_ZJ2", "authors_L2", "panel_Z2", "flawed_2", "coincidence_L2"):
        before, after = getattr(priors, name), np.array([getattr(each, name) for each in drawn])
        np.testing.assert_allclose(after.sum(-1), np.broadcast_to(before.sum(-1), after.shape[:-1]))
        np.testing.assert_allclose(after.mean(0), before, rtol=0.1)
    np.testing.assert_allclose(np.mean([each.level_L for each in drawn], 0), priors.level_L, rtol=0.1)
    assert np.mean([each.misconceptions for each in drawn]) == pytest.approx(priors.misconceptions, rel=0.12)


def test_authors_are_held_likely_about_their_mean_as_a_beta_prior_has_it() -> None:
    priors = Priors.of([BEN], authors=4000)
    assert (priors.of_authors(0, 0.7) == 0.7).all()
    shares = priors.drawn(np.random.default_rng(3)).of_authors(1, 0.7)
    assert shares.mean() == pytest.approx(0.7, abs=0.01)
    assert shares.std() == pytest.approx(beta(0.7 * AUTHORS, 0.3 * AUTHORS).std(), rel=0.05)
    assert shares.max() <= 1.0
