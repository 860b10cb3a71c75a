"""What a study says as a step begins."""

from __future__ import annotations

from pathlib import Path

from errata.studies.recipe import load_study
from errata.studies.run import Progress, _Pool
from errata.studies.steps import steps_of
from tests.studies.study_data import written


def test_a_step_that_begins_is_named_with_how_many_are_done(tmp_path: Path) -> None:
    path = written(tmp_path)
    study = load_study(path)
    lines: list[str] = []
    pool = _Pool(study, path, (), lines.append, Progress(steps_of(study), set()), [], together=1)
    first = pool._take()
    assert first is not None
    assert lines == [f"[0/{len(steps_of(study))}] {first.name} begun"]
