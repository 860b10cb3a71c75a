"""The model of the voters: how probably each rationale is right, from votes and equal answers, without gold answers.

    problem: of one of several levels of difficulty  --> which authors are right together (shared error of authors)
             one of its answers is right, or none   --> equal answers are right together, two different ones never
    text:    a panel that errs as one, or not       --> its reviewers do not count as independent
             a right answer by flawed steps, or not --> of texts with one right answer some are better than others
    voter:   sensitivity and specificity

Latent classes after Dawid and Skene (1979), fitted by expectation-maximisation to a posterior mode. What it adds to
theirs: wrong answers coincide as in Ewens' sampling formula (1972, eq. 1), with a concentration per level; an author's
accuracy depends on the level of the problem, so that authors who fail together are not counted as so many witnesses;
all reviewers of a text may err together; and flawed steps may lead to a right answer, so that votes on such a text are
those on a wrong one. Beta priors keep it stable on few problems; how strong they are was chosen on three logs with gold
answers: the released SVAMP committee, the released MATH negatives and the classroom. Gold verdicts, where there are
some, are observed truth.

Letters: N rationales · P problems · G answers · J voters · V different rows of votes · A authors · L levels, the last
one that of misconceptions · Z truth (0 wrong, 1 right).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from errata.evidence.ballots import Ballots, Floats
from errata.evidence.layout import Layout
from errata.evidence.priors import AUTHORS, FLAWED, LEAST_LEVELS, MISCONCEPTION, MOST_LEVELS, PROBLEMS_SEEN

MOST_STEPS, SETTLED = 300, 1e-4
"""Steps of expectation-maximisation at most; it ends where no posterior moves by more than SETTLED."""
SLIP = 0.05
"""Chance that a reviewer differs from a panel that errs as one."""
MISLED, MISLED_CONCENTRATION = 0.02, 0.1
"""Accuracy on such a problem, and the concentration of its wrong answers: nearly all are the same."""
WRONG_ANSWERS = np.exp(np.linspace(-3.0, 4.0, 71))
"""Concentrations of wrong answers that are tried: small, they coincide; large, no two are equal."""


class Parameters(NamedTuple):
    """What the model has learned. Columns of `right_ZJ`: specificity in row 0, sensitivity in row 1."""

    level_L: Floats
    accuracy_LA: Floats
    concentration_L: Floats
    right_ZJ: Floats
    together_Z: Floats
    """How often the panel errs as one on a wrong (0) and on a right text (1)."""
    flawed: float
    """Share of the right answers that flawed steps lead to."""


class Expected(NamedTuple):
    """One expectation step: log likelihood per problem, and the posterior of each rationale, alone and by level."""

    fit_P: Floats
    right_LN: Floats
    """Right, and the problem of this level."""
    level_LP: Floats
    none_LP: Floats
    """No answer is right, by level."""
    answer_LG: Floats
    together_ZV: Floats
    """The panel erred as one on a text with these votes, given that it is wrong (0), right (1)."""
    flawed_V: Floats
    """The steps of a text with these votes are flawed, given that its answer is right."""

    @property
    def right_N(self) -> Floats:
        right: Floats = self.right_LN.sum(0)
        return right


@dataclass(frozen=True)
class Fit:
    """A fitted model: what it learned, its log posterior density, and of each row of its ballots two probabilities."""

    parameters: Parameters
    right_N: Floats
    """The answer is right."""
    flawed_N: Floats
    """The steps are flawed, given that the answer is right."""
    score: float


# ---- expectation -----------------------------------------------------------------------------------------------------


def expectation(layout: Layout, now: Parameters) -> Expected:
    """The posterior over each problem's level and right answer under these parameters."""
    ballots, of, answered = layout.ballots, layout.problem_G, layout.answered_N
    text_ZV, together_ZV = _text_likelihoods(layout, now)
    vote_ZV, flawed_V = _answer_likelihoods(text_ZV, now.flawed)
    vote_ZN = vote_ZV[:, layout.votes_N] + layout.gold_ZN
    scores, nones = [], []
    for level, weight in enumerate(now.level_L):
        accuracy_A = now.accuracy_LA[level]
        wrong_N = vote_ZN[0] + np.log1p(-accuracy_A)[ballots.author_N]
        right_N = vote_ZN[1] + np.log(accuracy_A)[ballots.author_N]
        base_P = np.bincount(ballots.problem_N, weights=wrong_N, minlength=len(layout.answers_P)) + np.log(weight)
        gain_G = np.bincount(
            ballots.group_N[answered], weights=(right_N - wrong_N)[answered], minlength=len(layout.size_G)
        )
        log_c, drawn = _ewens(layout, now.concentration_L[level])
        nones.append(base_P + layout.groups_P * log_c + layout.sizes_P - drawn[layout.answers_P])
        others_G = (layout.groups_P[of] - 1) * log_c + layout.others_sizes_G - drawn[layout.others_G]
        scores.append(gain_G + base_P[of] + others_G)
    return _normalised(layout, np.array(scores), np.array(nones), together_ZV, flawed_V)


