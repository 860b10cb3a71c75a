"""Peak memory of whole runs: 1,000 and 10,000 problems through `errata synth`'s runner, each in a fresh process.

The graph `rationales` with two teachers over a stub server without latency; the problems are a JSONL file. What grows
from the smaller to the larger run is the cost of a problem that is done.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (1_000, 10_000)
BOUND = 100
"""Bytes a finished problem may keep."""
SLACK = 8 * 2**20
"""Bytes by which the peaks of two runs of one size differ, allowed on top."""


def _run(base: str, folder: Path, size: int) -> None:
    """One run in this process; prints peak memory in bytes, seconds and calls."""
    from errata.data.source import Mapping, ProblemSource
    from errata.llm.spec import Agents, AgentSpec
    from errata.runs.recipe import SynthRecipe
    from errata.runs.runner import synthesize

    source = folder / f"{size}.jsonl"
    with source.open("w") as rows:
        for number in range(size):
            question = f"Problem {number}: Ada has {number} apples and buys {number % 7}. How many are there now?"
            rows.write(json.dumps({"question": question, "answer": str(number + number % 7)}) + "\n")
    mapping = Mapping(question="question", answer="answer", kind="number")
    teachers = tuple(AgentSpec(name=name, model="openai/stub", api_base=base) for name in ("ada", "bob"))
    recipe = SynthRecipe(
        name=f"memory-{size}",
        graph="rationales",
        problems=ProblemSource(source=str(source), mapping=mapping),
        agents=Agents(teachers=teachers),
        runs=str(folder),
    )
    started = time.perf_counter()
    summary = asyncio.run(synthesize(recipe))
    assert summary.exit_code == 0, summary
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"peak": peak, "seconds": time.perf_counter() - started, "calls": 2 * size}))


def main() -> bool:
    """Prints the table; True where the growth stays within the bound."""
    from benchmarks.stub import stub

    peaks: dict[int, int] = {}
    print("| problems | calls | seconds | peak memory |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, stub(0.0) as base:
        for size in SIZES:
            command = [sys.executable, "-m", "benchmarks.memory", base, folder, str(size)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            figures = json.loads(done.stdout.splitlines()[-1])
            peaks[size] = figures["peak"]
            print(f"| {size:,} | {figures['calls']:,} | {figures['seconds']:.1f} | {figures['peak'] / 2**20:.0f} MiB |")
    small, large = SIZES
    growth = peaks[large] - peaks[small]
    kept = growth / (large - small)
    reached = growth <= SLACK + BOUND * (large - small)
    print(f"\n{kept:.0f} bytes more for each further problem; {'within' if reached else 'OVER'} the bound")
    return reached


if __name__ == "__main__":
    if len(sys.argv) == 4:
        _run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        raise SystemExit(not main())
