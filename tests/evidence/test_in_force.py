"""The rule that a recipe names, in status and report: estimates are called estimates."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from errata.cli import cli
from errata.evidence.in_force import accepted_by
from errata.report.sections.verdicts import acceptance, first_wrong_steps
from errata.runs.run_dir import RunDir
from errata.runs.runner import synthesize
from tests.small_runs import small

RULE = "accept={rule: reliability, precision: 0.9}"


def run_of(folder: Path, *overrides: str) -> Path:
    stages = "stages=[rationales,peer_review,locate]"
    return asyncio.run(synthesize(small(folder, stages, *overrides, problems=8))).run


def told(run: Path) -> str:
    done = CliRunner().invoke(cli, ["status", str(run)])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_without_gold_the_precision_is_an_estimate_and_nothing_else(tmp_path: Path) -> None:
    run = run_of(tmp_path, RULE, "problems.gold=none")
    figures = accepted_by(RunDir(run))
    assert figures is not None
    assert figures["realised"] is None
    assert 0 < figures["accepted"] <= figures["rationales"]
    assert figures["estimated"]["low"] <= figures["estimated"]["value"] <= figures["estimated"]["high"]
    text = told(run)
    assert f"Accepted by reliability: {figures['accepted']} of {figures['rationales']} judged rationales" in text
    assert "estimated precision" in text
    assert "gold answer is known" not in text
    figure = acceptance({"accepted_by": figures})
    assert figure is not None
    assert [row[0] for row in figure.table.rows] == ["estimated by the model of the voters"]
    as_json = json.loads(CliRunner().invoke(cli, ["status", str(run), "--json"]).stdout)
    assert as_json["accepted_by"] == figures


def test_with_gold_both_stand_apart_and_located_steps_are_counted(tmp_path: Path) -> None:
    run = run_of(tmp_path, RULE)
    figures = accepted_by(RunDir(run))
    assert figures is not None
    assert figures["realised"]["value"] == pytest.approx(figures["estimated"]["value"])
    text = told(run)
    assert "precision where a gold answer is known" in text
    located = json.loads(CliRunner().invoke(cli, ["status", str(run), "--json"]).stdout)["first_wrong_step"]
    assert 0 < located["located"] <= located["wrong"]
    assert f"first wrong step located, of {located['wrong']} wrong" in text
    figure = first_wrong_steps({"first_wrong_step": located})
    assert figure is not None
    assert f"{located['located']:,} of {located['wrong']:,} wrong rationales" in figure.title


def test_without_a_rule_and_without_the_stage_nothing_is_said(tmp_path: Path) -> None:
    run = asyncio.run(synthesize(small(tmp_path, "stages=[rationales]", problems=3))).run
    assert accepted_by(RunDir(run)) is None
    text = told(run)
    assert "Accepted by" not in text
    assert "first wrong step" not in text
    assert acceptance({"accepted_by": None}) is None
    assert first_wrong_steps({"first_wrong_step": None}) is None
