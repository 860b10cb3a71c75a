"""The command line as a person or a script meets it; in a process of its own where that is what matters."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from errata.cli import FORMATS as OFFERED
from errata.cli import cli
from errata.exports.formats import FORMATS
from errata.exports.write import export
from errata.llm.backends.simulated.server import serving
from errata.runs.recipe import load_recipe
from errata.runs.run_dir import held
from errata.runs.runner import synthesize
from errata.runs.status import status
from errata.starter import DEMO
from tests.small_runs import free_port, lines, over_http
from tests.terminal import Terminal

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "litellm", "transformers", "langchain_core", "langgraph", "datasets", "pydantic", "numpy", "rich"}
FEW = ["limit=10", "settings.dual_cot.warmup=3"]


def errata(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "errata", *words]
    environment = os.environ | {"OPENAI_API_KEY": "none"} | env
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "errata", *words]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=cwd, env=os.environ | {"OPENAI_API_KEY": "none"}, **pipes)


def await_lines(log: Path, number: int) -> None:
    """Until the log holds so many lines; a minute at most."""
    for _ in range(1200):
        if log.exists() and log.read_bytes().count(b"\n") >= number:
            return
        time.sleep(0.05)
    raise AssertionError(f"{log} never held {number} lines")


# ---- help ------------------------------------------------------------------------------------------------------------


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom errata.cli import cli\n"
        "try:\n    cli(['--help'], prog_name='errata')\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set(sys.modules) & {HEAVY!r}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "synth" in done.stdout


@pytest.mark.parametrize("verb", sorted(cli.commands))
def test_every_verb_has_help_and_debug(verb: str) -> None:
    result = CliRunner().invoke(cli, [verb, "--help"])
    assert result.exit_code == 0
    assert "--debug" in result.output


def test_the_verbs_are_those_of_the_design() -> None:
    working = {"demo", "init", "plan", "synth", "status", "export", "train", "graph", "serve"}
    judging = {"eval", "compare", "report", "study", "school", "accept", "audit"}
    assert set(cli.commands) == working | judging | {"view", "schema", "ship", "push", "data"}


def test_names_offered_are_those_that_exist() -> None:
    assert set(OFFERED) == {each.name for each in FORMATS}


# ---- a project from start to end -------------------------------------------------------------------------------------


def test_demo_runs_and_says_where_things_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(cli, ["demo", "--problems", "12", "--lesson-only", "--quiet"])

    assert done.exit_code == 0, done.stderr
    for path in ("transcripts.jsonl", "exports/sft.jsonl", "exports/sft.md", "exports/messages.jsonl"):
        assert f"runs/demo/{path}" in done.stdout
        assert (tmp_path / "runs/demo" / path).stat().st_size
    assert "Krippendorff" in done.stdout
    run = tmp_path / "runs" / "demo"
    told = orjson.loads(CliRunner().invoke(cli, ["status", str(run), "--json"]).stdout)
    assert told["problems"]["total"] == 12


def test_the_demo_and_the_lesson_are_one_recipe() -> None:
    assert (ROOT / "recipes" / "lesson.yaml").read_bytes() == DEMO.read_bytes()


def test_a_new_project_plans_runs_and_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    assert run(cli, ["init", "mine"]).exit_code == 0
    assert "there already" in run(cli, ["init", "mine"]).stderr
    monkeypatch.chdir(tmp_path / "mine")

    plan = orjson.loads(run(cli, ["plan", "recipe.yaml", "--json"]).stdout)
    assert plan["problems"] == 8
    assert not Path("runs").exists()

    done = run(cli, ["synth", "recipe.yaml", "prompts=prompts", "limit=2"])
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "runs/recipe\n"
    assert "2 problems" in done.stderr
    assert "Acceptance" in run(cli, ["status", "runs/recipe"]).stdout
    assert "graph TD" in run(cli, ["graph", "exam"]).stdout


# ---- exit codes and errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["synth", "none.yaml"], "none.yaml"),
        (["synth", "recipe.yaml", "seeed=1"], "did you mean seed"),
        (["plan", "recipe.yaml", "--assume", "teachers_right=1"], "teacher_right"),
        (["status", "nowhere"], "transcripts.jsonl"),
        (["export", "nowhere", "--format", "sft", "--out", "x.jsonl"], "transcripts.jsonl"),
        (["export", "nowhere", "--format", "sfft", "--out", "x.jsonl"], "sfft"),
        (["graph", "exams"], "exam"),
        (["serve", "--fault", "flood"], "flood"),
        (["synth", "recipe.yaml", "--limit", "10"], "write limit=VALUE behind the recipe"),
        (["plan", "recipe.yaml", "--budget.usd=5"], "write budget.usd=VALUE behind the recipe"),
        (["eval", "recipe.yaml", "--limit", "10"], "write limit=VALUE behind the recipe"),
        (["synth", "recipe.yaml", "--quite"], "--quiet"),
        (["status", ".", "--limit", "10"], "No such option"),
        (["status", "."], "neither transcripts.jsonl nor manifest.json"),
        (["report", "."], "neither transcripts.jsonl nor manifest.json"),
        (["export", ".", "--format", "sft", "--out", "x.jsonl"], "neither transcripts.jsonl nor manifest.json"),
        (["synth", "recipe.yaml", "agents.teachers.0.model=simulated/adda"], "did you mean simulated/ada?"),
        (["plan", "recipe.yaml", "agents.student.model=simulated/pupl"], "did you mean simulated/pupil?"),
        (["train"], "train"),
    ],
)
def test_wrong_use_is_2_without_a_traceback(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_bytes(DEMO.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


def test_a_folder_of_runs_names_one_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipe.yaml").write_bytes(DEMO.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(cli, ["synth", "recipe.yaml", "limit=1", "stages=[exam]", "--quiet"]).exit_code == 0
    refused = CliRunner().invoke(cli, ["status", "."])
    assert refused.exit_code == 2
    assert "e.g. runs/recipe" in refused.stderr


def test_a_limit_beyond_the_last_problem_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = [str(DEMO), "stages=[exam]", "problems.options.count=3", "limit=2000"]
    said = "limit is 2,000, and classroom gives 3 problems"
    assert said in " ".join(CliRunner().invoke(cli, ["plan", *words]).stdout.split())
    assert said in CliRunner().invoke(cli, ["synth", *words, "--quiet"]).stderr
    assert said not in CliRunner().invoke(cli, ["plan", *words[:-1], "limit=3"]).stdout


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["status", str(tmp_path / "nowhere"), "--debug"])
    assert done.exit_code == 2
    assert "Traceback" in done.stderr


def test_our_own_fault_is_1_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("errata.evidence.in_force.status", broken)
    result = CliRunner().invoke(cli, ["status", str(tmp_path)])
    assert result.exit_code == 1
    assert "ZeroDivisionError: oops" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_run_that_is_refused_is_not_to_be_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["synth", str(DEMO), "limit=1", "stages=[exam]"]
    watch_it = f"watch it in a browser: errata view {Path('runs') / DEMO.stem}"
    refused = CliRunner().invoke(cli, [*words, "problems.source=nowhere.jsonl"])
    assert refused.exit_code == 2
    assert "watch it" not in refused.stderr
    assert watch_it in CliRunner().invoke(cli, words).stderr
    assert "watch it" not in CliRunner().invoke(cli, words).stderr  # all is settled


def test_budget_is_4_and_a_second_process_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["synth", str(DEMO), *FEW, "budget.calls=20"])
    assert result.exit_code == 4
    assert "budget.calls is 20" in result.stderr

    with held(tmp_path / "runs" / "demo"):
        second = CliRunner().invoke(cli, ["synth", str(DEMO), *FEW])
    assert second.exit_code == 2
    assert f"in use by process {os.getpid()}" in second.stderr


def test_a_dot_env_is_read_and_its_keys_are_stored_nowhere(tmp_path: Path) -> None:
    data = tmp_path / "elsewhere"
    data.mkdir()
    (data / "p.jsonl").write_text('{"q": "1 + 1 ?", "a": "2"}\n', encoding="utf-8")
    secret = "sk-very-secret-0123456789"
    (tmp_path / ".env").write_text(f"MY_DATA={data}\nMY_API_KEY={secret}\n", encoding="utf-8")
    mapping = "{question: q, answer: a, kind: number}"
    source = f"problems={{source: '${{MY_DATA}}/p.jsonl', mapping: {mapping}}}"

    done = errata("synth", str(DEMO), source, "agents.student.api_key_env=MY_API_KEY", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    for path in (tmp_path / "runs").rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()


# ---- interruptions ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_killed_and_resumed_the_export_is_the_same_to_the_byte(tmp_path: Path) -> None:
    """kill -9 at two moments, then the same command; no reply that was stored is paid for again."""
    port = free_port()
    overrides = [*FEW, *over_http(f"http://127.0.0.1:{port}/v1")]
    recipe, log = tmp_path / "demo.yaml", tmp_path / "runs" / "demo" / "transcripts.jsonl"
    recipe.write_bytes(DEMO.read_bytes())
    async with serving(latency=0.01, port=port):
        whole = await synthesize(load_recipe(recipe, [*overrides, f"runs={tmp_path / 'whole'}"]))
        for settled in (1, 6):
            child = start("synth", "demo.yaml", *overrides, "concurrency=2", cwd=tmp_path)  # slow enough to be killed
            await asyncio.to_thread(await_lines, log, settled)
            child.kill()
            await asyncio.to_thread(child.communicate)
        before = len(lines(log.parent))
        last = await synthesize(load_recipe(recipe, [*overrides, f"runs={tmp_path / 'runs'}"]))

    assert before < 10, "the kills came too late to show anything"
    assert last.resumed
    assert last.settled_before >= before - 1
    assert last.exit_code == 0
    texts = [export([run], "messages", run / "m.jsonl").out.read_bytes() for run in (whole.run, last.run)]
    assert texts[0] == texts[1]
    first, second = status(whole.run), status(last.run)
    assert first["problems"] == second["problems"]
    assert first["log"] == second["log"]
    assert first["calls"]["paid"] == second["calls"]["paid"]


def test_on_a_terminal_an_error_stays_within_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr("sys.stderr", out)
    monkeypatch.setenv("COLUMNS", "40")
    with pytest.raises(SystemExit) as end:
        cli(["synth", "--an-unknown-option"])
    assert end.value.code == 2
    told = out.getvalue().splitlines()
    assert told[0].startswith("found: ")
    assert len(told) > 4
    assert max(map(len, told)) <= 40
