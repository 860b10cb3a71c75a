"""A worker reads the recipe later than the command that began it, and does nothing that this did not mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errata.errors import UsageError
from errata.studies import worker
from errata.studies.contents import contents_of
from errata.studies.recipe import load_study
from errata.studies.steps import steps_of
from tests.studies.study_data import written


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
