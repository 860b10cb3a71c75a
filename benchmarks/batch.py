"""Calls paid twice or lost when a run in batches is killed twenty times, counted by the server that was asked.

    errata serve (a process of its own, one free port) offers OpenAI's and Anthropic's batches, and counts every request
    live     one run whose calls are asked one by one, at half the price, never interrupted
    killed   the same recipe in batches, `kill -9` at 20 moments drawn from a seed, the same command after each

Kills hit in turn the moment in which a batch was created (its id is then often not heard), one in which the store's
write-ahead log is written, one of any other request about batches, and any other, also on the start. Some requests
about batches fail on the way, and some batches fail in part.

A life that is to be killed at work is forked from this process, which has imported all that a run needs: nearly all CPU
time of so short a life would be that import. Those killed on their start, the run asked one by one, and the last life,
which comes to its end, are commands of their own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import sys
import tempfile
import time
import urllib.request
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import errata.cli
from benchmarks.pay_once import KEYS, PORT, committed, counted, exports, server, stamp, synth, to_its_end, until, words

SETTINGS = {"poll_s": 0.2, "quiet_s": 0.3, "grace_s": 2.0, "calls": 25}
"""Small batches, looked at often, so that there are many moments to be killed in."""
SERVER = ("--batch-delay", "0.5", "--batch-fault-rate", "0.2", "--batch-fault", "expired", "--batch-fault", "partial")
FAULTS = ("--fault-rate", "0.05", "--fault", "500", "--fault", "drop")
KINDS = ("created", "store", "about", "anywhere", "start")
"""What the kills aim at, in turn."""
PRICE = 0.4
"""USD per 1M tokens, asked one by one; twice as much, halved, in batches."""


def recipe(folder: Path, problems: int, *, batches: bool) -> Path:
    """The demo's lesson behind the server, its second teacher by Anthropic's API."""
    import yaml

    from errata.starter import DEMO

    lesson = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    for place, agent in enumerate((*lesson["agents"]["teachers"], lesson["agents"]["student"])):
        provider = "anthropic" if place == 1 else "openai"
        agent["model"] = agent["model"].replace("simulated/", f"{provider}/")
        agent["api_base"] = f"http://127.0.0.1:{PORT}" + "/v1" * (provider == "openai")
        price = PRICE * (2 if batches else 1)
        agent |= {
            "price": {"prompt": price, "completion": price},
            "retries": 8,
            "batch": SETTINGS if batches else False,
        }
    lesson["settings"]["dual_cot"]["warmup"] = min(problems // 3, 8)
    path = folder / f"{'batches' if batches else 'live'}.yaml"
    path.write_text(yaml.safe_dump(lesson | {"limit": problems, "name": "batch"}), encoding="utf-8")
    return path


def stats() -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/stats") as reply:
        counts: dict[str, Any] = json.load(reply)
        return counts


# ---- kills -----------------------------------------------------------------------------------------------------------


class Life(ForkProcess):
    """`errata synth` of a recipe, begun with everything imported."""

    def __init__(self, path: Path, runs: Path) -> None:
        super().__init__()
        self.words = words(path, runs)

    def run(self) -> None:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os.environ.update(KEYS)
        errata.cli.cli(self.words)

    def poll(self) -> int | None:
        """As Popen's."""
        return self.exitcode


def killed(path: Path, runs: Path, aim: str, rng: random.Random, answered: int) -> bool:
    """One life of the run, ended by `kill -9`; False where it came to its end before.

    `answered`: requests that the server shall have answered, in all lives, before the moment is waited for.
    """
    if aim == "start":
        process = synth(path, runs)
        time.sleep(rng.uniform(0.0, 5.0))
        alive = process.poll() is None
        process.kill()
        process.communicate()
        return alive
    life = Life(path, runs)
    life.start()
    try:
        until(lambda: stats()["requests"] >= answered, life, pause=0.05)
        _wait_for(aim, life, runs, rng)
        return life.poll() is None
    finally:
        life.kill()
        life.join()


