"""errata against its peers: `python -m benchmarks.peers [NAME ...]`, after `python -m benchmarks.peers.environments`.

The same job (sample, judge, filter) against the same stub: 2,000 calls with 50 ms latency at 16 and at 64 calls in
flight; a `kill -9` at 40 % of 800 calls and the same command again; 30 % of HTTP 429 over 200 rows. Every process has
a time limit. CPU and memory are those of the whole process tree (memory: the sum of resident sets, so that shared
pages count in each process), start and imports included; seconds are counted at the stub, from the first request to
the last reply.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import psutil

from benchmarks.__main__ import machine
from benchmarks.peers.environments import PACKAGES, ROOT, python_of

CONTENDERS = ("errata", *PACKAGES)
MODULES = {
    "errata": "errata.runs.runner, errata.llm.backends.openai",
    "distilabel": "distilabel.pipeline, distilabel.models, distilabel.steps.tasks",
    "curator": "bespokelabs.curator",
    "sdg_hub": "sdg_hub",
    "data_designer": "data_designer.interface, data_designer.config",
}
LATENCY_S = 0.05
CALLS, IN_FLIGHT = 2_000, (16, 64)
KILLED_CALLS, KILLED_AT = 800, 0.4
REFUSED_ROWS, REFUSED = 200, 0.3
LIMIT_S = 420
"""Seconds one process may take; some of the peers never end."""


class Done(NamedTuple):
    """How a job ended: its exit code (None: over the time limit or killed), CPU seconds, peak bytes, seconds, rows."""

    code: int | None
    cpu: float
    peak: int
    seconds: float
    rows: int


# ---- parts -----------------------------------------------------------------------------------------------------------


@contextmanager
def stub(rate: float = 0.0) -> Iterator[int]:
    """The port of a fresh stub in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.peers.stub", str(LATENCY_S), str(rate)]
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


def run(name: str, port: int, folder: Path, rows: int, in_flight: int, kill_at: int | None = None) -> Done:
    """One job in a process group of its own, killed once the stub has served `kill_at` calls."""
    job = ROOT / "benchmarks" / "peers" / "jobs" / f"{name}.py"
    command = [str(python_of(name)), str(job), f"http://127.0.0.1:{port}/v1", str(folder), str(rows), str(in_flight)]
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
            if kill_at is not None and stats(port)["served"] >= kill_at:
                break
            time.sleep(0.02 if kill_at else 0.2)
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


async def bare(port: int, in_flight: int) -> None:
    """The same number of calls from a bare aiohttp client."""
    import aiohttp

    numbers = iter(range(CALLS))
    url = f"http://127.0.0.1:{port}/v1/chat/completions"

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            asked = {"model": "stub", "messages": [{"role": "user", "content": f"Problem {number}: how many?" * 5}]}
            async with session.post(url, json=asked) as response:
                await response.json()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(work(session) for _ in range(in_flight)))


# ---- measurements ----------------------------------------------------------------------------------------------------


def import_seconds(name: str) -> float:
    command = [str(python_of(name)), "-c", f"import {MODULES[name]}"]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    taken = []
    for _ in range(3):
        started = time.monotonic()
        subprocess.run(command, check=True, cwd=ROOT, env=offline, timeout=LIMIT_S, capture_output=True)
        taken.append(time.monotonic() - started)
    return statistics.median(taken)


