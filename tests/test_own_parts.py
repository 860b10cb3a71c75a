"""One's own parts, as a user would write them: the files in own_parts/, run by the commands of docs/extending.md."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from errata import STAGES, UsageError, load_recipe, synthesize
from errata.agents.prompts import load_prompts
from errata.cli import cli
from errata.runs.status import status
from tests.small_runs import lines

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "extending.md"
PARTS = Path(__file__).parent / "own_parts"
SHOWN = ("my_stages.py", "shorten.md", "my_grader.py", "my_rules.py", "recipe.yaml", "prompts/teacher/solve.md")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return parts_in(tmp_path)


def parts_in(folder: Path) -> Path:
    return Path(shutil.copytree(PARTS, folder / "mine", ignore=shutil.ignore_patterns("__*")))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which the recipe was run, by the command in a process of its own, and what that said."""
    folder = parts_in(tmp_path_factory.mktemp("finished"))
    command = [sys.executable, "-m", "errata", "synth", "recipe.yaml", "--quiet"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=_environment())
    assert ended.returncode == 0, ended.stderr
    return folder, ended.stdout + ended.stderr


def errata(folder: Path, *words: str, code: int = 0) -> str:
    """What `errata ...` writes to stdout and stderr when it is typed in the folder."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        ended = CliRunner().invoke(cli, words)
    assert ended.exit_code == code, ended.output
    return ended.output


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def by_role(run: Path) -> Counter[str]:
    return Counter(each["role"] for line in lines(run) for each in line["rationales"])


def test_the_page_shows_these_very_files() -> None:
    blocks = re.findall(r"```(?:python|markdown|yaml)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown = {block.strip() for block in blocks}
    for name in ("my_grader.py", "recipe.yaml", "my_stages.py", "shorten.md", "my_backend.py"):
        assert (PARTS / name).read_text().strip() in shown, name


def test_an_own_stage_grader_and_accept_rule_run_by_the_plain_commands(
    folder: Path, finished: tuple[Path, str]
) -> None:
    plan = orjson.loads(_json(errata(folder, "plan", "recipe.yaml", "--json")))
    folder, said = finished
    told = orjson.loads(_json(errata(folder, "status", "runs/recipe", "--json")))
    errata(folder, "export", "runs/recipe", "--format", "sft", "--roles", "shortened", "--out", "short.jsonl")

    assert said.startswith(f"own code: my_stages.py:SHORTEN from {folder / 'my_stages.py'}") or "own code" in said
    assert plan["stages"]["shorten"]["calls"]["most"] == 60
    assert plan["agents"]["ed"]["calls"]["expected"] == 48
    assert told["this_run"]["stages"]["shorten"]["paid"] == told["agents"]["ed"]["calls"] > 0
    assert {(row["author"], row["role"]) for row in told["authors"]} >= {("ed", "shortened"), ("ada", "teacher")}
    for line in lines(folder / "runs/recipe"):
        assert {call["stage"] for call in line["calls"]} <= {"exam", "rationales", "shorten", "peer_review"}
        for each in line["rationales"]:
            assert each["grade_rule"] == "off_by_one" or each["grade_rule"].startswith("unreadable")
            scores = [review["score"] for review in each["reviews"] if review["valid"]]
            assert each["accepted"] is (all(score >= 4 for score in scores) if scores else each["accepted"])
            if each["role"] == "shortened":
                assert each["reviews"]
                assert each["parent_id"]
    rows = [orjson.loads(row) for row in (folder / "short.jsonl").read_bytes().splitlines()]
    assert {row["meta"]["rationales"][0]["role"] for row in rows} == {"shortened"}
    assert "| ed | shortened |" in (folder / "short.md").read_text()
    assert "subgraph shorten" in errata(folder, "graph", "recipe.yaml")


def _json(output: str) -> str:
    return output[output.index("{\n") : output.rindex("\n}") + 2]


def test_an_own_format_vote_task_and_scorer_run_by_the_plain_commands(
    finished: tuple[Path, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished[0], tmp_path / "copy"))
    exported = errata(folder, "export", "runs/recipe", "--format", "my_format.py:FORMAT", "--out", "short.jsonl")
    said = errata(folder, "eval", "eval.yaml", "--quiet")
    errata(folder, "report", "runs/recipe")

    assert "alpaca" in exported
    rows = [orjson.loads(row) for row in (folder / "short.jsonl").read_bytes().splitlines()]
    assert {*rows[0]} == {"instruction", "output", "meta"}
    card = (folder / "short.md").read_text()
    assert "alpaca" in card
    assert "my_format.py" in card
    assert "mine (id), accuracy in % with its 95 % interval, graded by" in said
    assert "vote[my_votes.py:shortest]@3" in said
    items = [orjson.loads(row) for row in _items(folder / "runs/recipe/evals/pupil-shortest3")]
    assert Counter(each["task"] for each in items) == {"mine": 3, "classroom_id": 6}
    for each in items:
        least = min(len(sample["text"]) for sample in each["samples"])
        shortest = [sample for sample in each["samples"] if len(sample["text"]) == least]
        assert len(shortest) > 1 or each["correct"] == shortest[0]["correct"]
    page = (folder / "runs/recipe/report.html").read_text()
    for name in ("shortened", "my_grader.py:off_by_one", "my_votes.py:shortest"):
        assert name in page, name


def _items(directory: Path) -> list[bytes]:
    return (directory / "items.jsonl").read_bytes().splitlines()


def test_a_killed_run_with_own_parts_goes_on_and_pays_nothing_twice(folder: Path, finished: tuple[Path, str]) -> None:
    slow = [sys.executable, "-m", "errata", "synth", "recipe.yaml", "concurrency=2", "--quiet"]
    process = subprocess.Popen(slow, cwd=folder, env=_environment(), stderr=subprocess.DEVNULL)
    log = folder / "runs/recipe/transcripts.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.is_file() and log.read_bytes().count(b"\n") > 5):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 5 < log.read_bytes().count(b"\n") < 30

    errata(folder, "synth", "recipe.yaml", "--quiet")

    whole = finished[0] / "runs/recipe"
    assert sorted(log.read_bytes().splitlines()) == sorted((whole / "transcripts.jsonl").read_bytes().splitlines())
    assert status(log.parent)["calls"]["paid"] == status(whole)["calls"]["paid"]


def test_no_run_goes_on_with_other_code_without_a_word(folder: Path) -> None:
    errata(folder, "synth", "recipe.yaml", "--quiet", "limit=4")
    changed = folder / "my_grader.py"
    changed.write_text(changed.read_text().replace("<= 1", "<= 2"))

    said = errata(folder, "synth", "recipe.yaml", "--quiet", code=2)

    assert "was run with another my_grader.py:off_by_one" in said


def test_a_finished_run_is_read_without_its_code(finished: tuple[Path, str], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished[0], tmp_path / "copy"))
    (folder / "my_stages.py").write_text("raise SystemExit('run')")

    assert "shortened" in errata(folder, "status", "runs/recipe")
    errata(folder, "export", "runs/recipe", "--format", "nat", "--out", "nat.jsonl")
    errata(folder, "report", "runs/recipe")

    assert b"shortened" in (folder / "nat.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("stages=[rationales, ../my_stages.py:SHORTEN]", "leads out of"),
        ("stages=[rationales, my_stages.py:SHORTER]", "did you mean SHORTEN"),
        ("stages=[rationales, nowhere.py:SHORTEN]", "there is no file"),
        ("stages=[rationales, my_rules.py:unanimous]", "a stage is a value of errata.Stage"),
        ("stages=[rationales, shorten]", "no stage is called shorten"),
        ("stages=[my_stages.py:SHORTEN, rationales]", "stage shorten stands before rationales"),
        ("stages=[exam, rationales]", "agents.others.editor is asked by no stage"),
        ("agents.others={}", "there is no editor"),
        ("settings={shorten: {sampling: {heat: 1}}}", "unknown key settings.shorten.sampling.heat"),
        ("budget.stages={shortn: {calls: 1}}", "did you mean shorten"),
        ("grader=my_rules.py:nobody", "there is no nobody in it"),
        ("settings.peer_review.accept.rule=meen", "accept.rule is 'meen'"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(folder: Path, override: str, words: str) -> None:
    (folder.parent / "my_stages.py").write_text((folder / "my_stages.py").read_text())
    with pytest.raises(UsageError) as refused:
        load_recipe(folder / "recipe.yaml", ["settings={}", override])
    assert words in str(refused.value)


def test_parts_are_given_as_values(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    own: Any = load_recipe("recipe.yaml").pipeline[2]

    class Strict:
        async def grade(self, problem: Any, text: str) -> Any:
            from errata import Grade

            return Grade(False, None, None, "strict")

    summary = synthesize(
        "recipe.yaml", ["limit=3", "name=values"], stages=(*STAGES[:2], own, *STAGES[2:3]), grader=Strict()
    )

    assert summary.exit_code == 0
    assert by_role(summary.run) == {"student": 3, "teacher": 6}  # nothing is right, so nothing is shortened
    assert {each["grade_rule"] for line in lines(summary.run) for each in line["rationales"]} == {"strict"}


def test_an_own_prompt_replaces_the_shipped_one() -> None:
    assert "teacher/solve@7" in load_prompts(str(PARTS / "prompts")).hashes()
