"""What a school will take: by estimate before anything runs, by what was measured after rounds are done."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.school.plan import measured, plan_school
from errata.school.recipe import load_school
from errata.school.record import Round, School, write_school
from errata.school.stopping import NOTHING_TO_LEARN
from tests.school.school_data import judged, written


def test_before_anything_runs(tmp_path: Path) -> None:
    planned = plan_school(load_school(written(tmp_path)))
    assert planned["problems"] == {"taught": 12, "chosen": 6, "judge": 8}
    assert planned["rounds"] == {"all": 2, "done": 0, "left": 2, "stopped": None}
    one = planned["round"]
    assert one["own_answers"] == 12 * 2 + 8
    assert one["teacher_calls"]["least"] == 6 * 2, "two teachers, asked once; the student's exam is stored"
    assert one["teacher_tokens"]["least"] <= one["teacher_tokens"]["expected"] <= one["teacher_tokens"]["most"]
    assert planned["left"]["teacher_tokens"]["expected"] == 2 * one["teacher_tokens"]["expected"]
    assert (planned["left"]["hours"], planned["next"]) == (None, None)
    assert not (tmp_path / "runs").exists()


def test_after_rounds_the_next_is_like_the_mean_of_those(tmp_path: Path) -> None:
    school = load_school(written(tmp_path, rounds=5, budget={"dollars": 1.2, "hours": 9}))
    school.home.mkdir(parents=True)
    write_school(school.home, School(name="small", rounds=(judged(1), judged(2))))
    planned = plan_school(school)
    assert planned["next"] == {"teacher_tokens": 1500, "own_tokens": 500, "dollars": 0.5, "hours": 0.25}
    assert planned["left"]["teacher_tokens"]["expected"] == 4500
    assert planned["left"]["hours"] == 0.75
    assert planned["spent"] == {"teacher_tokens": 3000, "own_tokens": 1000, "dollars": 1.0, "hours": 0.5}
    assert "budget.dollars is 1.2, and 2.5 is expected: the school would stop on the way" in planned["notes"]
    assert not any("budget.hours" in note for note in planned["notes"])


def test_of_a_school_that_ended_within_a_round_nothing_is_left(tmp_path: Path) -> None:
    school = load_school(written(tmp_path, rounds=5))
    school.home.mkdir(parents=True)
    stopped = f"round 2: {NOTHING_TO_LEARN}: no row"
    write_school(school.home, School(name="small", rounds=(judged(1), Round(round=2)), stopped=stopped))
    planned = plan_school(school)
    assert planned["rounds"] == {"all": 5, "done": 1, "left": 0, "stopped": stopped}
    assert planned["next"] is None
    assert planned["left"]["teacher_tokens"]["most"] == 0


def test_an_unknown_price_stays_unknown() -> None:
    following = measured([judged(1), judged(2, dollars=None)])
    assert following is not None
    assert following["dollars"] is None
    assert following["hours"] == pytest.approx(0.25)
