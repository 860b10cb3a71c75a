"""Logs drawn from the model of the voters itself: how often the stated interval holds a truth that is known.

`python -m benchmarks.drawn_logs [--logs N] [--problems SIZE ...]`. Each log has parameters of its own: the share of
misconceptions, easy and hard problems, three authors, their reviews of each other, a check that abstains now and then.
Its truths are drawn from the posterior under those parameters, the odds of each likeliest answer times exp(e), with e
from the model's own error: all that the interval says it holds. Mark: held in 93 to 97 % of logs, at each size.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from benchmarks.__main__ import machine
from errata.evidence.ballots import Ballot, Ballots, Voter, gather
from errata.evidence.figures import MODEL_ERROR, estimated, figures_of
from errata.evidence.layout import Layout
from errata.evidence.priors import MISCONCEPTION, PROBLEMS_SEEN
from errata.evidence.read_log import Evidence
from errata.evidence.rules import rule_of
from errata.evidence.voters_model import MISLED, MISLED_CONCENTRATION, SLIP, Parameters, expectation
from errata.runs.acceptance import Acceptance

AUTHORS = "abc"
VOTERS = (Voter("arithmetic"), *(Voter(f"review:{name}", panel=True) for name in AUTHORS))
"""In the order in which a log has them."""
ABSTAINS, DRAWS = 0.2, 40
HELD = (0.93, 0.97)


def drawn_parameters(rng: np.random.Generator) -> Parameters:
    misled = rng.beta(MISCONCEPTION * PROBLEMS_SEEN, (1 - MISCONCEPTION) * PROBLEMS_SEEN)
    easy = rng.beta(7, 3)
    accuracy_LA = np.array([rng.beta(16, 4, 3), rng.beta(7, 13, 3), np.full(3, MISLED)])
    sensitivity = [rng.beta(6, 3) / 2 + 0.5, *rng.beta(12, 2, 3)]
    specificity = [rng.beta(3, 6), *rng.beta(6, 3, 3)]
    return Parameters(
        np.array([easy * (1 - misled), (1 - easy) * (1 - misled), misled]),
        accuracy_LA,
        np.array([*np.exp(rng.uniform(0, 2.5, 2)), MISLED_CONCENTRATION]),
        np.array([specificity, sensitivity]),
        np.array([rng.beta(2, 8), rng.beta(1, 30)]),
        float(rng.beta(1, 19)),
    )


def drawn_log(now: Parameters, problems: int, rng: np.random.Generator) -> Ballots:
    """Answers and votes as these parameters have them."""
    every = []
    for problem in range(problems):
        answers = drawn_answers(now, int(rng.choice(len(now.level_L), p=now.level_L)), rng)
        place = {answer: number for number, answer in enumerate(dict.fromkeys(answers))}
        every.append(
            [
                Ballot(f"{problem}.{author}", author, place[answer], drawn_votes(now, author, answer == 0, rng))
                for author, answer in zip(AUTHORS, answers, strict=True)
            ]
        )
    return gather(every)


def drawn_answers(now: Parameters, level: int, rng: np.random.Generator) -> list[int]:
    """One of each author: 0 is right, wrong ones coincide as in a Chinese restaurant, which is Ewens' formula."""
    answers, sizes = list[int](), list[int]()
    for accuracy in now.accuracy_LA[level]:
        if rng.random() < accuracy:
            answers.append(0)
            continue
        weights = np.array([*sizes, now.concentration_L[level]])
        chosen = int(rng.choice(len(weights), p=weights / weights.sum()))
        sizes[chosen : chosen + 1] = [sizes[chosen] + 1 if chosen < len(sizes) else 1]
        answers.append(1 + chosen)
    return answers


def drawn_votes(now: Parameters, author: str, right: bool, rng: np.random.Generator) -> dict[Voter, bool]:
    sound = right and rng.random() >= now.flawed
    as_one = rng.random() < now.together_Z[int(sound)]
    votes = {}
    for column, voter in enumerate(VOTERS):
        if voter.name == f"review:{author}" or (not voter.panel and rng.random() < ABSTAINS):
            continue
        chance = SLIP if voter.panel and as_one else now.right_ZJ[int(sound), column]
        votes[voter] = (rng.random() < chance) == sound
    return votes


def with_truth(ballots: Ballots, now: Parameters, error: float, rng: np.random.Generator) -> Ballots:
    """The log with one answer, or none, right in each problem."""
    chance_G = expectation(Layout.of(ballots), now).answer_LG.sum(0)
    right_G = np.zeros(len(chance_G), bool)
    for problem in range(ballots.problems):
        groups = np.unique(ballots.group_N[ballots.problem_N == problem])
        chances = np.append(chance_G[groups], max(0.0, 1 - chance_G[groups].sum()))
        chances[chances[:-1].argmax()] *= np.exp(error)
        chosen = int(rng.choice(len(chances), p=chances / chances.sum()))
        right_G[groups[chosen : chosen + 1]] = chosen < len(groups)
    return ballots.with_verdicts(right_G[ballots.group_N].astype(float))


def holds(problems: int, number: int) -> tuple[bool, float] | None:
    """Whether the interval of log `number` holds the realised precision of what `reliability` accepts, and by how much
    more is stated; None where nothing is accepted."""
    rng = np.random.default_rng([5, problems, number])
    now = drawn_parameters(rng)
    gold = with_truth(drawn_log(now, problems, rng), now, rng.normal(0.0, MODEL_ERROR), rng)
    evidence = Evidence(gold, gold.without_gold(), ())
    accepted = rule_of("reliability").accepts(evidence, Acceptance(rule="reliability"))
    if not accepted.any():
        return None
    stated = estimated(evidence, {"rule": accepted}, resamples=DRAWS, seed=number)["rule"]["precision"]
    value, low, high = (stated[key] or 0.0 for key in ("value", "low", "high"))
    true = figures_of(gold.gold_N, accepted)[0]
    return low <= true <= high, value - true


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=int, default=400, help="Logs of each size.")
    parser.add_argument("--problems", type=int, nargs="+", default=[30, 200, 1000], help="Sizes.")
    options = parser.parse_args()
    print(machine())
    print("\n| problems | logs | interval holds the truth | stated minus true, points |\n" + "|---" * 4 + "|")
    missed = []
    for problems in options.problems:
        logs = [each for number in range(options.logs) if (each := holds(problems, number))]
        held, off = (float(each) for each in np.mean(logs, axis=0))
        print(f"| {problems:,} | {len(logs)} | {100 * held:.1f} % | {100 * off:+.1f} |", flush=True)
        missed += [] if HELD[0] <= held <= HELD[1] else [f"{problems}: {100 * held:.1f} %"]
    print(f"\nmissed: {'; '.join(missed)}" if missed else "\nall marks reached")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
