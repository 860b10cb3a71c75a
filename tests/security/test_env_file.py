"""What a .env may do: give a recipe the keys and paths that it names, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from errata.config.env import expand, read_env_file, variable
from errata.errors import UsageError
from errata.llm.destinations import destinations
from errata.llm.endpoint import api_base_of
from errata.llm.spec import AgentSpec
from errata.runs.manifest import git

ROOT = Path(__file__).parents[2]
RECIPE = """
graph: rationales
problems: {source: classroom, options: {count: 2}}
agents: {teachers: [{name: ada, model: simulated/ada}]}
"""


@pytest.fixture(autouse=True)
def _no_file_left(tmp_path: Path):  # type: ignore[no-untyped-def]
    yield
    read_env_file(tmp_path / "none")


def test_only_what_is_named_is_taken_and_the_environment_stays_as_it_was(tmp_path: Path) -> None:
    before = dict(os.environ)
    (tmp_path / ".env").write_text("MY_KEY=k123\nPYTHONPATH=/evil\nEMPTY=\nNESTED=${HOME}\n")

    read_env_file(tmp_path / ".env")

    assert dict(os.environ) == before
    assert variable("MY_KEY") == "k123"
    assert expand("${NESTED}/x") == "${HOME}/x"  # what a file holds is not filled in again
    with pytest.raises(UsageError, match="EMPTY is not set"):
        expand("${EMPTY}")


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("MY_KEY=file\n")
    monkeypatch.setenv("MY_KEY", "shell")

    read_env_file(tmp_path / ".env")

    assert variable("MY_KEY") == "shell"


def test_a_env_file_runs_no_code(tmp_path: Path) -> None:
    """Git's configuration by environment, a module on PYTHONPATH, and a library to preload each leave a mark."""
    mark, evil = tmp_path / "mark", tmp_path / "evil"
    evil.mkdir()
    (evil / "sitecustomize.py").write_text(f"open({str(mark)!r}, 'a').write('python')")
    (evil / "monitor").write_text(f"#!/bin/sh\necho git >> {mark}\n")
    (evil / "monitor").chmod(0o755)
    (tmp_path / ".env").write_text(
        f"GIT_CONFIG_COUNT=1\nGIT_CONFIG_KEY_0=core.fsmonitor\nGIT_CONFIG_VALUE_0={evil}/monitor\n"
        f"PYTHONPATH={evil}\nLD_PRELOAD={evil}/none.so\nOPENAI_BASE_URL=http://elsewhere\n"
    )
    (tmp_path / "trial.yaml").write_text(RECIPE)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    ended = subprocess.run(
        [sys.executable, "-m", "errata", "synth", "trial.yaml", "--quiet"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert not mark.exists()


def test_a_repositorys_own_monitor_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark, monitor = tmp_path / "mark", tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\necho run >> {mark}\n")
    monitor.chmod(0o755)
    run = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (
        ["init", "-q"],
        ["commit", "-q", "--allow-empty", "-m", "x"],
        ["config", "core.fsmonitor", str(monitor)],
    ):
        subprocess.run([*run, *words], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)

    assert git()
    assert not mark.exists()


def test_git_takes_no_settings_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    commit = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"]
    subprocess.run(commit, cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "mark"))

    assert git()
    assert not (tmp_path / "mark").exists()


def test_a_env_file_sends_no_key_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text(
        "OPENAI_API_KEY=k123\nOPENAI_BASE_URL=http://elsewhere/v1\nOPENAI_API_BASE=http://elsewhere/v1\n"
    )

    read_env_file(tmp_path / ".env")

    spec = AgentSpec(name="ada", model="openai/gpt")
    assert [str(each) for each in destinations([spec])] == ["api.openai.com with OPENAI_API_KEY (ada)"]
    assert api_base_of(spec) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfeA\x00=\x00b\x00", r"\.env: not UTF-8(.|\n)*save it as UTF-8"),
        (b"A=b\n'C = d\n", r"\.env, line 2 is no NAME=VALUE"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read_env_file(tmp_path / ".env")
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfMY_KEY=k\n# a remark\n\nexport OTHER='x y'\n")
    read_env_file(tmp_path / ".env")
    assert (variable("MY_KEY"), variable("OTHER")) == ("k", "x y")
