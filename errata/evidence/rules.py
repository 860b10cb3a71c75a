"""Acceptance rules: each one value, from the evidence of a log to which of its rationales are accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from errata.evidence.ballots import NO, YES, Ballots, Bools
from errata.evidence.read_log import Evidence
from errata.graphs.stages.review_panel import AcceptRule, verdict
from errata.runs.acceptance import Acceptance
from errata.runs.review_counts import ReviewCounts, ReviewFigures

DOUBTED = 0.5
"""Of a text with a higher probability of flawed steps `reliability` accepts none."""


@dataclass(frozen=True)
class Rule:
    """A rule of acceptance. `asks`: it needs the reviews that were made, so that their calls are its price."""

    name: str
    accepts: Callable[[Evidence, Acceptance], Bools]
    asks: bool


def _panel(name: Literal["mean", "min", "k_of_n", "veto"]) -> Rule:
    def accepts(evidence: Evidence, settings: Acceptance) -> Bools:
        rule = AcceptRule(rule=name, threshold=settings.threshold, k=settings.k, veto_at=settings.veto_at)
        return np.array([bool(verdict(rule, reviews)) for reviews in evidence.reviews], bool)

    return Rule(name, accepts, asks=True)


def _agreement(evidence: Evidence, settings: Acceptance) -> Bools:
    columns = [voter.name.startswith("agrees:") for voter in evidence.ballots.voters]
    accepted: Bools = (evidence.ballots.votes_NJ[:, columns] == YES).any(1)
    return accepted


def _majority(evidence: Evidence, settings: Acceptance) -> Bools:
    return most_given(evidence.ballots)


def most_given(ballots: Ballots) -> Bools:
    """Whose answer is that of more rationales of the problem than any other, and of two at least."""
    answered = ballots.group_N >= 0
    size_G = np.bincount(ballots.group_N[answered])
    size_N = np.zeros(len(ballots), np.int64)
    size_N[answered] = size_G[ballots.group_N[answered]]
    most_P = np.zeros(ballots.problems, np.int64)
    np.maximum.at(most_P, ballots.problem_N, size_N)
    problem_G = np.zeros(len(size_G), np.int64)
    problem_G[ballots.group_N[answered]] = ballots.problem_N[answered]
    ties_P = np.bincount(problem_G[size_G == most_P[problem_G]], minlength=ballots.problems)
    accepted: Bools = (size_N == most_P[ballots.problem_N]) & (size_N > 1) & (ties_P[ballots.problem_N] == 1)
    return accepted


def _reliability(evidence: Evidence, settings: Acceptance) -> Bools:
    """The most probable rationales, ties together, as many as keep their mean probability at the precision.

    Most probable is what is right with sound steps. Where flaws are more probable than not a right answer is left out,
    too: equal answers are right together, and only its own votes tell one text of an answer from another.
    """
    right_N = evidence.right_N
    sound_N = np.where(evidence.flawed_N <= DOUBTED, evidence.sound_N, -np.inf)
    levels, level_N = np.unique(-sound_N, return_inverse=True)
    number, right = np.bincount(level_N), np.bincount(level_N, weights=right_N)
    enough = np.flatnonzero((np.cumsum(right) / np.cumsum(number) >= settings.precision - 1e-12) & (levels < np.inf))
    accepted: Bools = sound_N >= -levels[enough[-1]] if len(enough) else np.zeros(len(right_N), bool)
    return accepted


RULES = (
    _panel("mean"),
    _panel("min"),
    _panel("k_of_n"),
    _panel("veto"),
    Rule("agreement", _agreement, asks=False),
    Rule("majority", _majority, asks=False),
    Rule("reliability", _reliability, asks=True),
)


def rule_of(name: str, rules: Sequence[Rule] = RULES) -> Rule:
    """The rule of this name; Acceptance has refused any other."""
    return next(each for each in rules if each.name == name)


def effective_votes(evidence: Evidence) -> dict[str, float] | None:
    """What a panel's votes are worth, given that its errors correlate: n / (1 + (n - 1) r), after Kish (1965).

    `votes` is n, reviews per reviewed rationale; `correlation` is r, that of two reviewers' errors on one rationale,
    by the model's probabilities (where gold is known, by gold). None where no rationale has two readable reviews.
    """
    ballots = evidence.ballots.counted()
    panel = np.array([voter.panel for voter in ballots.voters], bool)
    votes_NJ = ballots.votes_NJ[:, panel].astype(float)
    several = (votes_NJ != 0).sum(1) > 1
    if not several.any():
        return None
    votes_NJ, right_N = votes_NJ[several], evidence.right_N[several]
    voted_NJ, cross, spread, pairs, alone = votes_NJ != 0, 0.0, 0.0, 0.0, 0.0
    truths = [((votes_NJ == wrong).astype(float), chance) for wrong, chance in ((YES, 1 - right_N), (NO, right_N))]
    mean_J = sum(chance @ error for error, chance in truths) / voted_NJ.sum(0).clip(1)
    for error_NJ, chance_N in truths:
        residual_NJ = np.where(voted_NJ, error_NJ - mean_J, 0.0)
        squares_N = (residual_NJ**2).sum(1)
        cross += chance_N @ (residual_NJ.sum(1) ** 2 - squares_N)
        spread += chance_N @ squares_N
        number_N = voted_NJ.sum(1)
        pairs += chance_N @ (number_N * (number_N - 1))
        alone += chance_N @ number_N
    correlation = float((cross / pairs) / (spread / alone)) if spread else 0.0
    number = float(voted_NJ.sum(1).mean())
    return {
        "votes": number,
        "correlation": correlation,
        "effective": number / (1 + (number - 1) * max(0.0, correlation)),
    }


def review_figures(evidence: Evidence) -> ReviewFigures:
    """Reviews made of the log's rationales, those saved, and further samples, as `errata status` counts them."""
    counts = ReviewCounts()
    ballots = evidence.ballots
    for name, author, reviews in zip(ballots.ids, ballots.author_N, evidence.reviews, strict=True):
        if name in evidence.further:
            counts.add_sample()
        else:
            counts.add(ballots.authors[author], (review.reviewer for review in reviews))
    return counts.figures()
