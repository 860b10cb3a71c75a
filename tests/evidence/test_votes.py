"""Votes: what each says of the rationales of one transcript, and when it abstains."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from errata.errors import UsageError
from errata.evidence.votes import (
    VOTES,
    Case,
    Vote,
    agreement,
    arithmetic,
    case_of,
    own_samples,
    reviews,
    revision,
    units,
    votes_of,
)
from errata.grading.grader import Grader
from errata.records import Outcome, Problem, Rationale, Review, Transcript


def written(name: str, author: str, answer: str | None, text: str = "", **more: object) -> Rationale:
    given = {"role": "teacher", **more}
    return Rationale(id=name, problem_id="p", author=author, text=text, answer=answer, **given)  # type: ignore[arg-type]


def case(*rationales: Rationale, kind: str = "number") -> Case:
    problem = Problem(id="p", task="t", question="?", answer="1/2", kind=kind)  # type: ignore[arg-type]
    transcript = Transcript(graph="g", problem=problem, rationales=rationales, outcome=Outcome(status="done"))

    async def sorted_into_groups() -> Case:
        async with Grader() as grader:
            return await case_of(transcript, ("teacher", "revised"), grader.same)

    return asyncio.run(sorted_into_groups())


def review(reviewer: str, score: int | None, **more: object) -> Review:
    return Review(id=reviewer, reviewer=reviewer, score=score, valid=score is not None, text="", **more)  # type: ignore[arg-type]


def test_answers_are_equal_by_the_graders_rules_and_not_by_string() -> None:
    found = case(
        written("a", "ada", "0.5"), written("b", "ben", "1/2"), written("c", "cleo", "2"), written("d", "d", None)
    )
    assert found.group == {"a": 0, "b": 0, "c": 1, "d": None}
    assert list(agreement(found)) == [
        ("a", "ben", True),
        ("a", "cleo", False),
        ("b", "ada", True),
        ("b", "cleo", False),
        ("c", "ada", False),
        ("c", "ben", False),
    ]


def test_only_rationales_in_judged_roles_vote_on_answers() -> None:
    found = case(written("a", "ada", "5"), written("s", "pupil", "5", role="student"))
    assert [each.id for each in found.judged] == ["a"]
    assert list(agreement(found)) == []


def test_a_review_says_yes_above_three_and_an_unreadable_or_lost_one_nothing() -> None:
    scores = (review("ben", 4), review("cleo", 3), review("dan", None), review("eve", None, lost=True))
    found = case(written("a", "ada", "5", reviews=scores))
    assert list(reviews(found)) == [("a", "ben", True), ("a", "cleo", False)]


def test_own_samples_agree_where_half_of_the_others_do() -> None:
    samples = [
        written(name, "ada", answer, sample=place)
        for place, (name, answer) in enumerate(zip("abc", "556", strict=True))
    ]
    assert list(own_samples(case(*samples))) == [("a", "", True), ("b", "", True), ("c", "", False)]
    assert list(own_samples(case(samples[0]))) == []


def test_arithmetic_holds_or_not_or_is_not_there() -> None:
    texts = {"a": "3 * 4 = 12, so 12 / 5 = 2.4.", "b": "3 * 4 = 12 and 12 - 5 = 8.", "c": "It is seven."}
    found = case(*(written(name, name, "5", text) for name, text in texts.items()))
    assert list(arithmetic(found)) == [("a", "", True), ("b", "", False)]


def test_unit_facts_are_checked() -> None:
    texts = {number: f"dozens = {number} . 4 + 1 = 5 ." for number in (12, 11)} | {0: "4 + 1 = 5."}
    found = case(*(written(str(number), str(number), "5", text) for number, text in texts.items()))
    assert list(units(found)) == [("12", "", True), ("11", "", False)]


def test_a_revision_that_keeps_the_answer_speaks_for_it() -> None:
    found = case(
        written("a", "ada", "5"),
        written("r", "ada", "5.0", role="revised", parent_id="a"),
        written("b", "ben", "6"),
        written("q", "ben", "7", role="revised", parent_id="b"),
    )
    assert list(revision(found)) == [("a", "", True), ("b", "", False)]


def test_a_vote_of_ones_own_stands_beside_the_shipped_ones() -> None:
    *shipped, own = votes_of([f"{Path(__file__).parents[1]}/own_parts/my_verdicts.py:VOTE"])
    assert tuple(shipped) == VOTES
    assert isinstance(own, Vote)
    assert [yes for _, _, yes in own.of(case(written("a", "ada", "5"), written("b", "ben", "5", "x" * 500)))] == [
        True,
        False,
    ]
    with pytest.raises(UsageError, match="no vote is called arithmetics"):
        votes_of(["arithmetics"])