def _answer_likelihoods(text_ZV: Floats, flawed: float) -> tuple[Floats, Floats]:
    """Log likelihood of each row of votes given that the answer is wrong (0), right (1), and how probably flawed steps
    led to a right one: of such a text votes are those of a wrong one."""
    by_flaws_V = text_ZV[0] + np.log(flawed)
    right_V = np.logaddexp(by_flaws_V, text_ZV[1] + np.log1p(-flawed))
    return np.stack([text_ZV[0], right_V]), np.exp(by_flaws_V - right_V)


def _text_likelihoods(layout: Layout, now: Parameters) -> tuple[Floats, Floats]:
    """Log likelihood of each row of votes on a flawed (0), a sound text (1); how probably the panel erred as one."""
    panel, likelihood, together = layout.panel_J, [], []
    for truth in (0, 1):
        hit, miss = np.log(now.right_ZJ[truth]), np.log1p(-now.right_ZJ[truth])
        right_VJ, wrong_VJ = layout.votes_ZVJ[truth], layout.votes_ZVJ[1 - truth]
        alone_V = right_VJ[:, ~panel] @ hit[~panel] + wrong_VJ[:, ~panel] @ miss[~panel]
        apart_V = right_VJ[:, panel] @ hit[panel] + wrong_VJ[:, panel] @ miss[panel]
        as_one_V = right_VJ[:, panel].sum(1) * np.log(SLIP) + wrong_VJ[:, panel].sum(1) * np.log1p(-SLIP)
        apart_V, as_one_V = apart_V + np.log1p(-now.together_Z[truth]), as_one_V + np.log(now.together_Z[truth])
        panel_V = np.logaddexp(apart_V, as_one_V)
        likelihood.append(alone_V + panel_V)
        together.append(np.exp(as_one_V - panel_V))
    return np.array(likelihood), np.array(together)


def _ewens(layout: Layout, concentration: float) -> tuple[float, Floats]:
    """Of the log probability that n wrong answers fall into groups of certain sizes (Ewens 1972): what each group adds,
    and by n what is taken off."""
    most = int(layout.answers_P.max(initial=0))
    drawn = np.append(0.0, np.cumsum(np.log(concentration + np.arange(most))))
    return float(np.log(concentration)), drawn


def _normalised(layout: Layout, score_LG: Floats, none_LP: Floats, together_ZV: Floats, flawed_V: Floats) -> Expected:
    ballots, of = layout.ballots, layout.problem_G
    most_P = none_LP.max(0)
    np.maximum.at(most_P, of, score_LG.max(0, initial=-np.inf))
    answer_LG, none_LP = np.exp(score_LG - most_P[of]), np.exp(none_LP - most_P)
    whole_P = none_LP.sum(0) + np.bincount(of, weights=answer_LG.sum(0), minlength=ballots.problems)
    answer_LG, none_LP = answer_LG / whole_P[of], none_LP / whole_P
    level_LP = none_LP + np.array([np.bincount(of, weights=each, minlength=ballots.problems) for each in answer_LG])
    padded = np.hstack([answer_LG, np.zeros((len(answer_LG), 1))])
    right_LN = padded[:, ballots.group_N]  # -1, no answer, is the zero at the end
    return Expected(np.log(whole_P) + most_P, right_LN, level_LP, none_LP, answer_LG, together_ZV, flawed_V)


