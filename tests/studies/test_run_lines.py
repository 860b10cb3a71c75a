"""What a study says as a step begins, and the threads that it gives it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from errata.studies.recipe import load_study
from errata.studies.run import Progress, _Pool
from errata.studies.steps import steps_of
from tests.studies.study_data import written


def test_a_step_that_begins_is_named_with_how_many_are_done(tmp_path: Path) -> None:
    path = written(tmp_path)
    study = load_study(path)
    lines: list[str] = []
    pool = _Pool(study, path, (), lines.append, Progress(steps_of(study), set()), [], together=1)
    first, _ = pool._take() or pytest.fail("no step can begin")
    assert lines == [f"[0/{len(steps_of(study))}] {first.name} begun"]


def test_a_step_has_the_cores_of_those_that_cannot_begin_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    path = written(tmp_path, seeds=[0, 1, 2])
    study = load_study(path)
    steps = steps_of(study)

    def shares(together: int, done: set[str]) -> list[int]:
        """Threads of the steps that begin one after the other, until none can."""
        progress = Progress(steps, done)
        pool = _Pool(study, path, (), lambda line: None, progress, [], together)
        found = []
        while progress.ready:
            found.append((pool._take() or pytest.fail("no step can begin"))[1])
        return found

    first = {name for name in steps if name.startswith("train") and name.endswith("sft")}
    assert shares(4, set()) == [2, 2, 2], "three trainings, of which none waits for another"
    assert shares(2, set()) == [4, 4, 4], "the third waits for a worker"
    assert shares(1, set()) == [8, 8, 8]
    all_but_one = steps.keys() - {name for name in steps if "seed-2" in name}
    assert shares(4, set(all_but_one)) == [8], "a training alone"
    assert shares(4, set(all_but_one) | first) == [8], "then the one that starts from it"
