"""errata against its peers: `python -m benchmarks.peers [NAME ...]`, after `python -m benchmarks.peers.environments`.

The same job (sample, judge, filter) against the same stub: 2,000 calls with 50 ms latency at 16 and at 64 calls in
flight; a `kill -9` at 40 % of 800 calls and the same command again; 30 % of HTTP 429 over 200 rows; and, by those that
have a batch mode, 2,000 calls in batches and a `kill -9` while one of 800 calls' batches is at its provider. Seconds
are counted at the stub, from the first request to the last reply; CPU and memory are explained in contenders.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.__main__ import machine
from benchmarks.peers.contenders import LIMIT_S, run, serving, stats
from benchmarks.peers.environments import PACKAGES, ROOT, SOURCES, python_of

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
KILLED_CALLS, KILLED_AT = 800, 0.4
REFUSED_ROWS, REFUSED = 200, 0.3
BATCH_DELAY_S = 5.0
"""Seconds after which a batch has ended."""


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
    with serving("stub", LATENCY_S, 0) as port:
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
    with serving("stub", LATENCY_S, 0) as port:
        started = time.process_time()
        asyncio.run(bare(port, in_flight))
        cpu = time.process_time() - started
        told = stats(port)
    return {"calls_s": told["served"] / told["seconds"], "window_s": told["seconds"], "cpu_ms": cpu / CALLS * 1e3}


def killed(name: str, folder: Path) -> dict[str, Any]:
    with serving("stub", LATENCY_S, 0) as port:
        at = int(KILLED_CALLS * KILLED_AT)
        run(name, port, folder / "killed", KILLED_CALLS // 2, 16, kill_when=lambda counts: counts["served"] >= at)
        time.sleep(1)  # what was in flight is answered to nobody
        before = stats(port)["served"]
        done = run(name, port, folder / "killed", KILLED_CALLS // 2, 16)
        told = stats(port)
    return {**done._asdict(), "before": before, "twice": told["served"] - told["distinct"]}


def refused(name: str, folder: Path) -> dict[str, Any]:
    with serving("stub", LATENCY_S, REFUSED) as port:
        done = run(name, port, folder / "refused", REFUSED_ROWS, 16)
        told = stats(port)
    return {**done._asdict(), "window_s": told["seconds"], "refused": told["refused"]}


def judging_in_batches(counts: dict[str, Any]) -> bool:
    """Whether the judge's batch is at its provider."""
    return bool(counts["served"] < counts["asked"] and counts["asked"] > KILLED_CALLS // 2)


def batched(name: str, folder: Path) -> dict[str, Any]:
    """The job in batches, and what a kill costs while the judge's batch is at its provider."""
    with serving("batch_stub", BATCH_DELAY_S) as port:
        done = run(name, port, folder / "batched", CALLS // 2, 64, mode=["batch"])
        told = stats(port)
    told |= {**done._asdict(), "window_s": told["seconds"], "cpu_ms": done.cpu / max(told["served"], 1) * 1e3}
    where, rows = folder / "batched_killed", KILLED_CALLS // 2
    with serving("batch_stub", BATCH_DELAY_S) as port:
        run(name, port, where, rows, 64, mode=["batch"], kill_when=judging_in_batches)
        again = run(name, port, where, rows, 64, mode=["batch"])
        after = stats(port)
    return told | {"twice": after["asked"] - after["distinct"], "rows_again": again.rows, "code_again": again.code}


def measure(name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as text:
        folder = Path(text)
        told: dict[str, Any] = {"import_s": import_seconds(name)}
        for in_flight in IN_FLIGHT:
            told[f"bare{in_flight}"] = bare_speed(in_flight)
            told[f"speed{in_flight}"] = speed(name, folder, in_flight)
        told["killed"] = killed(name, folder)
        told["refused"] = refused(name, folder)
        if name in BATCHING:
            told["batched"] = batched(name, folder)
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

    columns = ("in batches", "seconds", "batches", "CPU ms a call", "rows", "paid twice after a kill", "rows")
    print("\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for name, told in all_told.items():
        if each := told.get("batched"):
            print(
                f"| {name} | {each['window_s']:.0f}{ended(each)} | {each['batches']} | {each['cpu_ms']:.1f} "
                f"| {each['rows']} of {CALLS // 2} | {each['twice']} | {each['rows_again']} of {KILLED_CALLS // 2} |"
            )


def whole(done: dict[str, Any], size: str) -> bool:
    """Whether a measured job delivered all its rows."""
    rows = {"killed": KILLED_CALLS // 2, "refused": REFUSED_ROWS}.get(size, CALLS // 2)
    return bool(done["rows"] == rows and done.get("rows_again") in (None, KILLED_CALLS // 2))


def here(names: list[str]) -> list[str]:
    """Those of the contenders whose environment has been made; says which are left out."""
    found = [name for name in names or CONTENDERS if python_of(name).exists()]
    for name in names or CONTENDERS:
        if name not in found:
            needs = f"{SOURCES[name]} names no checkout" if name in SOURCES else "no environment"
            print(f"{name}: left out, {needs}; see python -m benchmarks.peers.environments")
    return found


def main(names: list[str]) -> int:
    print(machine())
    kept = ROOT / "build" / "peers" / "results.json"
    all_told: dict[str, dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() and names else {}
    for name in here(names):
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
    lost = [size for size in ("speed16", "speed64", "killed", "refused", "batched") if not whole(mine[size], size)]
    if lost:
        print(f"errata did not deliver all rows: {', '.join(lost)}")
    return bool(lost) or slower > 1.05 or share < 0.35


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
