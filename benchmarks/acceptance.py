"""Acceptance without gold answers: how good, at how many review calls, and how true what is stated of it.

`python -m benchmarks.acceptance` replays the released SVAMP committee. How true what is stated is, also of two further
logs, is benchmarks/coverage.py. Needs $ERRATA_DATA. Exits 1 where a mark is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.__main__ import machine
from benchmarks.coverage import RECIPES, evidence_in, table
from errata.evidence.audit import informative
from errata.evidence.ballots import Ballot, Ballots, Bools, Floats, Ints, Voter, gather
from errata.evidence.figures import estimated, figures_of
from errata.evidence.read_log import Evidence, read_evidence
from errata.evidence.rules import RULES, rule_of
from errata.runs.acceptance import Acceptance
from errata.runs.recipe import load_recipe
from errata.runs.run_dir import RunDir
from errata.runs.runner import synthesize
from errata.runs.transcripts import read_transcripts

ROUNDS, BUDGET = 6, 0.45
MOST_SECONDS, MOST_MIB = 60, 500


# ---- the committee ---------------------------------------------------------------------------------------------------


def asked_where_undecided(evidence: Evidence, budget: float) -> Evidence:
    """The evidence as if reviews had been asked round by round, each where the model is least sure of the text.

    A round asks one review at most of a problem's texts, of the reviewer who tells most by the fit so far.
    """
    ballots = evidence.ballots
    panel = np.flatnonzero([voter.panel for voter in ballots.voters]).astype(np.int32)
    asked_NJ = np.zeros((len(ballots), len(panel)), bool)
    per_round = int(budget * len(ballots)) // ROUNDS
    for _ in range(ROUNDS):
        current = masked(evidence, panel, asked_NJ)
        right_ZJ = current.model.parameters.right_ZJ
        counted = [voter for voter in ballots.voters if voter.counted]
        tells = np.array([right_ZJ[:, counted.index(ballots.voters[column])].sum() - 1 for column in panel])
        doubt_N = np.minimum(current.right_N, 1 - current.right_N)
        worth_NJ = doubt_N[:, None] * np.maximum(tells, 0.05) * (~asked_NJ & (ballots.votes_NJ[:, panel] != 0))
        for row, column in most_worth(worth_NJ, ballots.problem_N, per_round):
            asked_NJ[row, column] = True
    return masked(evidence, panel, asked_NJ)


def most_worth(worth_NJ: Floats, problem_N: Ints, number: int) -> list[tuple[int, int]]:
    """The reviews worth most, one of each problem at most."""
    chosen: dict[int, tuple[int, int]] = {}
    for row in np.argsort(-worth_NJ.max(1), kind="stable"):
        if len(chosen) == number or worth_NJ[row].max() <= 0:
            break
        chosen.setdefault(int(problem_N[row]), (int(row), int(worth_NJ[row].argmax())))
    return list(chosen.values())


def masked(evidence: Evidence, panel: Ints, asked_NJ: Bools) -> Evidence:
    """The evidence with the asked reviews alone."""
    votes_NJ = evidence.ballots.votes_NJ.copy()
    votes_NJ[:, panel] *= asked_NJ
    ballots = evidence.ballots.with_votes(votes_NJ, asked_NJ.sum(1).astype(np.int32))
    return Evidence(evidence.gold, ballots, evidence.reviews)


def one_other_agrees(evidence: Evidence) -> tuple[Bools, float]:
    """The anchor: agreement decides, and the panel's mean where exactly one other teacher agrees."""
    columns = [voter.name.startswith("agrees:") for voter in evidence.ballots.voters]
    agreeing_N = (evidence.ballots.votes_NJ[:, columns] > 0).sum(1)
    mean = rule_of("mean").accepts(evidence, Acceptance(rule="mean"))
    one = agreeing_N == 1
    return np.where(one, mean, agreeing_N > 1), float((evidence.ballots.reviews_N * one).mean())


