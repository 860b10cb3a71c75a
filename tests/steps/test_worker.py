"""A worker process from both sides: what it answers to, what goes to the log, and how its death is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from errata.steps.process import done_by, end_worker, start_worker
from errata.training.allocator import preload

PROGRAM = """
import os
from errata.errors import UsageError
from errata.steps.worker import serve

alive = []

def perform(request):
    print("at work on", request["step"], flush=True)
    os.write(2, b"a library's warning")
    if request["step"] == "refused":
        raise UsageError("found", "why", "do")
    if request["step"] == "broken":
        raise ZeroDivisionError("by nought")
    if request["step"] == "large":
        blocks = [b"x" * 100_000 for _ in range(4_000)]  # small enough for the heap of glibc
        alive.append(b"x" * 100_000)  # above them
    if request["step"] == "dies":
        os._exit(7)
    return 4

serve(perform)
"""


@contextmanager
def worker() -> Iterator[Popen[str]]:
    process = start_worker([sys.executable, "-c", PROGRAM], {})
    try:
        yield process
    finally:
        end_worker(process)


def test_steps_are_done_one_after_the_other_and_their_output_goes_to_their_logs(tmp_path: Path) -> None:
    with worker() as process:
        asked = {step: {"step": step, "log": str(tmp_path / "logs" / step)} for step in ("done", "refused", "broken")}
        assert done_by(process, asked["done"]) == (4, None)
        code, error = done_by(process, asked["refused"])
        assert code == 2
        assert error is not None
        assert "found" in error
        assert "do" in error
        assert done_by(process, asked["broken"]) == (1, "ZeroDivisionError: by nought")
        assert done_by(process, asked["done"]) == (4, None), "it goes on after both"
    log = (tmp_path / "logs" / "done").read_text()
    assert log == "at work on done\na library's warning" * 2
    assert "Traceback" in (tmp_path / "logs" / "broken").read_text()
    assert process.returncode == 0


def test_a_process_that_dies_of_a_step_is_told_with_its_exit_code(tmp_path: Path) -> None:
    with worker() as process:
        assert done_by(process, {"step": "dies", "log": str(tmp_path / "log")}) == (
            1,
            "its process ended with exit code 7",
        )
        code, error = done_by(process, {"step": "done", "log": str(tmp_path / "log")})
        assert (code, error) == (1, "its process ended with exit code 7"), "nobody is there to answer"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_the_memory_of_a_step_is_given_back_before_the_next(tmp_path: Path) -> None:
    with worker() as process:
        done_by(process, {"step": "done", "log": str(tmp_path / "log")})
        before = anonymous_megabytes(process.pid)
        done_by(process, {"step": "large", "log": str(tmp_path / "log")})
        assert anonymous_megabytes(process.pid) < before + 100, "the step took 400"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc")
def test_a_worker_has_tcmalloc_where_the_system_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    with worker() as process:
        done_by(process, {"step": "done", "log": str(tmp_path / "log")})
        maps = Path(f"/proc/{process.pid}/maps").read_text()

    assert ("tcmalloc" in maps) == bool(preload({}))


def anonymous_megabytes(pid: int) -> float:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1024


def test_a_log_that_is_a_link_is_not_written_through_and_the_worker_goes_on(tmp_path: Path) -> None:
    (tmp_path / "victim").touch()
    (tmp_path / "log").symlink_to(tmp_path / "victim")

    with worker() as process:
        code, error = done_by(process, {"step": "done", "log": str(tmp_path / "log")})
        assert done_by(process, {"step": "done", "log": str(tmp_path / "other")}) == (4, None)

    assert code == 1
    assert error is not None
    assert f"{tmp_path / 'log'} cannot be written" in error
    assert (tmp_path / "victim").read_bytes() == b""
