"""What the model of the voters holds for likely before it sees a vote, as observations taken as seen.

    Beta(a, b) on a rate  --> a + b observations of which a were hits; drawn: of which (a + b) x were, x ~ Beta(a, b)

A fit with drawn priors to a resampled log is a draw of the posterior, roughly: a weighted likelihood bootstrap (Newton
and Raftery 1994) whose prior is observations that are drawn, too (Fong, Lyddon and Holmes 2019). For a normal mean with
n observations of variance s^2 and a normal prior of variance t^2 it is exact. The fit is w xbar + (1 - w) m, with
w = v n / s^2, 1 - w = v / t^2 and v the posterior's variance, 1 / (n / s^2 + 1 / t^2), and its draws have the variance
w^2 s^2 / n + (1 - w)^2 t^2 = v. Where the prior stays fixed the second term is missing: on few problems most of it.

Letters: J voters · A authors · L levels · Z truth (0 wrong, 1 right) · 2 hits and misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from errata.evidence.ballots import Floats, Voter

LEAST_LEVELS, MOST_LEVELS = 2, 4
"""Of difficulty; how likely each is held stands in LEVELS."""
MISCONCEPTION, PROBLEMS_SEEN = 0.04, 50.0
"""Share of problems on which authors agree on a wrong answer, in so many problems taken as seen. Equal answers cannot
tell it: of a log, only its gold verdicts can."""
LEVELS = (6.0, 2.0, 2.0, 2.0)
AUTHORS, ALL_AUTHORS = 20.0, (1.0, 1.0)
"""Rationales that an author's accuracy at a level is drawn by towards that of all authors at that level; of those."""
PANEL, FLAWED = (1.0, 99.0), (1.0, 19.0)
COINCIDENCE = (4.0, 1.0)
"""Pairs of wrong answers that are different, and the same."""


@dataclass(frozen=True)
class Priors:
    """Observations taken as seen, of each parameter."""

    voters_ZJ2: Floats
    """Votes that are right, and those that are not, about a wrong (0) and a right text (1)."""
    level_L: Floats
    shift_LA: Floats
    """Where an author's accuracy is held likely, in standard deviations from that of all authors."""
    authors_L2: Floats
    panel_Z2: Floats
    """Panels that err as one, and others."""
    flawed_2: Floats
    coincidence_L2: Floats
    misconceptions: float = MISCONCEPTION

    @classmethod
    def of(cls, voters: Sequence[Voter], authors: int) -> Priors:
        """What is held likely of any log."""
        of_voters = np.array([voter.prior for voter in voters]).reshape(-1, 2)
        return cls(
            np.stack([of_voters, of_voters]),
            np.array(LEVELS),
            np.zeros((MOST_LEVELS, authors)),
            np.tile(ALL_AUTHORS, (MOST_LEVELS, 1)),
            np.tile(PANEL, (2, 1)),
            np.array(FLAWED),
            np.tile(COINCIDENCE, (MOST_LEVELS, 1)),
        )

    def drawn(self, rng: np.random.Generator) -> Priors:
        """As many observations, with the hits of a rate that is drawn from each prior."""
        level_L = rng.standard_gamma(self.level_L)
        return Priors(
            _drawn(self.voters_ZJ2, rng),
            level_L / level_L.sum() * self.level_L.sum(),
            self.shift_LA + rng.standard_normal(self.shift_LA.shape),
            _drawn(self.authors_L2, rng),
            _drawn(self.panel_Z2, rng),
            _drawn(self.flawed_2, rng),
            _drawn(self.coincidence_L2, rng),
            float(rng.beta(self.misconceptions * PROBLEMS_SEEN, (1 - self.misconceptions) * PROBLEMS_SEEN)),
        )

    def of_authors(self, level: int, mean: float) -> Floats:
        """Where each author's accuracy is held likely, given that of all authors at the level."""
        spread = np.sqrt(mean * (1 - mean) / (AUTHORS + 1))
        likely: Floats = np.clip(mean + spread * self.shift_LA[level], 0.0, 1.0)
        return likely


def _drawn(observations: Floats, rng: np.random.Generator) -> Floats:
    whole = observations.sum(-1)
    rate = rng.beta(observations[..., 0], observations[..., 1])
    return np.stack([rate * whole, (1 - rate) * whole], axis=-1)
