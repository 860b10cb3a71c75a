"""Who is measured, and how: one contender's job in a process of its own against a stub in another.

CPU and memory are those of the whole process tree (memory: the sum of resident sets, so that shared pages count in each
process), start and imports included. Every job has a time limit.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import psutil

from benchmarks.peers.environments import ROOT, python_of

LIMIT_S = 420
"""Seconds one process may take; some of the peers never end."""


class Done(NamedTuple):
    """How a job ended: its exit code (None: over the time limit or killed), CPU seconds, peak bytes, seconds, rows."""

    code: int | None
    cpu: float
    peak: int
    seconds: float
    rows: int


@contextmanager
def serving(module: str, *arguments: float) -> Iterator[int]:
    """The port of a fresh stub in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.peers.{module}", *map(str, arguments)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert server.stdout
    try:
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def stats(port: int) -> dict[str, Any]:
    with urlopen(f"http://127.0.0.1:{port}/stats", timeout=30) as response:
        told: dict[str, Any] = json.load(response)
    return told


def run(
    name: str,
    port: int,
    folder: Path,
    rows: int,
    in_flight: int,
    *,
    mode: Sequence[str] = (),
    kill_when: Callable[[dict[str, Any]], bool] | None = None,
) -> Done:
    """One job in a process group of its own, killed once `kill_when` says so of the stub's counts.

    `mode` are further words for the job.
    """
    job = ROOT / "benchmarks" / "peers" / "jobs" / f"{name}.py"
    command = [str(python_of(name)), str(job), f"http://127.0.0.1:{port}/v1", str(folder), str(rows), str(in_flight)]
    command += mode
    environment = {**os.environ, "HOME": str(folder.parent), **({"PYTHONPATH": str(ROOT)} if name == "errata" else {})}
    started, peak, code = time.monotonic(), 0, None
    with (folder.parent / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder.parent, env=environment,
            start_new_session=True,
        )  # fmt: skip
    used = None
    while used is None and time.monotonic() - started < LIMIT_S:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            code, used = os.waitstatus_to_exitcode(status), usage
        else:
            peak = max(peak, resident(process.pid))
            if kill_when and kill_when(stats(port)):
                break
            time.sleep(0.02 if kill_when else 0.2)
    if used is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        _, _, used = os.wait4(process.pid, 0)
    process.returncode = code if code is not None else -signal.SIGKILL
    out = folder / "out.jsonl"
    delivered = len(out.read_bytes().splitlines()) if out.exists() else 0
    return Done(code, used.ru_utime + used.ru_stime, peak, time.monotonic() - started, delivered)


def resident(pid: int) -> int:
    """Bytes resident in a process and its descendants, summed."""
    total = 0
    with suppress(psutil.Error):
        parent = psutil.Process(pid)
        for each in (parent, *parent.children(recursive=True)):
            with suppress(psutil.Error):
                total += each.memory_info().rss
    return total
