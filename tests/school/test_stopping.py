"""When a school ends and which student stands, by its rounds alone."""

from __future__ import annotations

import math

import pytest

from errata.school.recipe import Stop
from errata.school.record import Round, School
from errata.school.stopping import (
    DIVERGED_TWICE,
    NO_PROBLEM,
    NOTHING_TO_LEARN,
    goes_on,
    has_grown,
    is_good,
    last_good,
    why_stop,
)
from tests.school.school_data import judged

STOP = Stop()


def test_rounds_that_gain_go_on_to_the_last() -> None:
    rounds = [judged(1), judged(2)]
    assert why_stop(rounds, STOP, 3) is None
    assert why_stop([*rounds, judged(3)], STOP, 3) == "all 3 rounds are done"
    assert why_stop([judged(1)], STOP, 1) == "its one round is done"


def test_two_rounds_of_noise_in_a_row_end_it_and_one_does_not() -> None:
    noise = "not shown"
    assert why_stop([judged(1, noise)], STOP, 9) is None
    assert why_stop([judged(1, noise), judged(2), judged(3, noise)], STOP, 9) is None, "not in a row"
    assert why_stop([judged(1), judged(2, noise), judged(3, noise)], STOP, 9) == (
        "the gain of 2 rounds in a row could be noise"
    )
    assert why_stop([judged(1, noise), judged(2, noise)], Stop(patience=3), 9) is None
    assert why_stop([judged(1, noise)], Stop(patience=1), 9) == "the gain of 1 round in a row could be noise"


def test_a_round_that_forgets_more_than_is_allowed_ends_it_and_the_student_before_stands() -> None:
    rounds = [judged(1, forgotten=0.05), judged(2, forgotten=0.051)]
    assert why_stop(rounds[:1], STOP, 9) is None, "no more than is allowed"
    assert why_stop(rounds, STOP, 9) == (
        "round 2 lost 5.1 points on what was mastered, more than 5: the student before it stands"
    )
    assert last_good(rounds, STOP) == "round-1/student"
    assert why_stop(rounds, Stop(forgetting=6), 9) is None
    assert last_good(rounds, Stop(forgetting=6)) == "round-2/student"


def test_a_round_that_is_shown_to_be_worse_ends_it_and_the_student_before_stands() -> None:
    rounds = [judged(1), judged(2, "worse")]
    assert why_stop(rounds, STOP, 9) == "round 2 is shown to be worse than the student before it, which stands"
    assert last_good(rounds, STOP) == "round-1/student"
    assert last_good([judged(1, "worse")], STOP) is None, "the untouched student stands"


def test_schools_of_one_length_go_on_past_a_worse_round_and_the_last_student_stands() -> None:
    length = Stop(worse=False, forgetting=100, patience=3)
    rounds = [judged(1, "worse", forgotten=1.0), judged(2, "not shown"), judged(3, "worse")]
    assert [why_stop(rounds[:number], length, 3) for number in (1, 2, 3)] == [None, None, "all 3 rounds are done"]
    assert last_good(rounds, length) == "round-3/student"


def test_noise_is_no_harm_and_a_round_that_is_not_judged_is_no_student_yet() -> None:
    assert is_good(judged(1, "not shown"), STOP)
    assert is_good(judged(1, forgotten=None), STOP), "nothing was mastered"
    half = Round(round=2, student="round-2/student")
    assert last_good([judged(1), half], STOP) == "round-1/student"
    assert why_stop([judged(1), half], STOP, 2) is None
    assert why_stop([], STOP, 1) is None


@pytest.mark.parametrize(
    ("stopped", "rounds", "more"),
    [
        (None, 3, True),
        ("the budget of 5 dollars is used up", 3, True),
        ("all 2 rounds are done", 3, True),
        ("all 2 rounds are done", 2, False),
        (NO_PROBLEM, 3, False),
        (f"round 3: {NOTHING_TO_LEARN}: no row", 3, False),
        (f"round 3: {DIVERGED_TWICE}", 3, False),
    ],
)
def test_whether_the_same_command_would_do_more(stopped: str | None, rounds: int, more: bool) -> None:
    school = School(name="small", rounds=(judged(1), judged(2), Round(round=3)), stopped=stopped)
    assert goes_on(school, STOP, rounds) is more


@pytest.mark.parametrize(
    ("loss", "grown"), [(1.0, False), (3.9, False), (4.1, True), (math.nan, True), (math.inf, True), (0.0, False)]
)
def test_a_loss_has_grown_past_a_factor_of_the_first(loss: float, grown: bool) -> None:
    assert has_grown(1.0, loss, 4.0) is grown
