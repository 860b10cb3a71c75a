"""Ballots as the model of the voters sums over them: what its steps need of their shape, computed once.

Letters: N rationales · P problems · G answers · J voters · V different rows of votes · Z truth (0 wrong, 1 right).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from errata.evidence.ballots import NO, YES, Ballots, Bools, Floats, Ints
from errata.evidence.priors import Priors

GOLD_ERROR = 1e-6


@dataclass(frozen=True)
class Layout:
    """Ballots with all that the steps need of their shape; computed once."""

    ballots: Ballots
    answered_N: Bools
    problem_G: Ints
    size_G: Floats
    answers_P: Ints
    groups_P: Floats
    sizes_P: Floats
    """Sum of log (size - 1)! over a problem's answers."""
    others_G: Ints
    """Answers of the problem's other groups."""
    others_sizes_G: Floats
    panel_J: Bools
    votes_N: Ints
    """Which row of votes_ZVJ each rationale has: few rows differ, so that most sums are over them."""
    votes_ZVJ: Floats
    """1 where the voter says wrong (0), right (1)."""
    gold_ZN: Floats
    """Log likelihood of the gold verdict given the truth; 0 where it is not known."""
    priors: Priors

    @classmethod
    def of(cls, ballots: Ballots) -> Layout:
        answered, problems = ballots.group_N >= 0, ballots.problems
        groups = int(ballots.group_N.max(initial=-1)) + 1
        problem_G = np.zeros(groups, np.int32)
        problem_G[ballots.group_N[answered]] = ballots.problem_N[answered]
        size_G = np.bincount(ballots.group_N[answered], minlength=groups).astype(float)
        answers_P = np.bincount(ballots.problem_N[answered], minlength=problems).astype(np.int32)
        sizes_P = np.bincount(problem_G, weights=gammaln(size_G), minlength=problems).astype(float)
        votes_VJ, votes_N = np.unique(ballots.votes_NJ, axis=0, return_inverse=True)
        return cls(
            ballots,
            answered,
            problem_G,
            size_G,
            answers_P,
            np.bincount(problem_G, minlength=problems).astype(float),
            sizes_P,
            (answers_P[problem_G] - size_G).astype(np.int32),
            sizes_P[problem_G] - gammaln(size_G),
            np.array([voter.panel for voter in ballots.voters], bool),
            votes_N.reshape(-1).astype(np.int32),
            np.stack([votes_VJ == NO, votes_VJ == YES]).astype(float),
            np.stack([_of_gold(ballots.gold_N, truth) for truth in (0, 1)]),
            Priors.of(ballots.voters, len(ballots.authors)),
        )


def _of_gold(gold_N: Floats, truth: int) -> Floats:
    return np.where(np.isnan(gold_N) | (gold_N == truth), 0.0, np.log(GOLD_ERROR))