def committee(evidence: Evidence) -> list[str]:
    """The table of the committee; returns the marks that are missed."""
    gold = evidence.gold.gold_N
    print(
        "\n| rule | reviews per rationale | accepted | precision | recall | accuracy | stated precision |\n"
        + "|---" * 7
        + "|"
    )
    for rule in RULES:
        accepted = rule.accepts(evidence, Acceptance(rule="mean"))
        row(rule.name, evidence, accepted, float(evidence.ballots.reviews_N.mean()) if rule.asks else 0.0)
    accepted, calls = one_other_agrees(evidence)
    row("panel where one other agrees", evidence, accepted, calls)
    few = asked_where_undecided(evidence, BUDGET)
    calls, best = float(few.ballots.reviews_N.mean()), (few.right_N > 0.5)
    row("probable (> 0.5), reviews where undecided", few, best, calls)
    curve = []
    for precision in np.arange(0.95, 0.9951, 0.005):
        accepted = rule_of("reliability").accepts(few, Acceptance(rule="reliability", precision=float(precision)))
        curve.append(figures_of(gold, accepted))
        row(f"reliability {precision:.3f}, reviews where undecided", few, accepted, calls)
    accuracy = figures_of(gold, best)[2]
    reached = max((recall for precision, recall, _ in curve if precision >= 0.96), default=0.0)
    print(f"\nat {calls:.2f} reviews: accuracy {100 * accuracy:.1f}, recall {100 * reached:.1f} at precision 96")
    missed = [] if accuracy >= 0.9 and calls <= BUDGET else [f"accuracy 90.0 at {BUDGET} reviews: {100 * accuracy:.1f}"]
    return [*missed, *([] if reached >= 0.87 else [f"recall 87 at precision 96: {100 * reached:.1f}"])]


ADAPTIVE = ("problems.gold=none", "stages=[rationales, peer_review]", "settings.peer_review.votes=adaptive")


def adaptive(known: Evidence, folder: Path) -> list[str]:
    """A whole run with `votes: adaptive` that never sees a gold answer, its warm-up counted; returns missed marks."""
    recipe = load_recipe(RECIPES / "svamp_committee.yaml", [f"runs={folder}", "name=adaptive", *ADAPTIVE])
    run = RunDir(asyncio.run(synthesize(recipe)).run)
    accepted = {
        each.id: each.accepted is True
        for transcript in read_transcripts(run.log, run.index().in_input_order())
        for each in transcript.rationales
    }
    truth = dict(zip(known.gold.ids, known.gold.gold_N, strict=True))
    blind = read_evidence(run)
    gold = blind.gold.with_verdicts(np.array([truth[each] for each in blind.gold.ids]))
    evidence = Evidence(gold, blind.ballots, blind.reviews)
    calls = float(evidence.ballots.reviews_N.mean())
    by_run = np.array([accepted[each] for each in evidence.ballots.ids])
    row("a run with votes: adaptive", evidence, by_run, calls)
    curve = []
    for precision in np.arange(0.95, 0.9951, 0.005):
        chosen = rule_of("reliability").accepts(evidence, Acceptance(rule="reliability", precision=float(precision)))
        curve.append(figures_of(gold.gold_N, chosen))
        row(f"its log, reliability {precision:.3f}", evidence, chosen, calls)
    accuracy = figures_of(gold.gold_N, by_run)[2]
    reached = max((recall for precision, recall, _ in curve if precision >= 0.96), default=0.0)
    missed = [] if accuracy >= 0.9 and calls <= BUDGET else [f"adaptive: {100 * accuracy:.1f} at {calls:.2f} reviews"]
    return [*missed, *([] if reached >= 0.87 else [f"adaptive: recall {100 * reached:.1f} at precision 96"])]


def row(name: str, evidence: Evidence, accepted: Bools, calls: float) -> None:
    precision, recall, accuracy = (100 * each for each in figures_of(evidence.gold.gold_N, accepted))
    stated = 100 * figures_of(evidence.right_N, accepted)[0]
    figures = f"{precision:.1f} | {recall:.1f} | {accuracy:.1f} | {stated:.1f}"
    print(f"| {name} | {calls:.2f} | {accepted.sum():,} | {figures} |", flush=True)


