"""Calls paid twice when `errata synth` is killed twenty times, counted by the server that was asked.

    errata serve (a process of its own, one free port) counts every request by the hash of its body
    whole    one run, never interrupted
    killed   the same recipe, `kill -9` at 20 moments drawn from a seed, the same command after each; then to its end

A third of the kills hit the moment in which the log is seen to grow, a third that in which the store's write-ahead log
is written, the others fall anywhere, also on the start. A call is in flight at a kill where the server was asked and
the store does not hold the reply: abandoned with the server, or answered and not committed yet.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from errata.cli import FORMATS

LATENCY_S = 0.05
CONCURRENCY = 32
KEYS = {"OPENAI_API_KEY": "none", "ANTHROPIC_API_KEY": "none"}
KINDS = ("start", "log", "store", "anywhere", "log", "store")
"""What the kills aim at, in turn."""
DEADLINE_S = 300.0
"""Seconds after which a run that was to be killed counts as stuck."""


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


PORT = free_port()
"""Of every server of this process, one after the other: recipes name it."""


@dataclass
class Kills:
    """What was seen at the kills."""

    aims: list[str] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    """Calls in flight at each kill."""


@contextmanager
def server(*options: str) -> Iterator[None]:
    """`errata serve` on PORT, with fresh counts."""
    command = [sys.executable, "-m", "errata", "serve", "--port", str(PORT), "--latency", str(LATENCY_S), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        if "listens" not in process.stdout.readline():
            raise SystemExit(f"port {PORT} is taken")
        yield
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def counted() -> dict[str, Any]:
    """The server's counts once it is at rest: what was sent to it before a kill has been read."""
    before = None
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/stats") as reply:
            now: dict[str, Any] = json.load(reply)
        if before == now:
            return now
        before = now
        time.sleep(3 * LATENCY_S)


def recipe(folder: Path, problems: int) -> Path:
    """The demo's lesson with every agent behind the server."""
    import yaml

    from errata.starter import DEMO

    lesson = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    for agent in (*lesson["agents"]["teachers"], lesson["agents"]["student"]):
        agent["model"] = agent["model"].replace("simulated/", "openai/")
        agent.update({"api_base": f"http://127.0.0.1:{PORT}/v1", "price": {"prompt": 0.15, "completion": 0.6}})
    path = folder / "pay-once.yaml"
    path.write_text(yaml.safe_dump(lesson | {"limit": problems}), encoding="utf-8")
    return path


def words(recipe: Path, runs: Path) -> list[str]:
    """Of the command line, behind `errata`."""
    return ["synth", str(recipe), f"runs={runs}", f"concurrency={CONCURRENCY}", "--quiet"]


def synth(recipe: Path, runs: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "errata", *words(recipe, runs)]
    return subprocess.Popen(command, env=os.environ | KEYS, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def to_its_end(recipe: Path, runs: Path, name: str | None = None) -> Path:
    """Runs the recipe until it ends by itself; gives the run directory, named as the file unless the recipe says."""
    process = synth(recipe, runs)
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"the run ended with {process.returncode}:\n{errors.decode()}")
    return runs / (name or recipe.stem)


# ---- kills -----------------------------------------------------------------------------------------------------------


def killed(recipe: Path, runs: Path, aim: str, rng: random.Random, lines: int) -> None:
    """One life of the run, ended by `kill -9`, once `lines` problems are logged and one more than at its start."""
    run = runs / recipe.stem
    log, wal = run / "transcripts.jsonl", run.parent / ".calls" / "cache.db-wal"
    process = synth(recipe, runs)
    try:
        if aim == "start":
            time.sleep(rng.uniform(0.0, 3.0))
        else:
            wanted = max(lines, _lines(log) + 1)
            until(lambda: _lines(log) >= wanted, process, pause=0.02)
            if aim == "anywhere":
                time.sleep(rng.uniform(0.0, 0.5))
            else:
                path = log if aim == "log" else wal
                before = stamp(path)
                until(lambda: stamp(path) != before, process, pause=0.0)
        if process.poll() is not None:
            raise SystemExit("a run ended before it was killed: too few problems for so many kills")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def until(reached: Any, process: Any, *, pause: float, deadline: float = DEADLINE_S) -> None:
    """Waits for a moment, or the end of a process. Raises SystemExit after `deadline` seconds."""
    started = time.monotonic()
    while not reached() and process.poll() is None:
        if time.monotonic() - started > deadline:
            raise SystemExit("a run is stuck")
        if pause:
            time.sleep(pause)


