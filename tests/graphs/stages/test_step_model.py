"""The joined distribution against a slow twin, and rates found again from agreement alone."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from errata.graphs.stages.step_model import CLOSING, RATES, Case, VoteRates, estimated, located, posterior
from errata.records import Span, StepVote

SOURCES = [*RATES, "my_source"]


def votes_on(steps: int) -> st.SearchStrategy[list[StepVote]]:
    step = st.none() | st.integers(0, steps - 1)
    return st.lists(st.builds(StepVote, source=st.sampled_from(SOURCES), step=step), max_size=5)


cases = st.integers(1, 6).flatmap(lambda steps: st.builds(Case, st.just(steps), votes_on(steps)))


@given(cases)
def test_it_is_a_distribution_and_the_votes_of_each_source_are_one_too(case: Case) -> None:
    assert sum(posterior(case)) == pytest.approx(1)
    for rates in RATES.values():
        for truth in range(case.steps):
            assert sum(rates.of(vote, truth, case.steps) for vote in (None, *range(case.steps))) == pytest.approx(1)


@given(cases)
def test_it_is_bayes_rule_written_out(case: Case) -> None:
    weights = []
    for truth in range(case.steps):
        weight = CLOSING if truth == case.steps - 1 and case.steps > 1 else 1.0
        for vote in case.votes:
            rates = RATES.get(vote.source, VoteRates(hit=0.4, early=0.25, late=0.25, none=0.1))
            kinds = {"hit": 1, "early": truth, "late": case.steps - 1 - truth, "none": 1}
            mass = {kind: getattr(rates, kind) for kind, places in kinds.items() if places}
            kind = "none" if vote.step is None else "hit" if vote.step == truth else "late"
            kind = "early" if vote.step is not None and vote.step < truth else kind
            weight *= mass[kind] / sum(mass.values()) / kinds[kind]
        weights.append(weight)

    assert posterior(case) == pytest.approx([weight / sum(weights) for weight in weights])


def test_a_source_that_speaks_for_a_step_makes_it_likelier() -> None:
    alone = posterior(Case(4, [StepVote(source="reviewer", step=2)]))
    both = posterior(Case(4, [StepVote(source="reviewer", step=2), StepVote(source="rewritten", step=2)]))
    against = posterior(Case(4, [StepVote(source="reviewer", step=2), StepVote(source="rewritten", step=0)]))

    assert both[2] > alone[2] > against[2]
    assert against[0] > against[1]


def test_the_record_names_the_likeliest_step_with_its_span() -> None:
    spans = (Span(0, 4), Span(4, 9), Span(9, 12))

    found = located(spans, [StepVote(source="arithmetic", step=1)])

    assert found.span == Span(4, 9)
    assert found.probability == max(found.probabilities)
    assert found.steps == spans
    with pytest.raises(ValueError, match="without steps"):
        located((), [])


def test_rates_are_found_from_agreement_without_the_truth() -> None:
    random = Random(5)
    true = {"good": 0.9, "fair": 0.6, "poor": 0.3}

    def vote(source: str, truth: int) -> StepVote:
        others = [step for step in range(5) if step != truth]
        return StepVote(source=source, step=truth if random.random() < true[source] else random.choice(others))

    truths = random.choices(range(5), [1, 1, 1, 1, CLOSING], k=400)
    rates = estimated([Case(5, [vote(source, truth) for source in true]) for truth in truths])

    assert {source: rates[source].hit for source in true} == pytest.approx(true, abs=0.15)
    assert all(better.hit > worse.hit for better, worse in pairwise(rates[source] for source in true))


def test_rates_that_are_no_distribution_are_refused() -> None:
    with pytest.raises(ValidationError, match="their sum is 1"):
        VoteRates(hit=0.9, early=0.2, late=0.1, none=0.1)
