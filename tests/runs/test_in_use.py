"""Whether a run directory is being written, and `errata status --watch`, which ends when it is no longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from errata import cli_helpers
from errata.cli import cli
from errata.runs.in_use import SILENT_S, is_on
from errata.runs.run_dir import RunDir, held


def test_a_directory_is_on_while_its_holder_lives_and_writes(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    assert not is_on(run)
    with held(run.path):
        run.manifest_file.write_text("{}")
        assert is_on(run)
        long_ago = run.manifest_file.stat().st_mtime - 2 * SILENT_S
        os.utime(run.manifest_file, (long_ago, long_ago))
        assert not is_on(run)
        os.utime(run.manifest_file)
        (run.path / ".holder").write_text("999999999")
        assert not is_on(run)


def test_watching_shows_a_run_until_it_ends_and_what_it_wrote_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    shown: list[str] = []
    going = iter([True, True, False])
    monkeypatch.setattr("errata.runs.in_use.is_on", lambda run: next(going))
    monkeypatch.setattr(cli_helpers, "show_run", lambda run, as_json: shown.append(f"{run} {as_json}"))
    monkeypatch.setattr("time.sleep", lambda seconds: shown.append("waits"))

    assert CliRunner().invoke(cli, ["status", ".", "--watch", "--json"]).exit_code == 0
    assert shown == [". True", "waits", ". True", "waits", ". True"]
