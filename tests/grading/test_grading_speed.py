"""The short form of benchmarks/grading_speed.py: heavy LaTeX beside light LaTeX, in CPU time."""

from __future__ import annotations

import time

from benchmarks.grading_speed import Case, cases
from errata.grading.grader import Grader

COUNT = 200
ROUNDS = 4
MOST_TIMES_LIGHT = 3.0
"""The benchmark, on a quiet machine, holds 2."""


async def seconds_of(batch: list[Case]) -> float:
    """CPU time of this process for a batch that a new grader sees; nothing of it may need a worker."""
    async with Grader() as grader:
        begun = time.process_time()
        grades = [await grader.grade(*case) for case in batch]
        spent = time.process_time() - begun
    assert not [grade.rule for grade in grades if "math_verify" in grade.rule]
    return spent


async def test_heavy_latex_costs_at_most_three_times_what_light_latex_costs() -> None:
    rounds = [[await seconds_of(cases(share, seed, COUNT)) for share in (0.0, 1 / 3)] for seed in range(ROUNDS)]
    light, heavy = (min(times) for times in zip(*rounds, strict=True))

    assert heavy < MOST_TIMES_LIGHT * light
