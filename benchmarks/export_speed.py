"""Compiling 100,000 transcripts into each format: rate and peak memory, each format in a fresh process.

The transcripts are those of a small simulated lesson, repeated with other ids and questions, so that every row is new.
What grows from the smaller to the larger log is the cost of a transcript. `python -m benchmarks.export_speed N` takes
another size.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZE = 100_000
BOUND = 500
"""Bytes of peak memory that a further transcript may cost: its place in the log and the hashes of its rows."""
SLACK = 16 * 2**20
"""Bytes by which two peaks differ, allowed on top."""
LESSON = (
    *(
        "limit=20",
        "settings.dual_cot.warmup=4",
        "settings.rationales.samples=1",
        "settings.peer_review.revise_rounds=0",
    ),
    *("settings.dual_cot.max_per_problem=1", "settings.mistake_explanation.explainers=one"),
)


def lesson(folder: Path) -> tuple[Path, list[bytes]]:
    """The run directory of a small lesson, and the lines of its log."""
    from errata.runs.recipe import load_recipe
    from errata.runs.runner import synthesize
    from errata.starter import DEMO

    run = asyncio.run(synthesize(load_recipe(DEMO, [f"runs={folder}", *LESSON]))).run
    return run, (run / "transcripts.jsonl").read_bytes().splitlines(keepends=True)


def write_log(run: Path, lines: list[bytes], size: int) -> Path:
    """A run directory whose log holds `size` transcripts."""
    copy = run.with_name(f"of-{size}")
    copy.mkdir()
    (copy / "recipe.yaml").write_bytes((run / "recipe.yaml").read_bytes())
    with (copy / "transcripts.jsonl").open("wb") as log:
        for number in range(size):
            line = lines[number % len(lines)]
            problem = json.loads(line)["problem"] if number < len(lines) else _known[number % len(lines)]
            _known[number % len(lines)] = problem
            line = line.replace(problem["id"].encode(), f"{problem['id']}-{number}".encode())
            line = line.replace(problem["question"].encode(), f"No. {number} : {problem['question']}".encode())
            log.write(line.replace(f'"position":{problem["position"]},'.encode(), f'"position":{number},'.encode(), 1))
    return copy


_known: dict[int, dict[str, str]] = {}


def _compile(run: Path, name: str) -> None:
    """One export in this process; prints its figures."""
    from errata.exports.write import export

    started = time.perf_counter()
    done = export([run], name, run / f"{name}.jsonl")
    seconds = time.perf_counter() - started
    done.out.unlink()
    print(json.dumps({"rows": done.tally.rows, "seconds": seconds, "peak": peak()}))


def peak() -> int:
    """Bytes this process has held at most; getrusage would count those of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


def _measured(run: Path, name: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.export_speed", str(run), name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main(size: int = SIZE) -> bool:
    """Prints the table; True where memory stays within the bound."""
    from errata.exports.formats import FORMATS

    reached = True
    with tempfile.TemporaryDirectory() as folder:
        run, lines = lesson(Path(folder))
        print(f"{size:,} transcripts of {sum(map(len, lines)) / len(lines) / 1024:.0f} KiB\n")
        print(
            "| format | rows | seconds | transcripts/s | peak memory | bytes per further transcript |\n"
            + "|---" * 6
            + "|"
        )
        small, large = write_log(run, lines, size // 10), write_log(run, lines, size)
        for name in (each.name for each in FORMATS):
            few, many = _measured(small, name), _measured(large, name)
            growth = (many["peak"] - few["peak"]) / (size - size // 10)
            reached &= growth <= BOUND + SLACK / size
            print(
                f"| {name} | {many['rows']:,} | {many['seconds']:.0f} | {size / many['seconds']:,.0f} "
                f"| {many['peak'] / 2**20:.0f} MiB | {growth:.0f} |",
                flush=True,
            )
    print(f"\nmemory {'within' if reached else 'OVER'} the bound")
    return reached


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _compile(Path(sys.argv[1]), sys.argv[2])
    else:
        raise SystemExit(not main(*map(int, sys.argv[1:])))
