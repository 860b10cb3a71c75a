"""Memory and speed of a million problems: `python -m benchmarks.scale [SIZE ...]`.

Synthetic problems from a JSONL file go through the runner (reader, survey, workers, log, tally) and a LangGraph graph
of one node that makes no call, each size in a fresh process; then another process opens the same directory again,
reads the log, finds every problem settled and ends. What grows from one size to the next is what a finished problem
keeps. `--calls` runs the graph `exam` instead, with a student on a stub: gateway, store and grader as well.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

SIZES = (10_000, 100_000, 1_000_000)
SIZES_WITH_CALLS = (2_000, 20_000)
BOUND = 100
"""Bytes a finished problem may keep."""
EVERY_S = 30
SLACK = 2 * 2**20
"""Bytes by which the peaks of two runs of one size differ, allowed on top."""


def _write_problems(path: Path, size: int) -> None:
    with path.open("w", encoding="utf-8") as rows:
        for number in range(size):
            question = f"Problem {number}: Ada has {number} apples and buys {number % 7}. How many are there now?"
            rows.write(json.dumps({"question": question, "answer": str(number + number % 7)}) + "\n")


def _recipe(folder: Path, size: int, base: str | None) -> Any:
    from errata.data.source import Mapping, ProblemSource
    from errata.llm.spec import Agents, AgentSpec
    from errata.runs.recipe import SynthRecipe

    mapping = Mapping(question="question", answer="answer", kind="number")
    student = AgentSpec(name="pupil", model="openai/stub" if base else "simulated/pupil", api_base=base)
    return SynthRecipe(
        name=f"scale-{size}",
        graph="exam",
        problems=ProblemSource(source=str(folder / f"{size}.jsonl"), mapping=mapping),
        agents=Agents(student=student),
        runs=str(folder),
    )


def _without_calls(recipe: Any) -> int:
    """The runner over a graph of one node; returns the number of problems it settled."""
    from langgraph.graph import END, START, StateGraph

    from errata.data.problems import Problems
    from errata.graphs.state import State
    from errata.llm.spent import Spent
    from errata.records import Outcome
    from errata.runs.counters import StopSignal
    from errata.runs.run import Run
    from errata.runs.run_dir import Log, held
    from errata.runs.run_problem import run_problem
    from errata.runs.runner import survey

    async def conclude(state: State) -> State:
        return {"outcome": Outcome(status="done")}

    graph = StateGraph(State)
    graph.add_node("conclude", conclude)
    graph.add_edge(START, "conclude")
    graph.add_edge("conclude", END)

    async def run() -> int:
        with held(Path(recipe.runs) / recipe.name) as directory:
            index, problems = directory.index(), Problems(recipe.problems)
            tally, log = survey(problems, index), Log(directory.log)
            going = Run(
                recipe,
                directory,
                index,
                log,
                partial(run_problem, graph.compile(), "exam"),
                Spent(),
                tally,
                StopSignal(),
                {},
            )
            watcher = asyncio.create_task(_watch(going))
            gc.freeze()  # as `errata synth` does
            await going.drive(problems)
            watcher.cancel()
            going.save(going.manifest())
            log.close()
            assert tally.done == tally.total, tally
            return going.settled

    return asyncio.run(run())


async def _watch(run: Any) -> None:
    """Tells now and then how far a long run is, on stderr."""
    while True:
        await asyncio.sleep(EVERY_S)
        pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240
        held = pages * resource.getpagesize() / 2**20
        print(f"{run.settled:,} of {run.todo:,} settled, {held:.1f} MiB held", file=sys.stderr, flush=True)


def _with_calls(recipe: Any) -> int:
    from errata.runs.runner import synthesize

    summary = asyncio.run(synthesize(recipe))
    assert summary.exit_code == 0, summary
    return int(summary.problems["done"]) - summary.settled_before


def _one(folder: Path, size: int, base: str | None) -> None:
    """One run in this process; prints peak memory in bytes, seconds, CPU seconds and problems settled."""
    gc.set_threshold(5_000, 20, 20)
    recipe = _recipe(folder, size, base)
    started, cpu = time.perf_counter(), time.process_time()
    settled = _with_calls(recipe) if base else _without_calls(recipe)
    figures = {
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "settled": settled,
    }
    print(json.dumps(figures))


def _measured(folder: Path, size: int, base: str | None) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.scale", "--one", str(folder), str(size), *([base] if base else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(sizes: tuple[int, ...], base: str | None) -> bool:
    """Prints the table; True where the growth stays within the bound."""
    peaks: dict[str, dict[int, float]] = {"run": {}, "resume": {}}
    print("| problems | | seconds | CPU ms a problem | peak memory |\n|---|---|---|---|---|")
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _write_problems(folder / f"{size}.jsonl", size)
            for what, kept in peaks.items():
                figures = _measured(folder, size, base)
                assert figures["settled"] == (size if what == "run" else 0), figures
                kept[size] = figures["peak"]
                shown = f"{figures['seconds']:.0f} | {figures['cpu'] / size * 1e3:.2f} | {figures['peak'] / 2**20:.1f}"
                print(f"| {size:,} | {what} | {shown} MiB |", flush=True)
    within = True
    for what, kept in peaks.items():
        for small, large in pairwise(sizes):
            growth = kept[large] - kept[small]
            within &= growth <= SLACK + BOUND * (large - small)
            print(f"{what}: {growth / (large - small):.0f} bytes a problem from {small:,} to {large:,}")
    print(f"bound: {BOUND} bytes a problem; {'kept' if within else 'MISSED'}")
    return within


def main(arguments: list[str]) -> bool:
    from benchmarks.__main__ import machine
    from benchmarks.stub import stub

    print(machine())
    sizes = tuple(int(argument) for argument in arguments if argument != "--calls")
    if "--calls" in arguments:
        with stub(0.0) as base:
            return measure(sizes or SIZES_WITH_CALLS, base)
    return measure(sizes or SIZES, None)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _one(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else None)
    else:
        raise SystemExit(not main(sys.argv[1:]))
