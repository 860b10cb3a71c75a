"""Which step is the first wrong one, from what several sources say: naive Bayes over the steps of one rationale.

    p(step t | votes)  ~  prior(t) x product over votes of p(vote | t)

A source hits the step, names one before or behind it, or names none, each at a rate of its own; a miss is as likely
for every step on its side. The rates are stated, or estimated from the sources' agreement by expectation maximisation,
as Dawid and Skene do for observers of patients (Applied Statistics 28, 1979), with the stated ones as a prior.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from errata.config.base import Settings
from errata.records import Span, StepVote, WrongStep

CLOSING = 0.2
"""Prior weight of the last step beside 1 of any other: it mostly repeats what stands before it."""
PLACES = 4
STRENGTH, ROUNDS = 10.0, 30


class VoteRates(Settings):
    """How often a source names the first wrong step, one before it, one behind it, or none; their sum is 1."""

    hit: float = Field(gt=0, lt=1)
    early: float = Field(gt=0, lt=1)
    late: float = Field(gt=0, lt=1)
    none: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _is_a_distribution(self) -> Self:
        if abs(self.hit + self.early + self.late + self.none - 1) > 1e-6:
            raise ValueError("hit, early, late and none are shares of all votes: their sum is 1")
        return self

    def of(self, vote: int | None, truth: int, steps: int) -> float:
        """Probability of this vote where step `truth` of so many is the first wrong one."""
        early, late = self.early * (truth > 0), self.late * (truth < steps - 1)
        whole = self.hit + early + late + self.none  # at either end a source cannot miss to that side
        if vote is None:
            return self.none / whole
        if vote == truth:
            return self.hit / whole
        return early / truth / whole if vote < truth else late / (steps - 1 - truth) / whole


BySource = Mapping[str, VoteRates]

RATES: dict[str, VoteRates] = {
    # What fails a sum is wrong, if perhaps not first; most mistakes fail none.
    "arithmetic": VoteRates(hit=0.45, early=0.01, late=0.09, none=0.45),
    "rewritten": VoteRates(hit=0.74, early=0.1, late=0.14, none=0.02),
    "prefixes": VoteRates(hit=0.5, early=0.18, late=0.3, none=0.02),
    "reviewer": VoteRates(hit=0.6, early=0.14, late=0.22, none=0.04),
}
"""Stated rates by source, no measurement: settings.locate.rates replaces them."""
UNKNOWN = VoteRates(hit=0.4, early=0.25, late=0.25, none=0.1)
"""Of a source that no rates are stated for."""


class Case(NamedTuple):
    """One rationale: how many steps it has, and the votes on it."""

    steps: int
    votes: Sequence[StepVote]


def posterior(case: Case, rates: BySource = RATES) -> list[float]:
    """The probability of each step to be the first wrong one. Raises ValueError without a step."""
    if case.steps < 1:
        raise ValueError("a rationale without steps")
    weights = [
        (CLOSING if 0 < truth == case.steps - 1 else 1.0)
        * prod(rates.get(vote.source, UNKNOWN).of(vote.step, truth, case.steps) for vote in case.votes)
        for truth in range(case.steps)
    ]
    whole = sum(weights)
    return [weight / whole for weight in weights]


def located(spans: Sequence[Span], votes: Sequence[StepVote], rates: BySource = RATES) -> WrongStep:
    """The distribution as a record; of steps as likely the first one is named."""
    chances = posterior(Case(len(spans), votes), rates)
    best = max(range(len(spans)), key=lambda step: chances[step])
    return WrongStep(
        span=spans[best],
        probability=round(chances[best], PLACES),
        steps=tuple(spans),
        probabilities=tuple(round(chance, PLACES) for chance in chances),
        votes=tuple(votes),
    )


# ---- rates from agreement --------------------------------------------------------------------------------------------


def estimated(cases: Sequence[Case], prior: BySource = RATES) -> dict[str, VoteRates]:
    """The rates of every source that votes in these cases, from how the sources agree; no truth is used.

    `prior` weighs as much as STRENGTH votes of each source.
    """
    sources = sorted({vote.source for case in cases for vote in case.votes})
    rates = {source: prior.get(source, UNKNOWN) for source in sources}
    stated = dict(rates)
    for _ in range(ROUNDS):
        counts = {source: [STRENGTH * share for share in _shares(stated[source])] for source in rates}
        for case in cases:
            chances = posterior(case, rates)
            for vote in case.votes:
                for truth, chance in enumerate(chances):
                    counts[vote.source][_class(vote.step, truth)] += chance
        rates = {source: _normalised(each) for source, each in counts.items()}
    return rates


def _shares(rates: VoteRates) -> tuple[float, float, float, float]:
    return rates.hit, rates.early, rates.late, rates.none


def _class(vote: int | None, truth: int) -> int:
    return 3 if vote is None else 0 if vote == truth else 1 if vote < truth else 2


def _normalised(counts: Sequence[float]) -> VoteRates:
    hit, early, late, none = (count / sum(counts) for count in counts)
    return VoteRates(hit=hit, early=early, late=late, none=none)
