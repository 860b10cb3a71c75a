"""What a school's student has learned from: sums over the rounds that made it, which evals read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from errata.evals.checkpoint_info import SCHOOLING, schooling_in, training_of
from errata.school.schooling import write_schooling
from tests.school.scripted import write_json_in, write_lesson


def trained(folder: Path, lesson: Path, steps: int) -> Path:
    """A checkpoint of 10 rows and 100 target tokens an epoch, trained for two of them on the run of a lesson."""
    manifest = {
        "kind": "training",
        "status": "finished",
        "method": "sft",
        "rows": 10,
        "target_tokens_an_epoch": 100,
        "data": [{"name": str(lesson)}],
    }
    write_json_in(folder, "manifest.json", manifest)
    write_json_in(folder, "trainer_state.json", {"epoch": 2.0, "global_step": steps})
    return folder


def test_sizes_are_summed_over_the_rounds_that_made_a_student(tmp_path: Path) -> None:
    write_lesson(tmp_path / "one", tokens=500, usd=0.25, own=70)
    write_lesson(tmp_path / "two", tokens=300, usd=0.5)
    first = trained(tmp_path / "a", tmp_path / "one", 8)
    assert (training_of(f"local/{first}") or {})["teacher_tokens"] == 500, "its exam is the student's own"
    write_schooling(first, "somewhere/untouched")
    second = trained(tmp_path / "b", tmp_path / "two", 4)
    for _ in range(2):  # as after a kill between the two
        write_schooling(second, str(first))
    assert schooling_in(second) == {
        "rounds": 2,
        "teacher_tokens": 800,
        "target_tokens": 400,
        "rows": 20,
        "cost_usd": 0.75,
        "steps": 12,
    }
    found = training_of(f"local/{second}") or {}
    assert (found["teacher_tokens"], found["steps"], found["rows"], found["method"]) == (800, 12, 20, "sft")
    assert (training_of(f"local/{first}") or {})["steps"] == 8


def test_what_one_round_does_not_know_no_sum_knows(tmp_path: Path) -> None:
    write_lesson(tmp_path / "one", tokens=500, usd=0.25)
    first = trained(tmp_path / "a", tmp_path / "gone", 8)
    write_schooling(first, "")
    second = trained(tmp_path / "b", tmp_path / "one", 4)
    write_schooling(second, str(first))
    assert schooling_in(second)["teacher_tokens"] is None
    assert schooling_in(second)["steps"] == 12


@pytest.mark.parametrize("text", ["", "{"])
def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / SCHOOLING).write_text(text)
    assert schooling_in(tmp_path) == {}
    assert json.dumps(schooling_in(tmp_path / "none")) == "{}"
