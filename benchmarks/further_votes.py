"""What one more vote is worth, a review or a further sample: what is accepted without gold answers, at equal calls.

`python -m benchmarks.further_votes [--problems N] [--keep FOLDER]`. The lessons of benchmarks/soundness.py, whose blind
reviewers err together (`shared=0.3`), with one sample per teacher. Of every problem all votes are made once: the whole
panel's reviews, and two further samples of each teacher. What `votes: adaptive` asks for is then replayed from them by
the functions that a run goes by: reviews, samples or both, those that are worth most, as many as the budget allows. The
reviewers' order is learned from the first 30 problems, which count for nothing else.

All are judged on the same rationales, those that every teacher writes, by gold answers that no policy sees: accuracy
and precision of what is held right (over one half), and precision at the recall of what is held right without votes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from benchmarks.__main__ import machine
from benchmarks.seeds import SEEDS, over_seeds
from benchmarks.soundness import lesson, soundness_at
from errata.data.problems import Problems
from errata.evidence.ballots import Bools, Floats
from errata.evidence.figures import figures_of
from errata.grading.compare import compare
from errata.grading.grader import Grader
from errata.graphs.vote_policy import most_telling, replayed, without_votes
from errata.graphs.vote_worth import Case
from errata.records import draw
from errata.runs.recipe import SynthRecipe, recipe_of
from errata.runs.run_dir import RunDir
from errata.runs.runner import synthesize
from errata.runs.transcripts import read_transcripts
from errata.runs.warmup import cases_in

MORE, WARMUP = 2, 30
BUDGETS = (0.15, 0.3, 0.6)
"""Calls per rationale that every teacher writes."""
AT = 0.3
KINDS = ("reviews", "samples", "both")
COLUMNS = (
    *("votes", "calls per rationale", "accuracy", "precision", "recall", "precision at equal recall"),
    *("accuracy, gain", "precision at equal recall, gain"),
)


class Figures(NamedTuple):
    """Of what is held right, shares from 0 to 1, and how many further calls each rationale took."""

    calls: float
    accuracy: float
    precision: float
    recall: float
    at_recall: float
    """Precision of the most probable ones, up to the recall that there is without votes."""


Arms = Mapping[tuple[str, float], Sequence[Figures]]
"""By kind of votes and budget, of every seed."""


class Trace(NamedTuple):
    """A problem under one kind of votes: the judged rationales' chances of being right before any, and with each."""

    problem: str
    before: list[float]
    votes: list[tuple[float, list[float]]]
    """The highest price at which each is asked for, and the chances with it."""


# ---- one log ---------------------------------------------------------------------------------------------------------


def recipe(seed: int, problems: int, folder: Path) -> SynthRecipe:
    """A lesson in which every vote is made that a policy could ask for: all of its problems are warm-up."""
    data = lesson(seed, problems, folder)
    data["name"] = f"votes-{seed}"
    data["problems"]["gold"] = "none"
    data["settings"]["rationales"]["samples"] = 1
    data["settings"]["peer_review"] = {"votes": "adaptive", "more_samples": MORE, "warmup": problems}
    return recipe_of(data, Path(), "benchmarks.further_votes")


async def cases_of(run: RunDir, recipe: SynthRecipe) -> list[Case]:
    """The problems as a policy sees them, with all their votes."""
    async with Grader() as grader:
        return await cases_in(recipe, read_transcripts(run.log, run.index().in_input_order()), grader)


def allowed(case: Case, kind: str) -> Case:
    """The case with the votes of this kind alone."""
    if kind == "reviews":
        keep = [place for place, each in enumerate(case.rationales) if each.id not in case.extra]
        rationales, answers = (tuple(part[place] for place in keep) for part in (case.rationales, case.answers))
        return Case(case.problem, rationales, answers, case.judged)
    if kind == "samples":
        bare = tuple(each.model_copy(update={"reviews": ()}) for each in case.rationales)
        return case._replace(rationales=bare)
    return case


# ---- policies --------------------------------------------------------------------------------------------------------


def traced(case: Case, reviewers: Sequence[str]) -> Trace:
    """The case as its votes come in, each the one that is then worth most."""
    votes = [(each.worth, judged_chances(each.case)) for each in replayed(case, reviewers)]
    return Trace(case.problem.id, judged_chances(without_votes(case)), votes)


def judged_chances(case: Case) -> list[float]:
    """Of the judged rationales, in their order."""
    return [chance for each, chance in zip(case.rationales, case.chances(), strict=True) if each.id in case.judged]