def _wait_for(aim: str, life: Life, runs: Path, rng: random.Random) -> None:
    """Until the moment in which a life is to be killed, or its end."""
    wal = runs / ".calls" / "cache.db-wal"
    what = "batches" if aim == "created" else "about_batches"
    before = stats()[what]
    until(lambda: stats()[what] > before, life, pause=0.01)
    if aim == "store":
        written = stamp(wal)
        until(lambda: stamp(wal) != written, life, pause=0.001)
    elif aim == "anywhere":
        time.sleep(rng.uniform(0.0, 2.0))


def kill_again_and_again(path: Path, folder: Path, kills: int, seed: int, calls: int) -> tuple[Path, int]:
    """The run of so many calls killed again and again and brought to its end, and the kills that met it at work.

    Each kill has a stretch of the calls of its own, and some are left.
    """
    rng, runs, met = random.Random(seed), folder / "killed", 0
    for number in range(kills):
        aim = KINDS[number % len(KINDS)]
        if not killed(path, runs, aim, rng, number * calls // (kills + 4)):
            break
        met += 1
        now, run = stats(), runs / "batch"
        stored = committed(run, folder)
        print(
            f"kill {met:>2} ({aim}): {now['batches']} batches, {now['requests']} answered, {stored} stored", flush=True
        )
    return to_its_end(path, runs, "batch"), met


# ---- verdict ---------------------------------------------------------------------------------------------------------


def verdict(live: Path, run: Path, first: dict[str, Any], second: dict[str, Any], stored: int) -> list[str]:
    """What broke, in words."""
    from errata.runs.status import status

    once, again = status(live), status(run)
    one, other = exports(live), exports(run)
    asked, paid = first["by_content"], second["by_content"]
    checks = {
        "a call was paid twice": any(paid[content] > asked.get(content, 0) for content in paid),
        "a call was lost": any(asked[content] > paid.get(content, 0) for content in asked),
        "the store does not hold every call once": stored != second["requests"],
        "a batch was left behind": again["batches"]["open"] > 0,
        "the problems ended otherwise": once["problems"] != again["problems"],
        "the logs tell of other calls or prices": once["log"] != again["log"],
        "the price is not that of batches": round(again["cost_usd"] - once["cost_usd"], 6) != 0,
    }
    broken = [what for what, broke in checks.items() if broke]
    return broken + [f"the export {name} differs" for name in one if one[name] != other[name]]


def main(arguments: list[str] | None = None) -> bool:
    """Prints the kills and the figures; True where every bound holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--problems", type=int, default=24)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    started = time.monotonic()
    importlib.import_module("errata.runs.runner")
    importlib.import_module("errata.llm.backends.litellm")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with server():
            whole = to_its_end(recipe(folder, asked.problems, batches=False), folder / "whole", "batch")
            first = counted()
        with server(*SERVER, *FAULTS):
            path = recipe(folder, asked.problems, batches=True)
            run, met = kill_again_and_again(path, folder, asked.kills, asked.seed, first["requests"])
            second = counted()
        broken = verdict(whole, run, first, second, committed(run, folder))
        broken += [f"the run was at its end after {met} kills: too few problems"] * (met < asked.kills)
    for what in broken:
        print(f"BROKEN: {what}")
    before, after = first["by_content"], second["by_content"]
    twice = sum(max(0, after[content] - before.get(content, 0)) for content in after)
    same = "differ" if any("export" in each for each in broken) else "identical"
    print(
        f"{asked.problems} problems, {first['requests']} calls in {second['batches']} batches, {met} kills (seed "
        f"{asked.seed}): {twice} paid twice; exports of the live run {same}; "
        f"{(time.monotonic() - started) / 60:.1f} min"
    )
    return not broken


if __name__ == "__main__":
    raise SystemExit(not main(sys.argv[1:]))