# ---- maximisation ----------------------------------------------------------------------------------------------------


def maximisation(layout: Layout, posterior: Expected, weight_P: Floats) -> Parameters:
    """The parameters of highest posterior density given the expected truth; each problem counts `weight_P` times."""
    ballots = layout.ballots
    weight_N = weight_P[ballots.problem_N]
    flawed_N = posterior.flawed_V[layout.votes_N]
    right_ZJ, together_Z = _voters(layout, posterior, weight_N, posterior.right_N * (1 - flawed_N))
    flawed, right = weight_N @ (posterior.right_N * flawed_N), weight_N @ posterior.right_N
    free = range(len(posterior.level_LP) - 1)
    return Parameters(
        _levels(layout, posterior, weight_P),
        np.vstack([_accuracies(layout, posterior, weight_N), np.full(len(ballots.authors), MISLED)]),
        np.array([*(_concentration(layout, posterior, weight_P, level) for level in free), MISLED_CONCENTRATION]),
        right_ZJ,
        together_Z,
        float((flawed + layout.priors.flawed_2[0]) / (right + layout.priors.flawed_2.sum())),
    )


def _levels(layout: Layout, posterior: Expected, weight_P: Floats) -> Floats:
    """The weight of each level; the last is that of misconceptions."""
    levels = (posterior.level_LP * weight_P).sum(1)
    prior = layout.priors.level_L[: len(levels) - 1]
    free = (levels[:-1] + prior) / (levels[:-1].sum() + prior.sum())
    known_P = np.zeros(len(weight_P), bool)
    known_P[layout.ballots.problem_N[~np.isnan(layout.ballots.gold_N)]] = True
    known = weight_P * known_P
    prior_misled = layout.priors.misconceptions * PROBLEMS_SEEN
    misled = (posterior.level_LP[-1] @ known + prior_misled) / (known.sum() + PROBLEMS_SEEN)
    weights: Floats = np.append(free * (1 - misled), misled)
    return weights


def _accuracies(layout: Layout, posterior: Expected, weight_N: Floats) -> Floats:
    ballots, rows = layout.ballots, []
    for level, right_N in enumerate(posterior.right_LN[:-1]):
        right_A = np.bincount(ballots.author_N, weights=weight_N * right_N, minlength=len(ballots.authors))
        whole_N = weight_N * posterior.level_LP[level][ballots.problem_N]
        whole_A = np.bincount(ballots.author_N, weights=whole_N, minlength=len(ballots.authors))
        of_all = layout.priors.authors_L2[level]
        mean = float((right_A.sum() + of_all[0]) / (whole_A.sum() + of_all.sum()))
        rows.append((right_A + AUTHORS * layout.priors.of_authors(level, mean)) / (whole_A + AUTHORS))
    accuracies: Floats = np.clip(np.array(rows), 1e-6, 1 - 1e-6)
    return accuracies


def _voters(layout: Layout, posterior: Expected, weight_N: Floats, sound_N: Floats) -> tuple[Floats, Floats]:
    panel, rows, together = layout.panel_J, [], []
    voted_VJ = layout.votes_ZVJ.sum(0)
    sat_V = voted_VJ[:, panel].any(1)
    for truth, chance_N in enumerate((1 - sound_N, sound_N)):
        weight_V = np.bincount(layout.votes_N, weights=weight_N * chance_N, minlength=len(voted_VJ))
        apart_V = weight_V * (1 - posterior.together_ZV[truth])
        right_VJ = layout.votes_ZVJ[truth]
        seen_J2, panel_2 = layout.priors.voters_ZJ2[truth], layout.priors.panel_Z2[truth]
        hits = np.where(panel, apart_V @ right_VJ, weight_V @ right_VJ) + seen_J2[:, 0]
        weights = np.where(panel, apart_V @ voted_VJ, weight_V @ voted_VJ) + seen_J2.sum(1)
        rows.append(hits / weights)
        as_one = (weight_V * posterior.together_ZV[truth])[sat_V].sum() + panel_2[0]
        together.append(as_one / (weight_V[sat_V].sum() + panel_2.sum()))
    return np.array(rows), np.array(together)


