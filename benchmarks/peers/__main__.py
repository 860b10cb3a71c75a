"""errata against its peers: `python -m benchmarks.peers [NAME ...]`, after `python -m benchmarks.peers.environments`.

The same job (sample, judge, filter) against the same stub: 2,000 calls with 50 ms latency at 16 and at 64 calls in
flight; a `kill -9` at 40 % of 800 calls and the same command again; 30 % of HTTP 429 over 200 rows; and, by those that
have a batch mode, 2,000 calls in batches and a `kill -9` while one of 800 calls' batches is at its provider. Seconds
are counted at the stub, from the first request to the last reply; CPU and memory are explained in contenders.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.__main__ import machine
from benchmarks.peers.contenders import LIMIT_S, run, serving, stats
from benchmarks.peers.environments import PACKAGES, ROOT, SOURCES, python_of
from benchmarks.peers.tables import lacking, show

CONTENDERS = ("errata", *PACKAGES)
MODULES = {
    "errata": "errata.runs.runner, errata.llm.backends.openai",
    "distilabel": "distilabel.pipeline, distilabel.models, distilabel.steps.tasks",
    "curator": "bespokelabs.curator",
    "sdg_hub": "sdg_hub",
    "data_designer": "data_designer.interface, data_designer.config",
    "easydistill": "easydistill.cli.main",
}
BATCHING = ("errata", "curator")
"""Those that can send their calls in provider batches."""
LATENCY_S = 0.05
CALLS, IN_FLIGHT = 2_000, (16, 64)
KILLED_AT, REFUSED = 0.4, 0.3
BATCH_DELAY_S = 5.0
"""Seconds after which a batch has ended."""


async def bare(port: int, in_flight: int, calls: int) -> None:
    """The same number of calls from a bare aiohttp client."""
    import aiohttp

    numbers = iter(range(calls))
    url = f"http://127.0.0.1:{port}/v1/chat/completions"

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            asked = {"model": "stub", "messages": [{"role": "user", "content": f"Problem {number}: how many?" * 5}]}
            async with session.post(url, json=asked) as response:
                await response.json()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(work(session) for _ in range(in_flight)))


class Sizes(NamedTuple):
    """How much is asked: calls at either number in flight, calls of the job that is killed, rows of the refused one."""

    calls: int
    killed: int
    refused: int


def sizes_of(calls: int) -> Sizes:
    return Sizes(calls, calls * 2 // 5, calls // 10)


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


def speed(name: str, folder: Path, in_flight: int, calls: int) -> dict[str, Any]:
    with serving("stub", LATENCY_S, 0) as port:
        done = run(name, port, folder / f"speed{in_flight}", calls // 2, in_flight)
        told = stats(port)
    return {
        **done._asdict(),
        "calls_s": told["served"] / told["seconds"] if told["seconds"] else None,
        "window_s": told["seconds"],
        "cpu_ms": done.cpu / max(told["served"], 1) * 1e3,
        "most": told["most_in_flight"],
    }


def bare_speed(in_flight: int, calls: int) -> dict[str, Any]:
    with serving("stub", LATENCY_S, 0) as port:
        started = time.process_time()
        asyncio.run(bare(port, in_flight, calls))
        cpu = time.process_time() - started
        told = stats(port)
    return {"calls_s": told["served"] / told["seconds"], "window_s": told["seconds"], "cpu_ms": cpu / calls * 1e3}


def killed(name: str, folder: Path, calls: int) -> dict[str, Any]:
    with serving("stub", LATENCY_S, 0) as port:
        at = int(calls * KILLED_AT)
        run(name, port, folder / "killed", calls // 2, 16, kill_when=lambda counts: counts["served"] >= at)
        time.sleep(1)  # what was in flight is answered to nobody
        before = stats(port)["served"]
        done = run(name, port, folder / "killed", calls // 2, 16)
        told = stats(port)
    return {**done._asdict(), "before": before, "twice": told["served"] - told["distinct"]}


def refused(name: str, folder: Path, rows: int) -> dict[str, Any]:
    with serving("stub", LATENCY_S, REFUSED) as port:
        done = run(name, port, folder / "refused", rows, 16)
        told = stats(port)
    return {**done._asdict(), "window_s": told["seconds"], "refused": told["refused"]}


def batched(name: str, folder: Path, size: Sizes) -> dict[str, Any]:
    """The job in batches, and what a kill costs while the judge's batch is at its provider."""
    with serving("batch_stub", BATCH_DELAY_S) as port:
        done = run(name, port, folder / "batched", size.calls // 2, 64, mode=["batch"])
        told = stats(port)
    told |= {**done._asdict(), "window_s": told["seconds"], "cpu_ms": done.cpu / max(told["served"], 1) * 1e3}
    where, rows = folder / "batched_killed", size.killed // 2

    def judging(counts: dict[str, Any]) -> bool:
        return bool(counts["served"] < counts["asked"] and counts["asked"] > rows)

    with serving("batch_stub", BATCH_DELAY_S) as port:
        run(name, port, where, rows, 64, mode=["batch"], kill_when=judging)
        again = run(name, port, where, rows, 64, mode=["batch"])
        after = stats(port)
    return told | {"twice": after["asked"] - after["distinct"], "rows_again": again.rows, "code_again": again.code}


def measure(name: str, size: Sizes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as text:
        folder = Path(text)
        told: dict[str, Any] = {"size": size._asdict(), "import_s": import_seconds(name)}
        with serving("stub", LATENCY_S, 0) as port:
            told["start_cpu"] = run(name, port, folder / "start", 1, 16).cpu
        for in_flight in IN_FLIGHT:
            told[f"bare{in_flight}"] = bare_speed(in_flight, size.calls)
            told[f"speed{in_flight}"] = speed(name, folder, in_flight, size.calls)
        told["killed"] = killed(name, folder, size.killed)
        told["refused"] = refused(name, folder, size.refused)
        if name in BATCHING:
            told["batched"] = batched(name, folder, size)
        told["log"] = (folder / f"{name}.log").read_text(errors="replace")[-2_000:]
    return told


# ---- all of it ------------------------------------------------------------------------------------------------------


def here(names: list[str]) -> list[str]:
    """Those of the contenders whose environment has been made; says which are left out."""
    found = [name for name in names or CONTENDERS if python_of(name).exists()]
    for name in names or CONTENDERS:
        if name not in found:
            needs = f"{SOURCES[name]} names no checkout" if name in SOURCES else "no environment"
            print(f"{name}: left out, {needs}; see python -m benchmarks.peers.environments")
    return found


def goals(mine: dict[str, Any]) -> bool:
    """Prints what errata reached; True where a goal was missed or a row is lacking."""
    floor = LATENCY_S * mine["size"]["calls"] / 16
    slower, share = mine["speed16"]["window_s"] / floor, mine["speed64"]["calls_s"] / mine["bare64"]["calls_s"]
    print(f"\nerrata at 16: {slower:.2f} x latency x calls / 16 (goal 1.05); at 64: {share:.2f} of bare (goal 0.35)")
    lost = lacking(mine)
    if lost:
        print(f"errata did not deliver all rows: {', '.join(lost)}")
    return bool(lost) or slower > 1.05 or share < 0.35


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CONTENDERS))
    parser.add_argument("--calls", type=int, default=CALLS, help="of the job; the others are smaller in proportion")
    asked = parser.parse_args(arguments)
    print(machine())
    kept = ROOT / "build" / "peers" / "results.json"
    all_told: dict[str, dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() and asked.names else {}
    for name in here(asked.names):
        all_told[name] = {**measure(name, sizes_of(asked.calls)), "machine": machine()}
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(all_told, indent=1))
        print(f"{name}: measured, load {os.getloadavg()[0]:.1f}", flush=True)
    show({name: all_told[name] for name in CONTENDERS if name in all_told})
    return goals(all_told["errata"]) if "errata" in all_told else 0


if __name__ == "__main__":
    raise SystemExit(main())
