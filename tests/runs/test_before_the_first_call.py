"""A key that is missing or a persona that nobody knows ends synth, eval, study and plan before a call is paid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from errata.cli import cli
from errata.errors import UsageError
from errata.llm.backends.simulated.server import Faults, serving
from errata.runs.runner import synthesize
from errata.starter import DEMO
from tests.small_runs import small

KEYLESS = "agents.teachers.1={name: ben, model: openai/gpt-4o-mini}"
NO_KEY = "no API key of ben: OPENAI_API_KEY is not set"
UNKNOWN = "agents.teachers.1={name: ben, model: 'simulated/ben?no=1'}"
NO_SETTING = "unknown setting 'no'"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


def errata(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def nothing_left(folder: Path, *files: str) -> bool:
    """Whether a refused command has left no directory: no store, no log, no run."""
    return sorted(each.name for each in folder.iterdir()) == sorted(files)


@pytest.mark.parametrize(("change", "found"), [(KEYLESS, NO_KEY), (UNKNOWN, NO_SETTING)])
def test_synth_and_a_pilot_refuse_it(tmp_path: Path, change: str, found: str) -> None:
    for verb in (["synth"], ["plan", "--pilot", "1"]):
        done = errata(*verb, str(DEMO), "limit=2", change)
        assert done.exit_code == 2
        assert found in done.stderr
        assert nothing_left(tmp_path)


def test_plan_refuses_an_unknown_setting_and_says_that_a_key_is_missing() -> None:
    refused, said = errata("plan", str(DEMO), UNKNOWN), errata("plan", str(DEMO), "limit=2", KEYLESS)
    assert (refused.exit_code, said.exit_code) == (2, 0)
    assert NO_SETTING in refused.stderr
    assert f"`errata synth` would refuse this: {NO_KEY}" in " ".join(said.output.split())


def test_who_is_not_asked_needs_no_key() -> None:
    done = errata("synth", str(DEMO), "limit=2", KEYLESS, "graph=exam", "--quiet")
    assert done.exit_code == 0, done.stderr


async def test_a_settled_run_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEN_KEY", "k")
    async with serving(Faults()) as url:
        ben = f"agents.teachers.1={{name: ben, model: openai/ben, api_base: '{url}', api_key_env: BEN_KEY}}"
        first = await synthesize(small(tmp_path, ben, problems=2))
    monkeypatch.delenv("BEN_KEY")

    again = await synthesize(small(tmp_path, ben, problems=2))

    assert (first.exit_code, again.exit_code) == (0, 0)
    with pytest.raises(UsageError, match="BEN_KEY is not set"):
        await synthesize(small(tmp_path, ben, problems=3))


def test_a_stand_in_without_a_key_is_found_too(tmp_path: Path) -> None:
    fallback = "agents.teachers.1={name: ben, model: simulated/ben, fallback: eve}"
    standby = "agents.standby=[{name: eve, model: openai/gpt-4o-mini}]"
    done = errata("synth", str(DEMO), "limit=2", fallback, standby)
    assert done.exit_code == 2
    assert "no API key of eve" in done.stderr


@pytest.mark.parametrize(
    ("model", "found"), [("openai/gpt-4o-mini", "no API key of late"), ("simulated/ada?no=1", NO_SETTING)]
)
def test_eval_refuses_it_before_the_baseline_answers(tmp_path: Path, model: str, found: str) -> None:
    recipe: dict[str, Any] = {
        "baseline": {"name": "pupil", "model": "simulated/pupil"},
        "models": [{"name": "late", "model": model}],
        "tasks": {"classroom_id": {"limit": 2}},
    }
    (tmp_path / "eval.yaml").write_text(yaml.safe_dump(recipe))
    done = errata("eval", "eval.yaml")
    assert done.exit_code == 2
    assert found in done.stderr
    assert nothing_left(tmp_path, "eval.yaml")


def study_of(folder: Path, **teacher: str) -> str:
    """The file of a study with one lesson of one teacher."""
    problems = {"source": "classroom", "options": {"count": 2}}
    lesson = {"graph": "rationales", "problems": problems, "agents": {"teachers": [{"name": "ada", **teacher}]}}
    study = {
        "seeds": [0],
        "students": {"tiny": {"pretrain": {}}},
        "data": {"lesson": {"recipe": lesson, "sits_exam": False}},
        "arms": {"sft": {"method": "sft"}},
        "evals": {"tasks": ["classroom_id"]},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    return str(path)


@pytest.mark.parametrize(
    ("model", "found"), [("openai/gpt-4o-mini", "no API key of ada"), ("simulated/ada?no=1", NO_SETTING)]
)
def test_a_study_refuses_it_before_its_first_step(tmp_path: Path, model: str, found: str) -> None:
    done = errata("study", study_of(tmp_path, model=model))
    assert done.exit_code == 2
    assert found in done.stderr
    assert nothing_left(tmp_path, "study.yaml")


def test_a_study_sends_a_providers_key_to_no_other_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    file = study_of(
        tmp_path, model="openai/gpt-4o-mini", api_base="https://elsewhere.example/v1", api_key_env="OPENAI_API_KEY"
    )
    done = errata("study", file)

    assert done.exit_code == 2
    assert "lesson asks elsewhere.example" in done.stderr
    assert "--trust-hosts elsewhere.example" in done.stderr
    assert nothing_left(tmp_path, "study.yaml")


@pytest.mark.parametrize("verb", ["plan", "synth", "eval"])
def test_who_is_asked_with_whose_key_is_said_first_and_no_key_goes_elsewhere(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    agent = {"name": "ben", "model": "openai/gpt-4o-mini", "api_base": "https://elsewhere.example/v1"}
    recipe = {"baseline": agent, "models": [], "tasks": {"classroom_id": {"limit": 2}}}
    (tmp_path / "eval.yaml").write_text(yaml.safe_dump(recipe))
    words = ["eval.yaml"] if verb == "eval" else [str(DEMO), "limit=2", f"agents.teachers.1={yaml.safe_dump(agent)}"]

    done = errata(verb, *words)

    assert done.exit_code == 2
    assert done.stderr.startswith("asks elsewhere.example with OPENAI_API_KEY (ben)\n"), done.stderr
    assert "--trust-hosts elsewhere.example" in done.stderr
    assert nothing_left(tmp_path, "eval.yaml")