def bought(traces: Sequence[Trace], calls: int) -> tuple[Floats, int]:
    """The chances of all judged rationales with the so many votes that are worth most, and how many were made.

    Of votes that are worth the same those of problems drawn by hash come first, so that all policies make as many.
    """
    order = sorted(
        (-worth, draw(0, trace.problem, "votes"), number, place)
        for place, trace in enumerate(traces)
        for number, (worth, _) in enumerate(trace.votes)
        if worth > 0
    )[:calls]
    taken = Counter(place for *_, place in order)
    rows = [trace.votes[taken[place] - 1][1] if taken[place] else trace.before for place, trace in enumerate(traces)]
    return np.array([chance for row in rows for chance in row]), len(order)


def figures(chance_N: Floats, right_N: Bools, calls: float, recall: float | None = None) -> Figures:
    """At a threshold of one half, and at a recall; None: that which the threshold has."""
    accepted_N = chance_N > 0.5
    precision, own_recall, accuracy = figures_of(right_N.astype(float), accepted_N)
    at_recall = soundness_at(own_recall if recall is None else recall, chance_N, right_N)
    return Figures(calls, accuracy, precision, own_recall, at_recall)


# ---- one seed --------------------------------------------------------------------------------------------------------


def measured(seed: int, problems: int, folder: Path) -> dict[tuple[str, float], Figures]:
    """By kind of votes and budget; `none` at 0."""
    asked = recipe(seed, problems, folder)
    run = RunDir(asyncio.run(synthesize(asked)).run)
    cases = asyncio.run(cases_of(run, asked))
    reviewers, cases = most_telling(cases[:WARMUP]), cases[WARMUP:]
    right_N = judged_right(cases, seed, problems, folder)
    traces = {kind: [traced(allowed(case, kind), reviewers) for case in cases] for kind in KINDS}
    without = figures(bought(traces["both"], 0)[0], right_N, 0.0)
    found = {("none", 0.0): without}
    for budget in BUDGETS:
        for kind in KINDS:
            chance_N, calls = bought(traces[kind], int(budget * len(right_N)))
            found[kind, budget] = figures(chance_N, right_N, calls / len(right_N), without.recall)
    return found


def judged_right(cases: Sequence[Case], seed: int, problems: int, folder: Path) -> Bools:
    """Whether each judged rationale's answer is the classroom's, which no policy sees."""
    known = recipe_of(lesson(seed, problems, folder), Path(), "benchmarks.further_votes").problems
    gold = {each.id: each for each in Problems(known, None)}
    return np.array(
        [
            compare("number", gold[case.problem.id].answer or "", each.answer or "").correct
            for case in cases
            for each in case.rationales
            if each.id in case.judged
        ]
    )


# ---- table -----------------------------------------------------------------------------------------------------------


def paired(one: Sequence[Figures], other: Sequence[Figures], name: str) -> str:
    """The difference of a figure over seeds in points with its t interval."""
    mean, low, high = over_seeds([100 * (getattr(a, name) - getattr(b, name)) for a, b in zip(one, other, strict=True)])
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def row(name: str, budget: float, seeds: Sequence[Figures], without: Sequence[Figures]) -> str:
    means = [100 * fmean(each) for each in zip(*seeds, strict=True)]
    gains = " | ".join(paired(seeds, without, figure) for figure in ("accuracy", "at_recall"))
    shares = " | ".join(f"{mean:.1f}" for mean in means[1:])
    return f"| {name} | {means[0] / 100:.2f} | {shares} | {gains if budget else ' | '} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=230, help=f"Problems per seed, {WARMUP} of them warm-up.")
    parser.add_argument("--keep", type=Path, help="A folder that holds runs, to go on from.")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        seeds = [measured(seed, options.problems, folder) for seed in range(SEEDS)]
    print("\n| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    arms = {arm: [each[arm] for each in seeds] for arm in seeds[0]}
    without = arms["none", 0.0]
    for (name, budget), figures_of_seeds in arms.items():
        print(row(name, budget, figures_of_seeds, without))
    print("\n| calls per rationale | samples - reviews | both - reviews | both - samples |\n|---|---|---|---|")
    for budget in BUDGETS:
        print(f"| {budget:g} | " + " | ".join(paired(*pair, "accuracy") for pair in pairs(arms, budget)) + " |")
    gains = ", ".join(f"{kind} {paired(arms[kind, AT], without, 'accuracy')}" for kind in KINDS)
    print(f"\n{SEEDS} seeds, accuracy at {AT:g} calls per rationale over none, points: {gains}")
    return 0


def pairs(arms: Arms, budget: float) -> list[tuple[Sequence[Figures], Sequence[Figures]]]:
    """Each kind with another at this budget."""
    names = (("samples", "reviews"), ("both", "reviews"), ("both", "samples"))
    return [(arms[one, budget], arms[other, budget]) for one, other in names]


if __name__ == "__main__":
    sys.exit(main())
