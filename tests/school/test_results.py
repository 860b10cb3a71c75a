"""What a round came to, read from what its nodes have written: payments, gain, what was mastered and forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.school.places import AFTER, BEFORE, places
from errata.school.recipe import load_school
from errata.school.results import (
    Payments,
    accuracy_of,
    forgotten_of,
    gain_of,
    mastered_of,
    paid_by_evals,
    paid_by_lesson,
    paid_in,
)
from tests.school.school_data import written
from tests.school.scripted import write_eval, write_lesson, write_spent


def test_a_lessons_exam_is_the_students_own_and_all_else_the_teachers(tmp_path: Path) -> None:
    write_lesson(tmp_path / "lesson", tokens=700, usd=0.3, own=40)
    assert paid_by_lesson(tmp_path / "lesson") == Payments(700, 40, 0.3)
    assert paid_by_lesson(tmp_path / "none") == Payments()


def test_an_unknown_price_stays_unknown_in_sums() -> None:
    assert Payments(1, 2, 0.1).plus(Payments(3, 4, 0.2)) == Payments(4, 6, 0.3)
    assert Payments(1, 2, 0.1).plus(Payments(3, 4, None)) == Payments(4, 6, None)


def test_a_round_has_taken_what_all_its_ledgers_say(tmp_path: Path) -> None:
    here = places(load_school(written(tmp_path)), 1)
    write_lesson(here.lesson, tokens=700, usd=0.3, own=40)
    for run, tokens in ((here.exam_run, 100), (here.judge_run, 30), (here.mastered_run, 7)):
        write_spent(run, tokens)
    assert paid_in(here) == Payments(700, 177, 0.3)
    assert paid_by_evals(tmp_path / "none") == Payments()


def test_accuracy_and_paired_gain_are_those_of_the_evals(tmp_path: Path) -> None:
    write_eval(tmp_path / "before", "round-1", "mine", 40, 20)
    write_eval(tmp_path / "after", "round-2", "mine", 40, 30)
    accuracy = accuracy_of(tmp_path / "after", "mine")
    assert accuracy.value == 0.75
    assert accuracy.low < 0.75 < accuracy.high
    gain = gain_of(tmp_path / "before", tmp_path / "after", "mine")
    assert (gain.difference, gain.verdict) == (0.25, "better")
    assert 0 < gain.low < gain.high
    assert gain.p < 0.05
    back = gain_of(tmp_path / "after", tmp_path / "before", "mine")
    assert (back.difference, back.verdict) == (-0.25, "worse")


def test_mastered_is_a_share_of_the_exam_and_forgotten_of_the_mastered(tmp_path: Path) -> None:
    here = places(load_school(written(tmp_path)), 1)
    write_eval(here.exam, "exam", "taught", 10, 4)
    here.mastered_ids.write_text("".join(f'{{"id": "p{n}"}}\n' for n in range(4)))
    assert mastered_of(here) == 0.4
    assert forgotten_of(here) is None, "nobody was asked"
    write_eval(here.mastered(BEFORE), "before", "taught", 4, 4)
    write_eval(here.mastered(AFTER), "after", "taught", 4, 3)
    assert forgotten_of(here) == pytest.approx(0.25)
    write_eval(here.mastered(BEFORE), "before", "taught", 4, 2)
    assert forgotten_of(here) == pytest.approx(-0.25), "it has gained"
