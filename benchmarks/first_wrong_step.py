"""How often the stage `locate` names the first wrong step in the classroom, by source and joined; the checker's truth.

The simulated rectifier finds a flaw by that same checker, so that `rewritten` is flattered beside real teachers. Each
of five seeds has other problems, teachers and replies. Mark: all sources joined above the arithmetic check alone, the t
interval over seeds clear of 0.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from benchmarks.__main__ import machine
from benchmarks.seeds import SEEDS, over_seeds
from errata.agents.team import build_team
from errata.classroom import problems as classroom
from errata.classroom.check_steps import judge
from errata.classroom.grammar import parse
from errata.grading.grader import Grader
from errata.grading.steps import step_at
from errata.graphs.pipeline import SHIPPED, ShippedSettings, build_pipeline, in_order
from errata.graphs.stages.step_model import RATES, Case, estimated, posterior
from errata.llm.budget import Budget
from errata.llm.gateway import Gateway
from errata.llm.spec import Agents, AgentSpec

FACULTY = 1620
SETTINGS = {"locate": {"prefixes": 3, "reviewers": True}, "dual_cot": {"corrupt": False, "tries": 1}}
STAGES = ("exam", "rationales", "dual_cot", "locate")


class Located(NamedTuple):
    truth: int
    case: Case


async def located(seed: int, problems: int) -> list[Located]:
    """Teachers' and the student's wrong rationales with their votes and the true first wrong step."""
    ada, ben, cleo, dan, pupil = (
        AgentSpec(name=name, model=f"simulated/{name}?seed={FACULTY + seed}")
        for name in ("ada", "ben", "cleo", "dan", "pupil")
    )
    agents = Agents(teachers=(ada, ben, cleo, dan), student=pupil)
    stages = in_order([stage for stage in SHIPPED if stage.name in STAGES])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        opened = Gateway.open(
            agents, seed=seed, budget=Budget(), concurrency=8, store=Path(folder) / "calls", ledger="b"
        )
        async with Grader() as grader, opened as gateway:
            team = build_team(agents, gateway, grader, seed=seed)
            graph = build_pipeline(stages, team, ShippedSettings.model_validate(SETTINGS))
            for problem in islice(classroom.problems({"seed": 100 + seed}), problems):
                puzzle = parse(problem.question)
                assert puzzle is not None
                for each in (await graph.ainvoke({"problem": problem}))["rationales"].values():
                    flaw = judge(puzzle, each.text).flaw
                    if each.wrong_step and flaw and each.role in ("student", "teacher"):
                        steps = each.wrong_step.steps
                        truth = step_at(steps, flaw.statement.start) if flaw.statement else len(steps) - 1
                        rows.append(Located(truth, Case(len(steps), each.wrong_step.votes)))
    return rows


def likeliest(case: Case, rates: dict = RATES, sources: tuple[str, ...] = tuple(RATES)) -> int:  # type: ignore[type-arg]
    chances = posterior(Case(case.steps, [vote for vote in case.votes if vote.source in sources]), rates)
    return max(range(case.steps), key=chances.__getitem__)


def alone(row: Located, source: str) -> float:
    """Share of the source's votes that name the step."""
    votes = [vote.step == row.truth for vote in row.case.votes if vote.source == source]
    return sum(votes) / len(votes) if votes else 0.0


def shares(seed: int, problems: int) -> dict[str, float]:
    """How often each way names the step, in the rationales of a seed; `number` of them."""
    rows = asyncio.run(located(seed, problems))
    rates = estimated([row.case for row in rows])
    free = ("arithmetic", "rewritten")
    ways: dict[str, Callable[[Located], float]] = {
        **{source: lambda row, source=source: alone(row, source) for source in RATES},  # type: ignore[misc]
        "joined, no call": lambda row: float(likeliest(row.case, sources=free) == row.truth),
        "joined": lambda row: float(likeliest(row.case) == row.truth),
        "joined, rates from agreement": lambda row: float(likeliest(row.case, rates) == row.truth),
    }
    return {"number": len(rows)} | {name: fmean(map(way, rows)) for name, way in ways.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=80, help="Problems per seed.")
    problems = parser.parse_args().problems
    print(machine())
    seeds = [shares(seed, problems) for seed in range(SEEDS)]
    print(f"\nwrong rationales per seed: {', '.join(str(each.pop('number')) for each in seeds)}")
    print("\n| by | exact step, % | 95 %, t over seeds |\n|---|---|---|")
    for name in seeds[0]:
        mean, low, high = (100 * each for each in over_seeds([seed[name] for seed in seeds]))
        print(f"| {name} | {mean:.1f} | {low:.1f} to {high:.1f} |")
    mean, low, high = (100 * each for each in over_seeds([seed["joined"] - seed["arithmetic"] for seed in seeds]))
    print(f"\njoined - arithmetic: {mean:.1f} points [{low:.1f}, {high:.1f}]")
    mean, low_best, high_best = (
        100 * each for each in over_seeds([seed["joined"] - max(seed[source] for source in RATES) for seed in seeds])
    )
    print(f"joined - the best source of the seed: {mean:.1f} points [{low_best:.1f}, {high_best:.1f}]")
    return int(low <= 0)


if __name__ == "__main__":
    raise SystemExit(main())
