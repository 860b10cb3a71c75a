"""Estimated verdicts: what agreement, reviews and arithmetic make of answers, and how near they come to the truth."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.graphs.estimated import agreed_answer, agreed_solution, arithmetic, as_agreed, estimates
from errata.records import Problem, Rationale, Review
from tests.helpers import apples

OPEN = apples().model_copy(update={"answer": None})


def said(author: str, answer: str | None, *, text: str = "", scores: tuple[int, ...] = (), **more: object) -> Rationale:
    reviews = tuple(
        Review(id=f"{place}", reviewer=f"r{place}", score=score, valid=True, text="")
        for place, score in enumerate(scores)
    )
    name = f"{author}{answer}{len(text)}{more.get('sample', 0)}"
    given = {"id": name, "problem_id": "p1", "author": author, "role": "teacher", "text": text, "answer": answer}
    return Rationale.model_validate({**given, "reviews": reviews, **more})


def chances(*written: Rationale, problem: Problem = OPEN) -> list[float | None]:
    answers = list(dict.fromkeys(each.answer for each in written if each.answer is not None))
    numbers = [None if each.answer is None else answers.index(each.answer) for each in written]
    return estimates(problem, written, numbers)


def test_two_against_one() -> None:
    two, again, one = chances(said("ada", "5"), said("bea", "5"), said("cyd", "6"))
    # each vote multiplies the odds of its answer by 0.67 / (0.33 / 5)
    vote = 0.67 / (0.33 / 5)
    assert two == again == pytest.approx(vote**2 / (vote**2 + vote + 4))
    assert one == pytest.approx(vote / (vote**2 + vote + 4))


def test_nothing_is_known_of_one_answer_alone_and_what_cannot_be_read_is_not_right() -> None:
    assert chances(said("ada", "5"), said("bea", None)) == [None, 0.0]
    assert chances(said("ada", None)) == [0.0]


def test_scores_and_arithmetic_speak_for_or_against_an_answer() -> None:
    (good,), (bad,) = chances(said("ada", "5", scores=(5, 4))), chances(said("ada", "5", scores=(1, 2)))
    assert good is not None
    assert bad is not None
    assert bad < 0.5 < good
    plain, refuted = chances(said("ada", "5"), said("bea", "6", text="2 + 2 = 6"))
    assert plain is not None
    assert refuted is not None
    assert refuted < 0.1 < 0.5 < plain
    assert [arithmetic(text) for text in ("2 + 2 = 4", "2 + 2 = 5", "four")] == ["holds", "refuted", "none"]


def test_one_authors_samples_count_less_than_as_many_authors() -> None:
    alike = chances(*(said("ada", "5", sample=n) for n in range(3)))
    apart = chances(said("ada", "5"), said("bea", "5"), said("cyd", "5"))
    assert alike[0] is not None
    assert apart[0] is not None
    assert 0.67 < alike[0] < apart[0]


def test_who_saw_an_answer_is_no_vote_for_it() -> None:
    plain = chances(said("ada", "5"), said("bea", "6"))
    aided = [said("cyd", "6", saw_answer=True, parent_id="x", role="rectified", sample=n) for n in range(5)]
    assert chances(said("ada", "5"), said("bea", "6"), *aided)[:2] == plain
    new = chances(
        said("ada", "5"), said("bea", "5"), said("cyd", "9", saw_answer=True, role="corrupted", parent_id="x")
    )
    assert new[2] is not None
    assert new[2] < 0.05


def test_of_a_yes_or_no_one_vote_is_worth_less_and_no_other_answer_is_left() -> None:
    yes_or_no = OPEN.model_copy(update={"kind": "boolean"})
    yes, _, no = chances(said("ada", "yes"), said("bea", "yes"), said("cyd", "no"), problem=yes_or_no)
    assert yes is not None
    assert no is not None
    assert isclose(yes + no, 1)
    assert yes == pytest.approx(0.67)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["5", "6", "7", None])), max_size=9))
def test_no_two_answers_are_right_and_the_order_of_the_voters_changes_nothing(voters: list[tuple[str, str]]) -> None:
    written = [said(author, answer, sample=place) for place, (author, answer) in enumerate(voters)]
    told = {each.answer: chance for each, chance in zip(written, chances(*written), strict=True)}
    backwards = {each.answer: chance for each, chance in zip(written[::-1], chances(*written[::-1]), strict=True)}
    assert told == pytest.approx(backwards)
    assert sum(chance for chance in told.values() if chance is not None) <= 1 + 1e-9
    assert sum((chance or 0) > 0.5 for chance in told.values()) <= 1


def test_the_agreed_answer_is_what_most_of_those_held_right_write() -> None:
    right = [said("ada", "5.0", estimated=0.9), said("bea", "5", estimated=0.9), said("cyd", "5", estimated=0.9)]
    wrong = said("dan", "6", estimated=0.1)
    assert agreed_answer([*right, wrong]) == "5"
    assert as_agreed(OPEN, [*right, wrong]) == apples("5")
    assert as_agreed(OPEN, [wrong]) is agreed_solution([wrong]) is None
    assert as_agreed(apples("8"), right) == apples("8")
    assert agreed_solution([said("ada", "5", text="bad", estimated=0.9, accepted=False), *right]) == ""


def test_a_verdict_goes_by_the_gold_answer_where_there_is_one() -> None:
    plain = said("ada", "5")
    assert plain.is_right is None
    assert "estimated" not in plain.model_dump()
    assert said("ada", "5", correct=False, estimated=0.9).is_right is False
    assert [said("ada", "5", estimated=chance).is_right for chance in (0.2, 0.5, 0.6)] == [False, False, True]
    assert Rationale.model_validate_json(said("ada", "5", estimated=0.6).model_dump_json()).estimated == 0.6