# ---- marks ----------------------------------------------------------------------------------------------------------


def audited(evidence: Evidence, problems: int = 100, logs: int = 5, marks: int = 20) -> list[str]:
    """How much twenty marks, true ones, narrow the interval in logs of a hundred of these problems."""
    settings, rng = Acceptance(rule="reliability"), np.random.default_rng(17)
    before, after, held = [], [], 0
    for _ in range(logs):
        ballots = evidence.gold.of_problems(rng.permutation(evidence.gold.problems)[:problems].tolist())
        log, truth = (
            Evidence(ballots, ballots.without_gold(), ()),
            dict(zip(ballots.ids, ballots.gold_N == 1, strict=True)),
        )
        seen = log.with_marks({name: bool(truth[name]) for name in informative(log, marks)})
        for one, widths in ((log, before), (seen, after)):
            accepted = {"reliability": rule_of("reliability").accepts(one, settings)}
            figure = estimated(one, accepted)["reliability"]["precision"]
            low, high = figure["low"] or 0.0, figure["high"] or 0.0
            widths.append(high - low)
        held += low <= figures_of(ballots.gold_N, accepted["reliability"])[0] <= high
    wide, narrow = 100 * float(np.mean(before)), 100 * float(np.mean(after))
    print(
        f"\n{marks} marks in {logs} logs of {problems} problems: the interval of the precision is {wide:.1f} points "
        f"wide before and {narrow:.1f} after, and then holds the realised precision in {held} of {logs}"
    )
    return [] if narrow < wide else ["marks do not narrow the interval"]


# ---- speed -----------------------------------------------------------------------------------------------------------


def many(number: int) -> Ballots:
    """So many rationales of three authors, two reviews and an arithmetic check each."""
    rng = np.random.default_rng(1)
    voters = [Voter(f"review:{name}", panel=True) for name in "abc"]
    check = Voter("arithmetic")
    problems = []
    for problem in range(number // 3):
        answers = [0 if rng.random() < accuracy else 1 + int(rng.integers(5)) for accuracy in (0.8, 0.7, 0.6)]
        groups = [list(dict.fromkeys(answers)).index(answer) for answer in answers]
        one = []
        for place, answer in enumerate(answers):
            votes = {voters[other]: (rng.random() < 0.8) == (answer == 0) for other in range(3) if other != place}
            one.append(Ballot(f"{problem}.{place}", "abc"[place], groups[place], votes | {check: rng.random() < 0.8}))
        problems.append(one)
    return gather(problems)


def speed(number: int = 100_000) -> list[str]:
    """Seconds and memory of the fit with its intervals."""
    ballots, before = many(number), time.perf_counter()
    evidence = Evidence(ballots, ballots, ())
    accepted = {"reliability": rule_of("reliability").accepts(evidence, Acceptance(rule="reliability"))}
    fitted = time.perf_counter() - before
    estimated(evidence, accepted)
    seconds, mib = time.perf_counter() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\n{number:,} rationales, {evidence.kinds.ballots.problems:,} kinds of problems: fit {fitted:.1f} s, with "
        f"intervals {seconds:.1f} s, peak memory of the process {mib:.0f} MiB"
    )
    missed = [] if fitted <= MOST_SECONDS else [f"fit of {number:,}: {fitted:.0f} s"]
    return [*missed, *([] if mib <= MOST_MIB else [f"memory {mib:.0f} MiB"])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resamples", type=int, default=200, help="Resamples for the interval's coverage; 0: none.")
    parser.add_argument("--keep", type=Path, help="A folder that holds runs and resamples, to go on from.")
    options = parser.parse_args()
    print(machine())
    missed = speed()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        svamp = evidence_in("svamp_committee.yaml", folder)
        missed += committee(svamp)
        missed += adaptive(svamp, folder)
        missed += audited(svamp)
        missed += table(options.resamples, folder) if options.resamples else []
    print(f"\nmissed: {'; '.join(missed)}" if missed else "\nall marks reached")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
