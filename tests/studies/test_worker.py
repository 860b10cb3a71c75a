"""A worker reads the recipe later than the command that began it, and does nothing that this did not mean."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from errata.config.env import read_env_file, variable
from errata.errors import UsageError
from errata.school import worker as school_worker
from errata.studies import worker
from errata.studies.contents import contents_of
from errata.studies.recipe import load_study
from errata.studies.steps import steps_of
from tests.school.school_data import written as written_school
from tests.studies.study_data import written


@pytest.mark.parametrize("module", [worker, school_worker])
def test_what_stands_in_the_env_file_is_known_to_a_worker_too(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("MY_TEACHERS_KEY=k123\n")
    path = written(tmp_path) if module is worker else written_school(tmp_path)
    monkeypatch.setattr(module, "end_with", lambda command: None)
    known: list[str | None] = []
    monkeypatch.setattr(module, "serve", lambda perform: known.append(variable("MY_TEACHERS_KEY")))
    module.main(["1", str(path)])
    read_env_file(tmp_path / "none")
    assert known == ["k123"]
    assert "MY_TEACHERS_KEY" not in os.environ


def test_a_recipe_that_has_changed_since_the_command_began_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("{}")
    study = load_study(written(tmp_path))
    step = steps_of(study)["train base seed-0 sft"]
    request = {"step": step.name, "inputs": step.inputs, "contents": contents_of(study, step)}
    monkeypatch.setattr(worker, "do", lambda study, step: 7)

    def answer(**changes: Any) -> int:
        now = load_study(written(tmp_path, **changes))
        return worker.do_request(now, steps_of(now), request)

    assert answer() == 7
    for changes in ({"training": {"max_steps": 3}}, {"arms": {"other": {"method": "sft"}}, "claims": []}):
        with pytest.raises(UsageError, match=r"has changed since the command began(.|\n)*run the command again"):
            answer(**changes)
    (tmp_path / "rows.jsonl").write_text("{}\n{}")
    with pytest.raises(UsageError, match="or a file that it names"):
        answer()
