"""A worker process from both sides: what it answers to, what goes to the log, and how its death is told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
PATIENT = """
import sys, time
from pathlib import Path
from errata.steps.worker import serve

def perform(request):
    began, go = Path(request["folder"], "began"), Path(request["folder"], "go")
    print("begun", flush=True)
    began.touch()
    while not go.exists():
        time.sleep(0.01)
    print("ended", flush=True)
    return 0

serve(perform)
"""
WORKER = """
import signal, sys, time
from errata.steps.worker import end_with
signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest may have been begun with it ignored
try:
    end_with(int(sys.argv[1]))
    print("watching", flush=True)
    time.sleep(120)
    print("left alone", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
COMMAND = f"""
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {WORKER!r}, str(os.getpid())])
time.sleep(120)
"""


@contextmanager
def worker(program: str = PROGRAM) -> Iterator[Popen[str]]:
    process = start_worker([sys.executable, "-c", program], {})
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


def test_a_step_computes_in_the_threads_that_it_is_given(tmp_path: Path) -> None:
    program = """
from errata.steps.worker import serve

def perform(request):
    import torch
    return torch.get_num_threads()

serve(perform)
"""
    with worker(program) as process:
        for threads in (1, 3, 2):  # torch is imported by the first
            step = {"step": "train", "log": str(tmp_path / "log"), "threads": threads}
            assert done_by(process, step) == (threads, None)


def test_a_log_or_its_lock_that_is_a_link_is_not_written_through_and_the_worker_goes_on(tmp_path: Path) -> None:
    (tmp_path / "victim").touch()
    (tmp_path / "log").symlink_to(tmp_path / "victim")
    (tmp_path / ".lock.lock").symlink_to(tmp_path / "victim")

    with worker() as process:
        assert done_by(process, {"step": "done", "log": str(tmp_path / "lock")})[0] == 1
        code, error = done_by(process, {"step": "done", "log": str(tmp_path / "log")})
        assert done_by(process, {"step": "done", "log": str(tmp_path / "other")}) == (4, None)

    assert code == 1
    assert error is not None
    assert f"{tmp_path / 'log'} cannot be written" in error
    assert (tmp_path / "victim").read_bytes() == b""


def test_a_step_waits_for_the_worker_that_still_does_it(tmp_path: Path) -> None:
    """A command that was killed leaves a worker, which ends a little later than the next command begins."""
    first, second = ({"step": "train", "log": str(tmp_path / "log"), "folder": str(tmp_path)} for _ in range(2))
    with ThreadPoolExecutor(2) as pool, worker(PATIENT) as old, worker(PATIENT) as new:
        left = pool.submit(done_by, old, first)
        wait_for(tmp_path / "began")
        (tmp_path / "began").unlink()
        taken_up = pool.submit(done_by, new, second)
        time.sleep(1)
        assert not (tmp_path / "began").exists(), "the second has not begun"
        (tmp_path / "go").touch()
        assert left.result(20) == taken_up.result(20) == (0, None)
    assert (tmp_path / "log").read_text() == "begun\nended\n" * 2


def wait_for(path: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def test_a_worker_ends_when_the_command_that_began_it_is_gone() -> None:
    """A worker in the middle of a node whose command is killed gets what Ctrl-C gives it."""
    with subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "watching\n"
        command.kill()
        assert command.stdout.read() == "interrupted\n", "read to its end, which is the worker's"


def test_a_worker_whose_command_was_gone_before_it_looked_ends_too() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    told = subprocess.run([sys.executable, "-c", WORKER, str(gone.pid)], capture_output=True, text=True).stdout
    assert told.splitlines()[-1] == "interrupted"
