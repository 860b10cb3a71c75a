"""What `errata status` and `errata plan` print of a school that ended within a round."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from errata.cli import cli
from errata.school.recipe import load_school
from tests.school.school_data import written
from tests.school.scripted import Scripted, gone_through

WHY = "round 2: its lesson leaves nothing to learn from: no row: of 12 rationales 0 are right, 0 accepted"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A school whose second lesson leaves nothing to learn from."""
    path = written(tmp_path, rounds=3)
    school = load_school(path)
    gone_through(school, Scripted(school, empty=(2,)))
    return path


def errata(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_status_has_its_rounds_why_it_ended_and_which_student_stands(path: Path) -> None:
    home = path.parent / "runs/small"
    shown = errata("status", home)
    assert shown.exit_code == 0
    assert "School small" in shown.stdout
    assert f"Ended: {WHY}. The student that stands is round-1/student." in shown.stdout
    assert json.loads(errata("status", home, "--json").stdout) == json.loads((home / "school.json").read_bytes())
    refused = errata("status", home, "--watch")
    assert refused.exit_code == 2
    assert "only runs are watched" in refused.stderr


def test_plan_says_that_the_same_command_would_do_no_more(path: Path) -> None:
    shown = errata("plan", path).stdout
    assert f"stopped: {WHY}; the same command would do no more\n" in shown
    assert "left: 0 teacher tokens, at most 0" in shown
