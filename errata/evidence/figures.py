"""Precision, recall and accuracy of an acceptance: as the model estimates them, and against gold, with intervals.

    resampled problems, drawn priors --fit--> parameters --> a drawn truth of every rationale --> figures, 95 % of them

An interval is one of prediction: it says where the realised figure of these very rationales lies, not where its mean
does. In log odds its variance is the sum of three parts:

    V = V(model) + V(parameters) + V(labels),    V(labels) ~ sum over answers of n^2 p (1 - p) / (N p' (1 - p'))^2

with N accepted rationales of mean probability p', n of them with one answer, right with probability p. The parameters
vary with the problems at hand and with the priors, of which the share of misconceptions is one that votes cannot tell
(errata.evidence.priors says why both are drawn); the labels, given the parameters, by drawing one right answer, or
none, per problem; the model's own error by MODEL_ERROR, as it was on logs with gold answers. A person's marks narrow
it: they are known truths, and they say how far the model errs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from errata.evidence.ballots import Bools, Floats
from errata.evidence.read_log import Evidence
from errata.evidence.voters_model import Expected, expectation, fit_levels

NAMES = ("precision", "recall", "accuracy")
RESAMPLES, STEPS = 100, 12
"""Resamples of the problems, and steps of the fit in each, from the parameters of the whole log on."""
SEED = 17
MODEL_ERROR = 0.35
"""Standard deviation, in log odds, of a realised figure about the stated one on the released SVAMP committee, the
released MATH negatives and the classroom, beyond what is drawn otherwise. It shrinks with the share of gold known."""

Figures = dict[str, dict[str, float | None]]


def figures_of(right: Floats, accepted: Bools, weight: Floats | None = None) -> list[float]:
    """Precision, recall and accuracy of what is accepted, where each rationale is right with this probability.

    NaN where nothing is accepted, or nothing is right.
    """
    weight = np.ones(len(right)) if weight is None else weight
    chosen, true = weight @ accepted, weight @ right
    both = weight @ (right * accepted)
    hits = both + weight @ ((1 - right) * ~accepted)
    parts = ((both, chosen), (both, true), (hits, weight.sum()))
    return [float(part / of) if of > 0 else np.nan for part, of in parts]


def estimated(
    evidence: Evidence, accepted: Mapping[str, Bools], *, resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, Figures]:
    """The model's estimate of each acceptance's figures, without gold but for what the model was given."""
    draws: dict[str, list[list[float]]] = {name: [] for name in accepted}
    rng, errors = np.random.default_rng(seed), model_errors(evidence, resamples, np.random.default_rng(seed + 1))
    for truth_N, error in zip(drawn_truths(evidence, resamples, rng), errors, strict=False):
        for name, chosen in accepted.items():
            draws[name].append([_shifted(figure, error) for figure in figures_of(truth_N, chosen)])
    centre = 0.0 if evidence.before is None else float(errors.mean())
    return {
        name: _with_interval([_shifted(each, centre) for each in figures_of(evidence.right_N, chosen)], draws[name])
        for name, chosen in accepted.items()
    }


def model_errors(evidence: Evidence, number: int, rng: np.random.Generator) -> Floats:
    """Draws of the model's own error in log odds: from MODEL_ERROR, and where a person marked, from what marks say.

    A mark is taken as drawn by the probability that the model gave before it was made, shifted by the error.
    """
    if not len(evidence.ballots):
        return np.zeros(number)
    unknown = float(np.isnan(evidence.ballots.gold_N).mean())
    if evidence.before is None:
        return rng.normal(0.0, MODEL_ERROR * unknown, number)
    marked = np.isnan(evidence.before.ballots.gold_N) & ~np.isnan(evidence.ballots.gold_N)
    chance_M = np.clip(evidence.before.right_N[marked], 1e-4, 1 - 1e-4)
    right_M, odds_M = evidence.ballots.gold_N[marked] == 1, np.log(chance_M / (1 - chance_M))
    error_E = MODEL_ERROR * np.linspace(-4, 4, 401)
    signed_EM = np.where(right_M, 1, -1) * (odds_M + error_E[:, None])
    score_E = -np.logaddexp(0, -signed_EM).sum(1) - (error_E / MODEL_ERROR) ** 2 / 2
    weight_E = np.exp(score_E - score_E.max())
    return unknown * rng.choice(error_E, number, p=weight_E / weight_E.sum())


def _shifted(share: float, log_odds: float) -> float:
    odds = np.exp(log_odds)
    return float(share * odds / (1 - share + share * odds))


def realised(
    evidence: Evidence, accepted: Mapping[str, Bools], *, resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, Figures | None]:
    """The figures against gold, over the rationales whose gold verdict is known; None where none is."""
    gold = evidence.gold
    known = ~np.isnan(gold.gold_N)
    if not known.any():
        return dict.fromkeys(accepted)
    rng, draws = np.random.default_rng(seed), {name: list[list[float]]() for name in accepted}
    right, problem = gold.gold_N[known], gold.problem_N[known]
    for _ in range(resamples):
        weight = np.bincount(rng.integers(gold.problems, size=gold.problems), minlength=gold.problems)[problem]
        for name, chosen in accepted.items():
            draws[name].append(figures_of(right, chosen[known], weight.astype(float)))
    return {name: _with_interval(figures_of(right, chosen[known]), draws[name]) for name, chosen in accepted.items()}


def _with_interval(values: list[float], draws: list[list[float]]) -> Figures:
    figures: Figures = {}
    for place, (name, value) in enumerate(zip(NAMES, values, strict=True)):
        drawn = np.array([each[place] for each in draws])
        drawn = drawn[~np.isnan(drawn)]
        low, high = interval_of(drawn) if len(drawn) else (None, None)
        if low is not None and high is not None:  # where nearly every draw is 1 their mean lies below them
            low, high = min(low, value), max(high, value)
        figures[name] = {"value": None if np.isnan(value) else float(value), "low": low, "high": high}
    return figures


def interval_of(drawn: Floats) -> tuple[float, float]:
    """Between which bounds one more draw falls with probability 0.95, whatever the distribution.

    The i-th smallest of n draws stands at i / (n + 1) (Weibull 1939). Numpy's usual place, (i - 1) / (n - 1), bounds
    90.4 % for 40 draws and 93.1 % for 100. With fewer than 39 draws the bounds are the least and the greatest.
    """
    low, high = np.quantile(drawn, (0.025, 0.975), method="weibull")
    return float(low), float(high)


# ---- drawn truths ----------------------------------------------------------------------------------------------------


def drawn_truths(evidence: Evidence, number: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Truths of all rationales, 1 or 0, as a model fitted to resampled problems with drawn priors leaves them open."""
    kinds, layout = evidence.kinds, evidence.layout
    if not len(evidence.ballots):
        return
    share = kinds.counts() / len(kinds.kind_P)
    for _ in range(number):
        drawn = replace(layout, priors=layout.priors.drawn(rng))
        weight = rng.multinomial(len(kinds.kind_P), share).astype(float)
        parameters = fit_levels(drawn, weight, evidence.model.parameters, STEPS).parameters
        yield _draw(evidence, expectation(drawn, parameters), rng)


