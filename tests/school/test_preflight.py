"""What a school is refused for before anything runs: overlap with the judge, lessons that cannot serve it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errata.errors import UsageError
from errata.school.preflight import check_lesson, parts_of
from errata.school.recipe import load_school
from tests.school.school_data import LESSON, written

SAME = {"tasks": {"mine": {"source": "classroom", "options": {"count": 3, "seed": 17}}}}


def test_what_it_works_with_is_read_once_and_told(tmp_path: Path) -> None:
    parts = parts_of(load_school(written(tmp_path, data={"source": "classroom", "options": {"count": 12}, "limit": 9})))
    assert len(parts.taught) == 9
    assert [(task.name, len(task.problems)) for task in parts.judge] == [("classroom_id", 8)]
    assert [stage.name for stage in parts.lesson.pipeline] == ["exam", "rationales"]
    assert parts.lesson.agents.student is not None
    assert parts.lesson.agents.student.model == "local/somewhere/student"
    check_lesson(parts, [].append)
    assert not (tmp_path / "runs").exists()


def test_other_problems_are_another_school(tmp_path: Path) -> None:
    one, other = (
        parts_of(load_school(written(tmp_path), overrides)).hashes
        for overrides in ((), ("judge.tasks.classroom_id.options.seed=2",))
    )
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_a_judge_that_asks_what_is_taught_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"3 of 3 problems of judge\.tasks\.mine may be taught: classroom"):
        parts_of(load_school(written(tmp_path, judge=SAME)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"teach": "both", "lesson": {**LESSON, "graph": "rationales", "stages": None}}, "teach is both, and the"),
        ({"lesson": {**LESSON, "settings": {"only_mistakes": True}}}, "rehearsal is 0.2, and the lesson sets only_m"),
        ({"lesson": {**LESSON, "stages": ["exam", "ratonales"]}}, "no stage is called ratonales"),
        ({"lesson": {"stages": ["exam", "rationales"]}}, "there is no teacher"),
        ({"lesson": "nowhere.yaml"}, r"nowhere\.yaml"),
        ({"judge": {"tasks": {"nothing": {}}}}, "no ready task is called nothing"),
        ({"data": {"source": "nowhere.jsonl", "mapping": "gsm8k"}}, r"nowhere\.jsonl"),
    ],
)
def test_what_cannot_serve_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parts_of(load_school(written(tmp_path, **changes)))


def test_the_students_own_answers_take_the_exam_alone_and_no_teacher(tmp_path: Path) -> None:
    parts = parts_of(load_school(written(tmp_path, teach="self")))
    assert [stage.name for stage in parts.lesson.pipeline] == ["exam"]
    assert [spec.name for spec in parts.lesson.callees] == ["student"]
    both = parts_of(load_school(written(tmp_path, teach="both", lesson={**LESSON, "stages": ["rationales"]})))
    assert [stage.name for stage in both.lesson.pipeline] == ["exam", "rationales"]


def test_a_dollar_budget_over_an_unknown_price_and_a_missing_key_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teachers = [{"name": "ada", "model": "openai/some-model-of-ones-own"}]
    lesson = {"stages": ["exam", "rationales"], "agents": {"teachers": teachers}}
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match="price of ada is unknown"):
        check_lesson(parts_of(load_school(written(tmp_path, lesson=lesson, budget={"dollars": 1}))), [].append)
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        check_lesson(parts_of(load_school(written(tmp_path, lesson=lesson))), [].append)
