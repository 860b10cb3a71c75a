"""What would go wrong at a step is found before the first one: students, data and flags that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errata.errors import UsageError
from errata.studies.preflight import check_places
from errata.studies.recipe import load_study
from errata.studies.steps import steps_of
from errata.studies.work import check_flags
from tests.studies.study_data import written


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"students": {"base": {"model": "${NO_SUCH_VARIABLE:-student.gguf}"}}}, None),
        ({"students": {"base": {"model": "/no/such/model"}}}, "students.base.model: nothing is at /no/such/model"),
        ({"students": {"base": {"model": "studnet.gguf"}}}, "did you mean student.gguf"),
        ({"data": {"rows": {"paths": ["row.jsonl"]}}}, r"data.rows.paths: nothing is at row.jsonl(.|\n)*rows.jsonl"),
        ({"data": {"rows": {"paths": ["somebody/rows"]}}}, None),
        ({"data": {"rows": {"paths": ["runs/demo"]}}}, "data.rows.paths: nothing is at runs/demo"),
    ],
)
def test_a_student_or_data_that_are_not_there_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("rows.jsonl", "student.gguf"):
        (tmp_path / name).touch()
    (tmp_path / "runs").mkdir()
    study = load_study(written(tmp_path, **changes))
    if words is None:
        check_places(study)
        return
    with pytest.raises(UsageError, match=words):
        check_places(study)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"training": {"max_stepz": 2}}, r"arm sft: the flag --max_stepz is not known(.|\n)*did you mean --max_steps"),
        ({"training": {"max_steps": "many"}}, "arm sft: .*many"),
        ({"arms": {"own": {"method": "sft", "flags": {"control": "nobody"}}}, "claims": []}, "arm own: .*nobody"),
    ],
)
def test_the_flags_of_every_arm_are_read_as_its_training_reads_them(
    tmp_path: Path, changes: dict[str, Any], words: str | None
) -> None:
    study = load_study(written(tmp_path, **changes))
    trainings = [step for step in steps_of(study).values() if step.kind == "train"]
    if words is None:
        assert check_flags(study, trainings) == 0
        return
    with pytest.raises(UsageError, match=words):
        check_flags(study, trainings)


def test_flags_are_read_before_the_school_that_an_arm_starts_from_has_begun(tmp_path: Path) -> None:
    arms = {"taught": {"school": {}}, "on": {"method": "sft", "start": "taught"}}
    study = load_study(written(tmp_path, arms=arms, claims=[], school={"recipe": "school.yaml"}))
    assert check_flags(study, [step for step in steps_of(study).values() if step.kind == "train"]) == 0


@pytest.mark.parametrize("seeds", [[-1], [0, 2**32]])
def test_seeds_are_those_that_a_training_takes(tmp_path: Path, seeds: list[int]) -> None:
    with pytest.raises(UsageError, match=r"seeds\.\d is "):
        load_study(written(tmp_path, seeds=seeds))
