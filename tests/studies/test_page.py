"""The report of a study: from its record alone, by the verb that reports a run, with its claims and its dates."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from markupsafe import Markup

from errata.cli import cli
from errata.errors import UsageError
from errata.evals.results import MANIFEST
from errata.report import build
from errata.steps.record import Finish, append
from errata.studies.page import report_of
from errata.studies.recipe import load_study
from errata.studies.results import FILE, compare_study, write_results
from tests.report.planted import plant_eval, questions, right_at, training
from tests.studies.study_data import written


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the drawing out, which has tests of its own and takes seconds."""
    monkeypatch.setattr(build, "draw", lambda spec, own: Markup("<svg></svg>"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A study of two seeds that is done: 22:10 to 22:12 on one day, one minute on the next."""
    study = load_study(written(tmp_path))
    tasks = {"classroom_id": questions("id", 40)}
    for seed in study.seeds:
        evals = study.home / f"base/seed-{seed}/evals"
        for name, rate in (("untouched", 0.4), ("sft", 0.6), ("more", 0.7)):
            trained = None if name == "untouched" else training("sft", seed)
            right = right_at((rate,), f"{name}{seed}")
            path = plant_eval(
                evals, f"{name}-greedy", right, tasks=tasks, label=name, baseline=trained is None, trained=trained
            )
            manifest = orjson.loads((path / MANIFEST).read_bytes())
            times = {"begun": "2026-11-28T22:11:00+00:00", "last": "2026-11-28T22:11:40+00:00", "seconds": 40.0}
            (path / MANIFEST).write_bytes(orjson.dumps(manifest | {"replicate": seed, "times": times}))
    first = datetime(2026, 11, 28, 22, 10, tzinfo=UTC).timestamp()
    append(study.home, Finish("train base seed-0 sft", "", 0, 120.0, first, 120.0))
    append(study.home, Finish("eval base seed-1", "", 0, 60.0, first + 86_400, 60.0))
    write_results(study, compare_study(study))
    return study.home


def test_its_record_says_when_the_steps_ran_whatever_the_clock_says_now(home: Path) -> None:
    results = orjson.loads((home / FILE).read_bytes())
    assert results["date"] == "2026-11-29"
    assert results["times"] == {
        "begun": "2026-11-28T22:10:00+00:00",
        "last": "2026-11-29T22:11:00+00:00",
        "seconds": 180.0,
    }


def test_the_verb_reports_a_study_with_its_claims_wherever_its_folder_lies_now(home: Path, tmp_path: Path) -> None:
    moved = home.rename(tmp_path / "elsewhere")
    result = CliRunner().invoke(cli, ["report", str(moved)])
    assert result.exit_code == 0, result.output
    page = (moved / "report.html").read_text()
    assert "points: more is better" in page
    assert "Steps ran 2026-11-28 22:10 to 2026-11-29 22:11 UTC, 3 min 00 s of work." in page
    assert "Report of the study" in page
    assert "<dt>more</dt><dd>Trained by sft (beta 0, from sft) on 48,000 target tokens, 2 seeds.</dd>" in page
    assert "<dt>sft</dt><dd>Trained by sft on 48,000 target tokens, 2 seeds.</dd>" in page
    assert "more against sft on classroom_id, 2 seeds, on 40 items" in page
    assert page.count("<td>2026-11-28 22:11 UTC, 40 s of work</td>") == 6
    assert "1 claim: " in page
    assert "not equal as they should be: rows" in page, "which the trainings do not say"


def test_the_same_study_has_the_same_bytes(home: Path, tmp_path: Path) -> None:
    one, other = (report_of(home, out=tmp_path / name).out.read_bytes() for name in ("a.html", "b.html"))
    assert one == other


def test_a_study_whose_record_or_evals_are_not_there_is_refused(home: Path) -> None:
    (home / "base/seed-1/evals/sft-greedy").rename(home / "away")
    with pytest.raises(UsageError, match="sft-greedy is missing"):
        report_of(home)
    (home / FILE).write_text("{}")
    with pytest.raises(UsageError, match="claims stand in it"):
        report_of(home)
