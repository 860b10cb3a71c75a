"""Votes against exact arithmetic: ties, missing scores, equal scores, equivalent answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.evals.aggregate import several, verdict
from errata.evals.results import Sample
from errata.evals.voting import WEIGHTINGS, Weighting, vote, weights_of
from errata.grading.equivalence import grouped
from errata.grading.grader import Grader
from tests.evals import twins

SCORES = st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
"""Sums of these are exact, so that a tie in fractions is one in floats."""


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[int | None], list[bool], list[float | None]]:
    answers = draw(st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=1, max_size=8))
    gold = draw(st.integers(0, 3))
    return answers, [answer == gold for answer in answers], [draw(SCORES) for _ in answers]


@given(questions(), st.sampled_from(WEIGHTINGS))
def test_a_vote_equals_the_exact_twin(
    question: tuple[list[int | None], list[bool], list[float | None]], weighting: Weighting
) -> None:
    answers, right, scores = question
    known = [score for score in scores if score is not None]
    if None in scores and known and sum(known) / len(known) not in (0, 0.25, 0.5, 0.75, 1):
        scores = [score if score is not None else 0.5 for score in scores]  # a mean that no float holds makes no tie

    result = vote(answers, right, weights_of(scores, weighting))

    winners, credit = twins.vote_credit(answers, right, scores, weighting)
    assert set(result.winners) == winners
    assert result.credit == pytest.approx(float(credit))


@given(questions(), st.sampled_from([0.25, 0.5, 1.0]), st.sampled_from(WEIGHTINGS))
def test_equal_scores_reduce_to_the_majority(
    question: tuple[list[int | None], list[bool], list[float | None]], score: float, weighting: Weighting
) -> None:
    answers, right, _ = question

    assert vote(answers, right, weights_of([score] * len(answers), weighting)) == vote(answers, right)


@given(questions(), st.randoms(use_true_random=False))
def test_the_order_of_samples_makes_no_winner(
    question: tuple[list[int | None], list[bool], list[float | None]], dice: object
) -> None:
    answers, right, scores = question
    order = list(range(len(answers)))
    dice.shuffle(order)  # type: ignore[attr-defined]

    weights = weights_of([scores[i] for i in order], "1+2s")
    shuffled = vote([answers[i] for i in order], [right[i] for i in order], weights)

    assert set(shuffled.winners) == set(vote(answers, right, weights_of(scores, "1+2s")).winners)


def test_ties_share_the_credit() -> None:
    result = vote([0, 1, 2, 0, 1], [True, False, False, True, False])

    assert result == ((0, 1), 0.5)


def test_a_missing_score_counts_as_the_mean_of_the_question() -> None:
    assert weights_of([0.2, None, 0.6], "s") == pytest.approx([0.2, 0.4, 0.6])
    assert weights_of([None, None], "1+2s") == [1.0, 1.0]


def test_a_score_may_outweigh_the_majority() -> None:
    answers, right, scores = [0, 0, 1], [False, False, True], [0.1, 0.2, 0.9]

    assert vote(answers, right).credit == 0.0
    assert vote(answers, right, weights_of(scores, "s")).credit == 1.0


def test_a_sample_without_an_answer_has_no_vote() -> None:
    assert vote([None, None, 3], [False, False, True]) == ((3,), 1.0)
    assert vote([None], [False]) == ((), 0.0)


async def test_equivalent_answers_vote_together() -> None:
    async with Grader() as grader:

        async def same(a: str, b: str) -> bool:
            return await grader.same("latex", a, b)

        groups = await grouped([r"\frac{1}{2}", "3", "0.5", None, r"\dfrac12"], same)

    assert groups == [0, 1, 0, None, 0]


def sample(answer: str | None, correct: bool, group: int | None, score: float | None = None) -> Sample:
    return Sample(text=f"so {answer}", answer=answer, correct=correct, group=group, score=score)


def test_one_answer_is_its_own_verdict() -> None:
    assert verdict([sample("4", True, 0)], None) == (True, "4")


def test_a_vote_without_a_tie_is_right_or_wrong_and_a_tie_a_share() -> None:
    two_to_one = [sample("4", True, 0), sample("5", False, 1), sample("4.0", True, 0)]
    tied = two_to_one[:2]

    assert verdict(two_to_one, "majority") == (True, "4")
    assert verdict(tied, "majority") == (0.5, "4")
    assert verdict(tied, None) == (0.5, None)
    assert verdict([sample(None, False, None)] * 2, "majority") == (False, None)


def test_figures_of_several_samples_come_from_the_same_ones() -> None:
    from errata.evals.results import Item

    samples = (sample("4", True, 0, 0.9), sample("5", False, 1, 0.1), sample("5", False, 1, 0.2), sample("4", True, 0))
    item = Item(id="a", task="t", correct=0.5, samples=samples)

    result = {name: values[0] for name, values in several([item]).items()}

    assert result["pass@1"] == 0.5
    assert result["pass@2"] == pytest.approx(float(twins.pass_at_k([True, False, False, True], 2)))
    assert result["pass@4"] == 1.0
    assert result["maj@2"] == 0.5  # each of the two pairs ties
    assert result["maj@4"] == 0.5
    assert result["asc[s]@4"] == 1.0
    assert set(result) == {"pass@1", "pass@2", "pass@4", "maj@2", "maj@4", "asc[1+2s]@4", "asc[1+s]@4", "asc[s]@4"}
