"""Acceptance as a view over a finished run: the same log, other verdicts, no call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from errata.cli import cli
from errata.evidence.view import verdicts_of
from errata.exports.write import export
from errata.runs.acceptance import Acceptance
from errata.runs.recipe import load_recipe
from errata.runs.run_dir import RunDir
from errata.runs.runner import synthesize
from errata.starter import DEMO
from tests.small_runs import lines, rows_of, small


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small lesson, shared by the tests that only read it."""
    return asyncio.run(synthesize(small(tmp_path_factory.mktemp("runs")))).run


def taken(out: Path) -> set[str]:
    return {each["id"] for row in rows_of(out) for each in row["meta"]["rationales"]}


def test_the_panels_own_rule_changes_nothing(run: Path, tmp_path: Path) -> None:
    plain = export([run], "sft", tmp_path / "plain.jsonl")
    again = export([run], "sft", tmp_path / "mean.jsonl", acceptance=Acceptance(rule="mean"))
    assert again.out.read_bytes() == plain.out.read_bytes()


@pytest.mark.parametrize("rule", ["agreement", "reliability", "min"])
def test_rows_follow_the_rule_and_the_log_stays(run: Path, tmp_path: Path, rule: str) -> None:
    before = (run / "transcripts.jsonl").read_bytes()
    arguments = ["export", str(run), "--format", "sft", "--out", str(tmp_path / "rows.jsonl"), "--accept", rule]
    done = CliRunner().invoke(cli, [*arguments, "--keep-duplicates"])
    assert done.exit_code == 0, done.output
    verdicts = verdicts_of(RunDir(run), Acceptance(rule=rule))  # type: ignore[arg-type]
    right = {each["id"] for line in lines(run) for each in line["rationales"] if each["correct"]}
    chosen = taken(tmp_path / "rows.jsonl") & verdicts.keys()
    assert chosen == {name for name in chosen if verdicts[name]} <= right
    assert chosen
    assert (run / "transcripts.jsonl").read_bytes() == before
    assert f"by the rule {rule}" in (tmp_path / "rows.md").read_text()


def test_a_recipe_names_the_rule_for_its_exports(tmp_path: Path) -> None:
    recipe = small(tmp_path, "accept={rule: agreement}", problems=6)
    run = asyncio.run(synthesize(recipe)).run
    by_recipe = taken(export([run], "sft", tmp_path / "a.jsonl").out)
    assert by_recipe == taken(export([run], "sft", tmp_path / "b.jsonl", acceptance=Acceptance(rule="agreement")).out)
    other = asyncio.run(synthesize(small(tmp_path, "accept={rule: majority}", problems=6)))
    assert other.exit_code == 0  # a view over the log may change between runs of one directory


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--accept", "agrement"], "agreement"),
        (["--accept", "mean", "--precision", "0.9"], "would change nothing"),
    ],
)
def test_what_is_no_rule_is_refused(run: Path, tmp_path: Path, arguments: list[str], found: str) -> None:
    out = str(tmp_path / "rows.jsonl")
    done = CliRunner().invoke(cli, ["export", str(run), "--format", "sft", "--out", out, *arguments])
    assert done.exit_code == 2
    assert found in done.output


def test_a_recipe_with_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match=r"accept\.rule"):
        load_recipe(DEMO, ["accept={rule: reliable}"])
