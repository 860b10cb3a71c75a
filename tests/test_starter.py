"""What `errata init` writes: a folder whose first export is right."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import get_args

import orjson
import pytest
from click.testing import CliRunner

from errata.classroom.check_steps import judge
from errata.classroom.equations import equations
from errata.classroom.grammar import parse
from errata.cli import cli
from errata.data.problems import normalised
from errata.graphs.stages.few_shot import shipped
from errata.llm.preflight import model_notes
from errata.records import AnswerKind
from errata.runs.recipe import load_recipe
from errata.starter import write_starter
from tests.small_runs import lines, rows_of

SIGNS = {"+": Fraction.__add__, "-": Fraction.__sub__, "*": Fraction.__mul__, "/": Fraction.__truediv__}


def errata(*words: str) -> str:
    done = CliRunner().invoke(cli, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_first_export_of_a_newcomer_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Teachers that cannot solve the starter's problems gave rectified rows with false steps."""
    monkeypatch.chdir(tmp_path)
    errata("init", "mine")
    monkeypatch.chdir(tmp_path / "mine")
    errata("synth", "recipe.yaml", "--quiet")
    errata("export", "runs/recipe", "--format", "sft", "--out", "sft.jsonl")

    rows, log = (
        rows_of(Path("sft.jsonl")),
        {line["problem"]["id"]: line["problem"] for line in lines(Path("runs/recipe"))},
    )
    assert len(rows) >= len(log) == 8
    assert {row["meta"]["problem_id"] for row in rows} == log.keys()
    for row in rows:
        puzzle = parse(log[row["meta"]["problem_id"]]["question"])
        assert puzzle is not None
        verdict = judge(puzzle, row["completion"])
        assert (verdict.flaw, len(verdict.done)) == (None, len(puzzle.steps)), row["completion"]
        assert all(SIGNS[each.op](each.left, each.right) == each.result for each in equations(row["completion"]))
        assert row["meta"]["rationales"][0]["verdict"] == "accepted"
    assert any(not each["correct"] for line in lines(Path("runs/recipe")) for each in line["rationales"])


def test_a_real_teacher_is_one_commented_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_starter(tmp_path)
    text = Path("recipe.yaml").read_text()
    [(simulated, real)] = re.findall(r"^    - (\{name: ada, .*\}) +# -> (\{.*\})$", text, re.MULTILINE)
    Path("recipe.yaml").write_text(text.replace(simulated, real))
    ada = load_recipe("recipe.yaml").agents.teachers[0]
    assert ada.model.startswith("openai/")
    assert list(model_notes([ada])) == [], "in the list of models that have a price"


def test_no_problem_of_the_starter_is_a_shipped_demonstration(tmp_path: Path) -> None:
    write_starter(tmp_path)
    mine = [orjson.loads(line)["question"] for line in (tmp_path / "problems.jsonl").read_bytes().splitlines()]
    demonstrations = {normalised(each.question) for kind in get_args(AnswerKind) for each in shipped(kind)}
    assert not demonstrations & {normalised(each) for each in mine}


def test_runs_and_keys_are_kept_out_of_git(tmp_path: Path) -> None:
    assert tmp_path / "mine" / ".gitignore" in write_starter(tmp_path / "mine")
    assert (tmp_path / "mine" / ".gitignore").read_text().split() == ["runs/", ".env"]

    (tmp_path / "old").mkdir()
    (tmp_path / "old" / ".gitignore").write_text("build/\n")
    assert tmp_path / "old" / ".gitignore" not in write_starter(tmp_path / "old")
    assert (tmp_path / "old" / ".gitignore").read_text() == "build/\n"
