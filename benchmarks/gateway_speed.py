"""Calls per second and CPU per call, as a ratio to a bare aiohttp client in the same run.

A stub server with 50 ms latency in a process of its own, 64 calls in flight, a fresh store. The rows take turns for
several rounds; the medians are shown.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

LATENCY_S = 0.05
IN_FLIGHT = 64
CALLS = 1920
ROUNDS = 5
MARK = 0.35
"""Ratio that graph, gateway and backend together must reach."""

Work = Callable[[int], Awaitable[int]]
"""Does what it does for the n-th time; gives the number of calls made."""


async def _timed(work: Work, calls_each: int, first: int) -> tuple[float, float]:
    """Calls per second and milliseconds of CPU per call."""
    numbers = iter(range(first, first + CALLS // calls_each))
    calls_sent = 0

    async def worker() -> None:
        nonlocal calls_sent
        for number in numbers:
            calls = await work(number)
            calls_sent += calls

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return calls_sent / (time.perf_counter() - started), (time.process_time() - cpu) / calls_sent * 1e3


async def _measure(base: str, folder: Path) -> dict[str, list[tuple[float, float]]]:
    import aiohttp

    from errata.agents.team import build_team
    from errata.grading.grader import Grader
    from errata.graphs.pipeline import build_pipeline
    from errata.graphs.stage import settings_model
    from errata.graphs.stages.peer_review import PEER_REVIEW
    from errata.graphs.stages.rationales import RATIONALES
    from errata.llm.budget import Budget
    from errata.llm.gateway import Gateway
    from errata.llm.request import Context, Request
    from errata.llm.spec import Agents, AgentSpec, Price
    from errata.records import Message, Problem

    price = Price(prompt=1, completion=2)
    teachers = [AgentSpec(name=name, model="openai/stub", api_base=base, price=price) for name in ("ada", "bob", "cat")]
    agents = Agents(teachers=teachers)
    opened = Gateway.open(
        agents, seed=17, budget=Budget(usd=1e6), concurrency=IN_FLIGHT, store=folder / "calls", ledger="speed"
    )
    unlimited = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=unlimited) as session, opened as ask, Grader() as grader:
        team = build_team(agents, ask, grader)
        pipelines = {
            stages[-1].name: build_pipeline(stages, team, settings_model(stages)(), stages[-1].name)
            for stages in ((RATIONALES,), (RATIONALES, PEER_REVIEW))
        }

        def question(number: int) -> str:
            return f"Problem {number}: Ada has {number} apples and buys twice as many. How many are there now? " * 3

        async def bare(number: int) -> int:
            body = {"model": "stub", "messages": [{"role": "user", "content": question(number)}]}
            async with session.post(f"{base}/chat/completions", json=body) as response:
                return len((await response.json())["choices"])

        async def gateway(number: int) -> int:
            messages = (Message(role="user", content=question(number)),)
            context = Context(problem_id=str(number), question="")
            await ask(Request(teachers[0], "solve", "rationales", context, "teacher/solve@1", "ab", messages, {}))
            return 1

        def through(name: str) -> Work:
            async def run(number: int) -> int:
                problem = Problem(
                    id=f"{name} {number}", task="t", question=question(number), answer="42", kind="number"
                )
                state = await pipelines[name].ainvoke({"problem": problem, "demonstrations": ()})
                return len(state["calls"])

            return run

        work: dict[str, tuple[Work, int]] = {
            "bare aiohttp client": (bare, 1),
            "gateway and backend": (gateway, 1),
            "graph `rationales`, gateway and backend": (through("rationales"), 3),
            "graph `peer_review`, gateway and backend": (through("peer_review"), 9),
        }
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
        for turn in range(ROUNDS + 1):
            for place, (name, (each, calls)) in enumerate(work.items()):
                first = (turn * len(work) + place) * CALLS
                result = await _timed(each, calls, first)
                if turn:  # the first round opens connections
                    measured[name].append(result)
    return measured


def main() -> bool:
    """Prints the table; True where the mark is reached."""
    from benchmarks.stub import stub

    os.environ["LANGSMITH_TRACING"] = "false"
    with tempfile.TemporaryDirectory() as folder, stub(LATENCY_S) as base:
        measured = asyncio.run(_measure(base, Path(folder)))
    speeds = {name: statistics.median(speed for speed, _ in rounds) for name, rounds in measured.items()}
    bare = speeds["bare aiohttp client"]
    print(f"{IN_FLIGHT} calls in flight, {LATENCY_S * 1e3:g} ms stub, medians of {ROUNDS} rounds of {CALLS} calls\n")
    print("| | calls/s | to bare | lowest-highest | CPU per call |\n|---|---|---|---|---|")
    for name, rounds in measured.items():
        pairs = zip(rounds, measured["bare aiohttp client"], strict=True)
        ratios = sorted(speed / bare_speed for (speed, _), (bare_speed, _) in pairs)
        cpu = statistics.median(ms for _, ms in rounds)
        figures = f"{speeds[name]:.0f} | {speeds[name] / bare:.2f} | {ratios[0]:.2f}-{ratios[-1]:.2f} | {cpu:.2f} ms"
        print(f"| {name} | {figures} |")
    lowest = min(speed for name, speed in speeds.items() if name.startswith("graph")) / bare
    reached = lowest >= MARK
    print(f"\nmark: {MARK} of bare with a graph; {'reached' if reached else 'MISSED'} with {lowest:.2f}")
    return reached


if __name__ == "__main__":
    raise SystemExit(not main())
