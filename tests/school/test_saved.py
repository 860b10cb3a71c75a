"""The recipe that a school keeps: another is refused with what has changed; what changes no outcome may change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errata.config.code import Code
from errata.errors import UsageError
from errata.school.recipe import load_school
from errata.school.saved import plain_recipe, refuse_another, save, unchangeable
from tests.school.school_data import LESSON, written

CODE = {"mine.py:first": Code("mine.py", "aaaa")}


def kept(folder: Path, overrides: list[str] | None = None, **changes: Any) -> Any:
    school = load_school(written(folder, **changes), overrides or [])
    school.home.mkdir(parents=True, exist_ok=True)
    return school, plain_recipe(school, CODE)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("choose.count=7", "choose.count is 6 there, 7 here"),
        ("exam.samples=3", "exam.samples is 2 there, 3 here"),
        ("train.flags.max_steps=9", "train.flags.max_steps is 2 there, 9 here"),
        ("judge.tasks.classroom_id.options.count=9", "options.count is 8 there, 9 here"),
        ("lesson.agents.teachers.0.model=simulated/dan", "teachers.0.model is 'simulated/ada' there, 'simulated/dan'"),
        ("seed=1", "seed is 0 there, 1 here"),
        ("teach=both", "teach is 'teachers' there, 'both' here"),
    ],
)
def test_another_recipe_is_refused_with_what_has_changed(tmp_path: Path, override: str, words: str) -> None:
    school, plain = kept(tmp_path)
    save(school, plain)
    other, changed = kept(tmp_path, [override])
    with pytest.raises(UsageError, match="holds a school of another recipe") as refused:
        refuse_another(other, changed)
    assert words in refused.value.found
    assert unchangeable(changed) != unchangeable(plain)


@pytest.mark.parametrize(
    "override",
    ["rounds=9", "budget.hours=3", "stop.patience=4", "concurrency=2", "lesson.agents.teachers.0.rpm=60"],
)
def test_what_changes_no_outcome_may_change(tmp_path: Path, override: str) -> None:
    school, plain = kept(tmp_path)
    refuse_another(school, plain)
    save(school, plain)
    other, changed = kept(tmp_path, [override])
    refuse_another(other, changed)
    assert changed != plain
    assert unchangeable(changed) == unchangeable(plain)


@pytest.mark.parametrize(
    ("section", "key", "overrides"),
    [
        ("choose", "like", ["choose.by=random", "choose.like=reachable"]),
        ("student", "extra", ["student.extra.dtype=bfloat16"]),
    ],
)
def test_a_school_begun_before_there_was_a_key_goes_on_without_it(
    tmp_path: Path, section: str, key: str, overrides: list[str]
) -> None:
    _, plain = kept(tmp_path)
    assert key not in plain[section]
    _, changed = kept(tmp_path, overrides)
    assert key in changed[section]


def test_a_lesson_in_a_file_and_code_of_ones_own_are_kept_by_what_stands_in_them(tmp_path: Path) -> None:
    import yaml

    file = tmp_path / "lesson.yaml"
    file.write_text(yaml.safe_dump(LESSON))
    school, plain = kept(tmp_path, lesson="lesson.yaml")
    assert plain["lesson"] == LESSON
    save(school, plain)
    file.write_text(yaml.safe_dump({**LESSON, "stages": ["rationales"]}))
    with pytest.raises(UsageError, match=r"lesson\.stages is"):
        refuse_another(*kept(tmp_path, lesson="lesson.yaml"))
    file.write_text(yaml.safe_dump(LESSON))
    with pytest.raises(UsageError, match=r"mine\.py:first is another file than it was"):
        refuse_another(school, plain_recipe(school, {"mine.py:first": Code("mine.py", "bbbb")}))


def test_the_file_of_a_training_is_kept_by_its_hash(tmp_path: Path) -> None:
    (tmp_path / "mix.yaml").write_text("learning_rate: 1e-4\n")
    changes = {"train": {"method": "sft", "config": "mix.yaml"}}
    school, plain = kept(tmp_path, **changes)
    save(school, plain)
    (tmp_path / "mix.yaml").write_text("learning_rate: 2e-4\n")
    with pytest.raises(UsageError, match=r"mix\.yaml is another file than it was"):
        refuse_another(*kept(tmp_path, **changes))
    (tmp_path / "mix.yaml").unlink()
    with pytest.raises(UsageError, match=r"train\.config: .*mix\.yaml"):
        kept(tmp_path, **changes)