def _draw(evidence: Evidence, posterior: Expected, rng: np.random.Generator) -> Floats:
    """One answer, or none, is right in each problem."""
    ballots, kinds = evidence.ballots, evidence.kinds
    answered = ballots.group_N >= 0
    groups = int(ballots.group_N.max(initial=-1)) + 1
    kind_G, problem_G = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    kind_G[ballots.group_N[answered]] = kinds.ballots.group_N[kinds.row_N][answered]
    problem_G[ballots.group_N[answered]] = ballots.problem_N[answered]
    chance_G = posterior.answer_LG.sum(0)[kind_G]
    upto_G = np.cumsum(chance_G)
    first_P = np.searchsorted(problem_G, np.arange(ballots.problems))
    before_P = np.append(0.0, upto_G)[first_P]
    place_G = rng.random(ballots.problems)[problem_G] + before_P[problem_G]
    right_G = (upto_G - chance_G <= place_G) & (place_G < upto_G)
    right_N = np.append(right_G, False)[ballots.group_N].astype(float)
    return np.where(np.isnan(ballots.gold_N), right_N, ballots.gold_N)


def compared(evidence: Evidence, accepted: Mapping[str, Bools], asking: Mapping[str, bool]) -> dict[str, Any]:
    """All rules side by side, as `errata accept --compare --json` has them under `rules`."""
    per_rationale = float(evidence.ballots.reviews_N.mean()) if len(evidence.ballots) else 0.0
    estimates, truths = estimated(evidence, accepted), realised(evidence, accepted)
    return {
        name: {
            "accepted": int(chosen.sum()),
            "review_calls_per_rationale": per_rationale if asking[name] else 0.0,
            "estimated": estimates[name],
            "realised": truths[name],
        }
        for name, chosen in accepted.items()
    }
