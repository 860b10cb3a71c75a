"""How often the stage `locate` names the first wrong step in the classroom, by source and joined; the checker's truth.

The simulated rectifier finds a flaw by that same checker, so that `rewritten` is flattered beside real teachers.
Mark: all sources joined above the arithmetic check alone, the interval (problems resampled) clear of 0.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

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

PROBLEMS, RESAMPLES = 80, 1000
SETTINGS = {"locate": {"prefixes": 3, "reviewers": True}, "dual_cot": {"corrupt": False, "tries": 1}}
STAGES = ("exam", "rationales", "dual_cot", "locate")


class Located(NamedTuple):
    problem: str
    truth: int
    case: Case


async def located() -> list[Located]:
    """Teachers' and the student's wrong rationales with their votes and the true first wrong step."""
    teachers = tuple(AgentSpec(name=name, model=f"simulated/{name}") for name in ("ada", "ben", "cleo", "dan"))
    agents = Agents(teachers=teachers, student=AgentSpec(name="pupil", model="simulated/pupil"))
    stages = in_order([stage for stage in SHIPPED if stage.name in STAGES])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        opened = Gateway.open(agents, seed=17, budget=Budget(), concurrency=8, store=Path(folder) / "calls", ledger="b")
        async with Grader() as grader, opened as gateway:
            team = build_team(agents, gateway, grader, seed=17)
            graph = build_pipeline(stages, team, ShippedSettings.model_validate(SETTINGS))
            for problem in islice(classroom.problems({}), PROBLEMS):
                puzzle = parse(problem.question)
                assert puzzle is not None
                for each in (await graph.ainvoke({"problem": problem}))["rationales"].values():
                    flaw = judge(puzzle, each.text).flaw
                    if each.wrong_step and flaw and each.role in ("student", "teacher"):
                        steps = each.wrong_step.steps
                        truth = step_at(steps, flaw.statement.start) if flaw.statement else len(steps) - 1
                        rows.append(Located(problem.id, truth, Case(len(steps), each.wrong_step.votes)))
    return rows


def likeliest(case: Case, rates: dict = RATES, sources: tuple[str, ...] = tuple(RATES)) -> int:  # type: ignore[type-arg]
    chances = posterior(Case(case.steps, [vote for vote in case.votes if vote.source in sources]), rates)
    return max(range(case.steps), key=chances.__getitem__)


def alone(row: Located, source: str) -> float:
    """Share of the source's votes that name the step."""
    votes = [vote.step == row.truth for vote in row.case.votes if vote.source == source]
    return sum(votes) / len(votes) if votes else 0.0


def interval(rows: list[Located], value: Callable[[Located], float]) -> tuple[float, float]:
    """95 % by resampling problems."""
    by_problem: dict[str, list[float]] = {}
    for row in rows:
        by_problem.setdefault(row.problem, []).append(value(row))
    groups, dice = list(by_problem.values()), random.Random(0)
    means = []
    for _ in range(RESAMPLES):
        drawn = [each for group in dice.choices(groups, k=len(groups)) for each in group]
        means.append(sum(drawn) / len(drawn))
    means.sort()
    return means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]


def main() -> int:
    rows = asyncio.run(located())
    rates = estimated([row.case for row in rows])
    free = ("arithmetic", "rewritten")
    ways: dict[str, Callable[[Located], float]] = {
        **{source: lambda row, source=source: alone(row, source) for source in RATES},  # type: ignore[misc]
        "joined, no call": lambda row: float(likeliest(row.case, sources=free) == row.truth),
        "joined": lambda row: float(likeliest(row.case) == row.truth),
        "joined, rates from agreement": lambda row: float(likeliest(row.case, rates) == row.truth),
    }
    print(f"{len(rows)} wrong rationales\n\n| by | exact step | 95 % |\n|---|---|---|")
    for name, way in ways.items():
        low, high = interval(rows, way)
        print(f"| {name} | {sum(map(way, rows)) / len(rows):.3f} | {low:.3f} to {high:.3f} |")
    low, high = interval(rows, lambda row: ways["joined"](row) - alone(row, "arithmetic"))
    print(f"\njoined - arithmetic: {low:.3f} to {high:.3f}")
    return int(low <= 0)


if __name__ == "__main__":
    raise SystemExit(main())
