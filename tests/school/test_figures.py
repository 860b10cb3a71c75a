"""The figures of a school, on records and verdicts made for the case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.school.figures import Explained, changes, cures, kinds_of_mistakes, next_point, standings
from errata.school.record import Accuracy, Gain, Round, School, Start
from tests.school.school_data import judged

START = Start(accuracy=Accuracy(value=0.25, low=0.2, high=0.3), dollars=0.0)
SCHOOL = School(name="small", start=START, rounds=(judged(1), judged(2)))


def explained(problem: str, *kinds: str) -> Explained:
    return Explained(problem, "?", "ada", f"about {problem}", kinds)


def test_tokens_and_dollars_are_those_of_all_rounds_up_to_a_student() -> None:
    found = standings(SCHOOL)
    assert [(each.name, each.teacher_tokens, each.dollars) for each in found] == [
        ("start", 0, 0.0),
        ("round 1", 1000, 0.5),
        ("round 2", 3000, 1.0),
    ]
    unpriced = School(name="small", start=START, rounds=(judged(1, dollars=None), judged(2)))
    assert [each.dollars for each in standings(unpriced)] == [0.0, None, None]


def test_a_round_that_is_not_judged_has_no_standing_but_its_payments_count() -> None:
    begun = Round(round=2, teacher_tokens=77)
    school = School(name="small", start=START, rounds=(judged(1), begun, judged(3)))
    assert [(each.name, each.teacher_tokens) for each in standings(school)][1:] == [
        ("round 1", 1000),
        ("round 3", 4077),
    ]
    assert standings(School(name="empty")) == []


def test_cured_broken_and_never_learned() -> None:
    start = {"a": False, "b": True, "c": False, "d": True, "e": False}
    one = {"a": True, "b": False, "c": False, "d": True, "e": False}
    two = {"a": False, "b": False, "c": True, "d": True, "e": False}
    first, second = changes(start, [(1, one), (2, two)])
    assert first == (1, ("a",), ("b",), ("c", "e"))
    assert second == (2, ("c",), ("a",), ("e",))


@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=4))
def test_what_is_cured_less_what_is_broken_is_the_gain(verdicts: list[list[bool]]) -> None:
    rights = [{str(number): right for number, right in enumerate(each)} for each in verdicts]
    before = rights[0]
    for changed, now in zip(changes(rights[0], list(enumerate(rights[1:], 1))), rights[1:], strict=True):
        assert len(changed.cured) - len(changed.broken) == sum(now.values()) - sum(before.values())
        assert not any(each[item] for item in changed.never_learned for each in rights[: changed.round + 1])
        before = now


def test_explanations_precede_a_cure_only_between_two_exams() -> None:
    exams = {1: {"p": False, "q": False, "r": True}, 2: {"p": True, "q": False, "r": True}}
    lessons = {1: [explained("p"), explained("q"), explained("r"), explained("p")], 2: [explained("q")]}
    assert [(each.round, each.explained.problem_id) for each in cures(exams, lessons)] == [(1, "p"), (1, "p")]


def test_kinds_are_counted_as_often_as_they_are_named() -> None:
    lesson = [explained("p", "logical", "calculation"), explained("q", "logical"), explained("r")]
    assert kinds_of_mistakes(lesson) == {"logical": 2, "calculation": 1}


def test_the_next_point_costs_what_the_last_round_paid_per_point_gained() -> None:
    found = next_point(SCHOOL)
    assert found is not None
    assert found.round == 2
    assert found.teacher_tokens == pytest.approx((1000, 2000 / 3, 2000))
    assert found.dollars == pytest.approx((0.25, 0.5 / 3, 0.5))
    unpriced = next_point(School(name="small", rounds=(judged(1, dollars=None),)))
    assert unpriced is not None
    assert unpriced.dollars is None


@pytest.mark.parametrize("verdict", ["worse", "not shown"])
def test_without_a_gain_that_is_shown_the_next_point_cannot_be_told(verdict: str) -> None:
    gain = Gain.model_validate({"difference": 0.01, "low": -0.01, "high": 0.03, "p": 0.4, "verdict": verdict})
    assert next_point(School(name="small", rounds=(judged(1), judged(2, gain=gain)))) is None
    assert next_point(School(name="empty")) is None
