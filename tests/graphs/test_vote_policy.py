"""When one more review is worth asking for, and at which price."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errata.graphs.vote_policy import VotePolicy, best, learn, most_telling
from errata.graphs.vote_worth import Ask, Case, Sample
from errata.records import Rationale, Review
from tests.helpers import apples

PROBLEM = apples().model_copy(update={"answer": None})
AUTHORS = ("ada", "ben", "cyd")


def review(reviewer: str, score: int) -> Review:
    return Review(id=f"{reviewer}{score}", reviewer=reviewer, score=score, valid=True, text="")


def case_of(answers: Sequence[int | None], scores: Sequence[dict[str, int]] = ({}, {}, {})) -> Case:
    """Three authors' rationales with these answers and reviews."""
    rationales = tuple(
        Rationale(
            id=author,
            problem_id="p1",
            author=author,
            role="teacher",
            text="So it is.",
            answer=None if answer is None else str(answer),
            reviews=tuple(review(name, score) for name, score in given_.items()),
        )
        for author, answer, given_ in zip(AUTHORS, answers, scores, strict=True)
    )
    return Case(PROBLEM, rationales, tuple(answers), frozenset(AUTHORS))


def open_asks(case: Case) -> list[Ask]:
    asked = [{review.reviewer for review in each.reviews} for each in case.rationales]
    return [
        Ask(place, name)
        for place, author in enumerate(AUTHORS)
        for name in AUTHORS
        if name != author and name not in asked[place] and case.answers[place] is not None
    ]


def taken(case: Case, policy: VotePolicy, scores: Sequence[dict[str, int]]) -> int:
    """How many reviews the policy asks for, where reviewers would score so."""
    number = 0
    while (choice := best(case, open_asks(case), policy.reviewers)) and choice.worth >= policy.price:
        place, name = choice.vote
        case, number = case.with_review(place, review(name, scores[place][name])), number + 1
    return number


def test_where_answers_differ_a_review_is_worth_more_than_where_they_agree() -> None:
    alike, two, none = (
        best(case, open_asks(case), ()) for case in (case_of([0, 0, 0]), case_of([0, 0, 1]), case_of([0, 1, 2]))
    )
    assert alike is not None
    assert two is not None
    assert none is not None
    assert alike.worth < two.worth < none.worth
    assert best(case_of([0, 1, 2]), [], ()) is None


def test_of_equal_reviews_the_more_telling_reviewer_is_asked_first() -> None:
    case = case_of([0, 1, 2])
    first = best(case, open_asks(case), ("cyd", "ada", "ben"))
    assert first is not None
    assert first.vote == Ask(0, "cyd")
    stranger = best(case, [Ask(0, "new"), Ask(0, "ben")], ("ben",))
    assert stranger is not None
    assert stranger.vote.reviewer == "ben"


def test_reviewers_are_ranked_by_what_their_scores_tell() -> None:
    """ben scores by the truth, cyd scores all high, ada the wrong way round."""
    scores = [{"ben": 5, "cyd": 5}, {"ada": 1, "cyd": 5}, {"ada": 5, "ben": 1}]
    assert most_telling([case_of([0, 0, 1], scores)] * 20) == ("ben", "cyd", "ada")


def test_a_gold_verdict_goes_before_the_estimate() -> None:
    scores = [{"ben": 5, "cyd": 1}, {}, {}]
    case = case_of([0, 0, 0], scores)
    wrong = case.rationales[0].model_copy(update={"correct": False})
    anchored = case._replace(rationales=(wrong, *case.rationales[1:]))
    assert most_telling([case] * 20) == ("ben", "cyd")
    assert most_telling([anchored] * 20) == ("cyd", "ben")


scored = st.fixed_dictionaries(dict.fromkeys(AUTHORS, st.integers(1, 5)))
written = st.tuples(
    st.lists(st.sampled_from([0, 1, 2, None]), min_size=3, max_size=3), st.tuples(scored, scored, scored)
)