def speed(name: str, folder: Path, in_flight: int) -> dict[str, Any]:
    with stub() as port:
        done = run(name, port, folder / f"speed{in_flight}", CALLS // 2, in_flight)
        told = stats(port)
    return {
        **done._asdict(),
        "calls_s": told["served"] / told["seconds"] if told["seconds"] else None,
        "window_s": told["seconds"],
        "cpu_ms": done.cpu / max(told["served"], 1) * 1e3,
        "most": told["most_in_flight"],
    }


def bare_speed(in_flight: int) -> dict[str, Any]:
    with stub() as port:
        started = time.process_time()
        asyncio.run(bare(port, in_flight))
        cpu = time.process_time() - started
        told = stats(port)
    return {"calls_s": told["served"] / told["seconds"], "window_s": told["seconds"], "cpu_ms": cpu / CALLS * 1e3}


def killed(name: str, folder: Path) -> dict[str, Any]:
    with stub() as port:
        run(name, port, folder / "killed", KILLED_CALLS // 2, 16, int(KILLED_CALLS * KILLED_AT))
        time.sleep(1)  # what was in flight is answered to nobody
        before = stats(port)["served"]
        done = run(name, port, folder / "killed", KILLED_CALLS // 2, 16)
        told = stats(port)
    return {**done._asdict(), "before": before, "twice": told["served"] - told["distinct"]}


def refused(name: str, folder: Path) -> dict[str, Any]:
    with stub(REFUSED) as port:
        done = run(name, port, folder / "refused", REFUSED_ROWS, 16)
        told = stats(port)
    return {**done._asdict(), "window_s": told["seconds"], "refused": told["refused"]}


def measure(name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as text:
        folder = Path(text)
        told: dict[str, Any] = {"import_s": import_seconds(name)}
        for in_flight in IN_FLIGHT:
            told[f"bare{in_flight}"] = bare_speed(in_flight)
            told[f"speed{in_flight}"] = speed(name, folder, in_flight)
        told["killed"] = killed(name, folder)
        told["refused"] = refused(name, folder)
        told["log"] = (folder / f"{name}.log").read_text(errors="replace")[-2_000:]
    return told


# ---- tables ----------------------------------------------------------------------------------------------------------


def ended(done: dict[str, Any]) -> str:
    return (
        ""
        if done["code"] == 0
        else f" (never ends: {LIMIT_S} s)"
        if done["code"] is None
        else f" (exit {done['code']})"
    )


def show(all_told: dict[str, dict[str, Any]]) -> None:
    columns = ("", "import", "calls/s at 16", "at 64", "to bare at 64", "CPU ms a call at 16", "at 64", "peak memory")
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for name, told in all_told.items():
        low, high = told["speed16"], told["speed64"]
        ratio = (high["calls_s"] or 0) / told["bare64"]["calls_s"]
        figures = [f"{low['calls_s'] or 0:.0f}{ended(low)}", f"{high['calls_s'] or 0:.0f}{ended(high)}", f"{ratio:.2f}"]
        figures += [
            f"{low['cpu_ms']:.1f}",
            f"{high['cpu_ms']:.1f}",
            f"{max(low['peak'], high['peak']) / 2**20:.0f} MiB",
        ]
        print(f"| {name} | {told['import_s']:.1f} s | " + " | ".join(figures) + " |")
    print("\n| | served before the kill | paid twice | rows | 30 % 429: rows | seconds | exit |\n" + "|---" * 7 + "|")
    for name, told in all_told.items():
        kill, full = told["killed"], told["refused"]
        print(
            f"| {name} | {kill['before']} | {kill['twice']} | {kill['rows']} of {KILLED_CALLS // 2}{ended(kill)} "
            f"| {full['rows']} of {REFUSED_ROWS} | {full['window_s']:.0f} | {full['code']} |"
        )


def main(names: list[str]) -> int:
    print(machine())
    kept = ROOT / "build" / "peers" / "results.json"
    all_told: dict[str, dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() and names else {}
    for name in names or CONTENDERS:
        all_told[name] = {**measure(name), "machine": machine()}
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(all_told, indent=1))
        print(f"{name}: measured, load {os.getloadavg()[0]:.1f}", flush=True)
    show({name: all_told[name] for name in CONTENDERS if name in all_told})
    if "errata" not in all_told:
        return 0
    mine = all_told["errata"]
    floor = LATENCY_S * CALLS / 16
    slower, share = mine["speed16"]["window_s"] / floor, mine["speed64"]["calls_s"] / mine["bare64"]["calls_s"]
    print(f"\nerrata at 16: {slower:.2f} x latency x calls / 16 (goal 1.05); at 64: {share:.2f} of bare (goal 0.35)")
    return slower > 1.05 or share < 0.35


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