def _lines(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def committed(run: Path, folder: Path, calls: Path | None = None) -> int:
    """Calls that the run's store holds as paid. Read from a copy: opening it would repair what the kill has left.

    Args:
        folder: where the copy is made, and removed.
        calls: the store, where it is not the one beside the run.
    """
    from errata.llm.store import Store

    calls = calls or run.parent / ".calls"
    if not calls.is_dir():
        return 0
    copy = folder / "copy"
    shutil.copytree(calls, copy)
    try:
        store = Store(copy, str(run.resolve()))
        store.close()
        return sum(tally.paid for tally in store.paid.values())
    finally:
        shutil.rmtree(copy)


def kill_again_and_again(path: Path, folder: Path, kills: int, problems: int, seed: int) -> tuple[Path, Kills]:
    """The killed run, brought to its end. Each kill has a stretch of the problems of its own, and some are left."""
    rng, seen, runs = random.Random(seed), Kills(), folder / "killed"
    run, lost = runs / path.stem, 0
    for number in range(kills):
        aim = KINDS[number % len(KINDS)]
        killed(path, runs, aim, rng, int((number + rng.random()) * problems / (kills + 4)))
        gone = counted()["requests"] - committed(run, folder)
        seen.aims.append(aim)
        seen.lost.append(gone - lost)
        lost = gone
        print(f"kill {number + 1:>2} ({aim}): {_lines(run / 'transcripts.jsonl')} problems, {seen.lost[-1]} in flight")
        sys.stdout.flush()
    return to_its_end(path, runs), seen


# ---- verdict ---------------------------------------------------------------------------------------------------------


def exports(run: Path, formats: Sequence[str] = FORMATS) -> dict[str, bytes]:
    """The run in each format with its card, by file name."""
    from errata.exports.write import export

    made = {}
    for name in formats:
        done = export([run], name, run / "exports" / f"{name}.jsonl")
        made |= {path.name: path.read_bytes() for path in (done.out, done.card)}
    return made


def verdict(whole: Path, killed_run: Path, first: dict[str, Any], second: dict[str, Any], seen: Kills) -> list[str]:
    """What broke, in words."""
    from errata.runs.status import status

    once, again = status(whole), status(killed_run)
    twice = second["requests"] - len(second["by_content"])
    one, other = exports(whole), exports(killed_run)
    checks = {
        "the uninterrupted run paid a call twice": first["requests"] > len(first["by_content"]),
        "more calls were paid twice than were in flight at the kills": twice > sum(seen.lost),
        "a kill lost more calls than may be in flight": max(seen.lost) > CONCURRENCY,
        "a call was lost that no later run asked for again": second["by_content"].keys() != first["by_content"].keys(),
        "the store does not hold every call once": again["calls"]["paid"] != len(second["by_content"]),
        "the problems ended otherwise": once["problems"] != again["problems"],
        "the logs tell of other calls": once["log"] != again["log"],
        "status does not say what the resumes saved": again["resumes"]["calls_saved"] <= 0,
    }
    broken = [what for what, broke in checks.items() if broke]
    return broken + [f"the export {name} differs" for name in one if one[name] != other[name]]


def main() -> bool:
    """Prints the kills and the figures; True where every bound holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--problems", type=int, default=400)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = recipe(folder, asked.problems)
        with server():
            whole = to_its_end(path, folder / "whole")
            first = counted()
        with server():
            killed_run, seen = kill_again_and_again(path, folder, asked.kills, asked.problems, asked.seed)
            second = counted()
        broken = verdict(whole, killed_run, first, second, seen)
        subprocess.run([sys.executable, "-m", "errata", "status", str(killed_run)], check=True)
    for what in broken:
        print(f"BROKEN: {what}")
    twice = second["requests"] - len(second["by_content"])
    same = "differ" if any("export" in each for each in broken) else "identical"
    print(
        f"{asked.problems} problems, {len(first['by_content'])} calls, {asked.kills} kills (seed {asked.seed}): "
        f"{twice} paid twice, {sum(seen.lost)} in flight at the kills (at most {max(seen.lost)} at one, concurrency "
        f"{CONCURRENCY}); {len(FORMATS)} exports {same}; "
        f"{(time.monotonic() - started) / 60:.1f} min"
    )
    return not broken


if __name__ == "__main__":
    raise SystemExit(not main())