@settings(max_examples=10, deadline=None)
@given(drawn=st.lists(written, min_size=1, max_size=6), wanted=st.sampled_from([0.0, 0.2, 0.5, 1.0, 2.0]))
def test_on_the_cases_it_has_learned_from_a_policy_keeps_to_the_number(drawn: list[object], wanted: float) -> None:
    cases, every = [], []
    for answers, scores in drawn:  # type: ignore[misc]
        others = [
            {name: score for name, score in each.items() if name != author}
            for author, each in zip(AUTHORS, scores, strict=True)
        ]
        cases.append(case_of(answers, others))
        every.append(others)

    policy = learn(cases, wanted)

    number = sum(taken(case_of(case.answers), policy, others) for case, others in zip(cases, every, strict=True))
    assert number <= wanted * 3 * len(cases)


def test_the_lowest_price_is_taken_that_keeps_to_the_number() -> None:
    """All three answers differ in one problem of two: its reviews are bought before those of the other."""
    scores = [{"ben": 5, "cyd": 5}, {"ada": 1, "cyd": 1}, {"ada": 1, "ben": 1}]
    cases = [case_of([0, 1, 2], scores), case_of([0, 0, 0], scores)]
    few, all_ = learn(cases, 0.5), learn(cases, 2.0)
    assert 0 < all_.price < few.price < 1
    assert taken(case_of([0, 1, 2]), few, scores) > 0
    assert taken(case_of([0, 0, 0]), few, scores) == 0
    assert learn(cases, 0.01).price == pytest.approx(1.0)


def sampled(case: Case, *answers: int) -> Case:
    """The case with a further sample of each author."""
    for author, answer in zip(AUTHORS, answers, strict=True):
        sample = Rationale(
            id=f"{author}+", problem_id="p1", author=author, role="teacher", text="So.", sample=1, answer=str(answer)
        )
        case = case.with_sample(sample, answer)
    return case


def spent(case: Case, policy: VotePolicy, scores: Sequence[dict[str, int]], further: Case, price: float) -> float:
    """What the policy spends where reviewers would score so and authors would write these further samples."""
    waiting = {each.author: (each, further.answers[3 + place]) for place, each in enumerate(further.rationales[3:])}
    total = 0.0
    while choice := best(case, [*open_asks(case), *map(Sample, waiting)], policy.reviewers, price):
        if choice.worth < policy.price:
            break
        if isinstance(choice.vote, Sample):
            case, total = case.with_sample(*waiting.pop(choice.vote.teacher)), total + price
        else:
            place, name = choice.vote
            case, total = case.with_review(place, review(name, scores[place][name])), total + 1
    return total


@settings(max_examples=10, deadline=None)
@given(
    drawn=st.lists(st.tuples(written, st.tuples(*[st.sampled_from([0, 1, 2])] * 3)), min_size=1, max_size=3),
    wanted=st.sampled_from([0.0, 0.3, 1.0, 3.0]),
    price=st.sampled_from([0.4, 1.0, 2.5]),
)
def test_with_further_samples_a_policy_keeps_to_the_budget(drawn: list[object], wanted: float, price: float) -> None:
    cases, every = [], []
    for (answers, scores), further in drawn:  # type: ignore[misc]
        others = [
            {name: score for name, score in each.items() if name != author}
            for author, each in zip(AUTHORS, scores, strict=True)
        ]
        cases.append(sampled(case_of(answers, others), *further))
        every.append(others)

    policy = learn(cases, wanted, price)

    total = sum(
        spent(case_of(case.answers[:3]), policy, others, case, price) for case, others in zip(cases, every, strict=True)
    )
    assert total <= wanted * 3 * len(cases) + 1e-6


def test_a_cheap_sample_goes_before_a_review_and_a_dear_one_behind() -> None:
    case, votes = case_of([0, 1, 2]), [Ask(0, "ben"), Sample("ada")]
    cheap, dear = best(case, votes, (), 0.01), best(case, votes, (), 100.0)
    assert cheap is not None
    assert dear is not None
    assert (cheap.vote, dear.vote) == (Sample("ada"), Ask(0, "ben"))