def _concentration(layout: Layout, posterior: Expected, weight_P: Floats, level: int) -> float:
    """Where the expected number of different wrong answers equals the one seen."""
    of, pairs_2 = layout.problem_G, layout.priors.coincidence_L2[level]
    none, other = weight_P * posterior.none_LP[level], weight_P[of] * posterior.answer_LG[level]
    groups = (none * layout.groups_P).sum() + (other * (layout.groups_P[of] - 1)).sum() + pairs_2[0]
    answers = np.concatenate([layout.answers_P, layout.others_G])
    number = np.bincount(answers, weights=np.concatenate([none, other]))
    drawn = np.cumsum(number[::-1])[::-1][1:]  # how often an i-th wrong answer was drawn
    before = np.arange(len(drawn))
    expected = (WRONG_ANSWERS[:, None] / (WRONG_ANSWERS[:, None] + before)) @ drawn
    expected += pairs_2.sum() * WRONG_ANSWERS / (WRONG_ANSWERS + 1)
    return float(np.exp(np.interp(groups, expected, np.log(WRONG_ANSWERS))))


# ---- fitting ---------------------------------------------------------------------------------------------------------


def start(ballots: Ballots, levels: int) -> Parameters:
    """Where the fit begins: voters more often right than wrong, levels from easy to hard, then misconceptions."""
    prior = np.array([voter.prior for voter in ballots.voters]).reshape(-1, 2)
    trust = np.maximum(prior[:, 0] / prior.sum(1), 0.8)
    accuracy = np.append(np.linspace(0.85, 0.35, levels) if levels > 1 else [0.7], MISLED)
    weight = np.array([1.0] if levels == 1 else [0.7] + [0.3 / (levels - 1)] * (levels - 1))
    return Parameters(
        np.append(weight * (1 - MISCONCEPTION), MISCONCEPTION),
        np.repeat(accuracy[:, None], len(ballots.authors), axis=1),
        np.append(np.full(levels, 3.0), MISLED_CONCENTRATION),
        np.stack([trust, trust]),
        np.array([0.1, 0.1]),
        FLAWED[0] / sum(FLAWED),
    )


def fit_levels(
    layout: Layout, weight_P: Floats, parameters: Parameters, steps: int = MOST_STEPS, settled: float = SETTLED
) -> Fit:
    """The fit from these parameters on, with as many levels as they have; each problem counts `weight_P` times."""
    posterior = expectation(layout, parameters)
    for _ in range(steps):
        parameters = maximisation(layout, posterior, weight_P)
        before, posterior = posterior, expectation(layout, parameters)
        if np.abs(posterior.right_N - before.right_N).max(initial=0.0) < settled:
            break
    score = float((weight_P * posterior.fit_P).sum())
    return Fit(parameters, posterior.right_N, posterior.flawed_V[layout.votes_N], score)


def fit(layout: Layout, weight_P: Floats) -> Fit:
    """The fit with as many levels of difficulty as the problems speak for (Schwarz 1978); gold verdicts as they are.

    There are two at least: problems do differ, the priors keep a second level harmless where they do not, and with one
    authors who fail together on a small log would be taken for independent.
    """
    ballots = layout.ballots
    if not len(ballots):
        return Fit(start(ballots, 1), np.zeros(0), np.zeros(0), 0.0)
    best, lowest = None, np.inf
    for levels in range(LEAST_LEVELS, MOST_LEVELS + 1):
        candidate = fit_levels(layout, weight_P, start(ballots, levels))
        free = levels * (len(ballots.authors) + 2) - 1
        criterion = free * np.log(max(weight_P.sum(), 1.0)) - 2 * candidate.score
        if criterion >= lowest:
            break
        best, lowest = candidate, criterion
    assert best is not None
    known = ~np.isnan(ballots.gold_N)
    return replace(best, right_N=np.where(known, ballots.gold_N, best.right_N))
