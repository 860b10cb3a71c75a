"""How sound is what is accepted, at equal recall: the model of the voters against the panel and the grader alone.

`python -m benchmarks.soundness [--problems N] [--keep FOLDER]`. The classroom knows which rationales are sound: every
written step is true. A seed has three teachers, problems and replies of its own; reviewers are blind and err together
(`shared=0.3`), and one rationale in twenty is a lucky one. The model sees no gold answer.

Recall is the share of the sound rationales that is accepted: the panel's (mean score over 3). `reliability` accepts its
most probable rationales until it has that recall; of what the grader finds right any part is as sound as the whole.
Mark: `reliability` above both, the t interval over seeds clear of 0.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.__main__ import machine
from benchmarks.seeds import SEEDS, over_seeds
from errata.evidence.ballots import Bools, Floats
from errata.evidence.read_log import read_evidence
from errata.evidence.rules import rule_of
from errata.runs.acceptance import Acceptance
from errata.runs.recipe import recipe_of
from errata.runs.run_dir import RunDir
from errata.runs.runner import synthesize
from errata.runs.transcripts import read_transcripts

FACULTY, SHARED = 1620, 0.3


class Seed(NamedTuple):
    """Shares of one seed: soundness of what each accepts, and the panel's recall, at which `model` is read off."""

    rationales: int
    recall: float
    grader: float
    panel: float
    model: float
    rule: float
    """Of what `errata accept` takes by `reliability`, and its recall."""
    rule_recall: float


def lesson(seed: int, problems: int, folder: Path) -> dict[str, Any]:
    """The recipe of a seed's lesson as plain data."""
    models = [f"simulated/{name}?seed={FACULTY + seed}&shared={SHARED}" for name in ("ada", "ben", "cleo")]
    models[0] += "&misconceptions=5"
    return {
        "name": f"seed-{seed}",
        "runs": str(folder),
        "graph": "lesson",
        "stages": ["rationales", "peer_review"],
        "problems": {"source": "classroom", "options": {"count": problems, "seed": 100 + seed}},
        "agents": {"teachers": [{"name": f"teacher{n}", "model": model} for n, model in enumerate(models)]},
        "settings": {
            "rationales": {"samples": 2, "sampling": {"temperature": 0.8}},
            "peer_review": {"blind": True},
        },
        "seed": seed,
    }


def measured(seed: int, problems: int, folder: Path) -> Seed:
    recipe = recipe_of(lesson(seed, problems, folder), Path(), "benchmarks.soundness")
    run = RunDir(asyncio.run(synthesize(recipe)).run)
    evidence = read_evidence(run, hide_gold=True)
    known = {
        each.id: each.sound is True
        for transcript in read_transcripts(run.log, run.index().in_input_order())
        for each in transcript.rationales
    }
    sound = np.array([known[each] for each in evidence.ballots.ids])
    panel = rule_of("mean").accepts(evidence, Acceptance(rule="mean"))
    rule = rule_of("reliability").accepts(evidence, Acceptance(rule="reliability"))
    recall = recall_of(sound, panel)
    return Seed(
        len(sound),
        recall,
        float(sound[evidence.gold.gold_N == 1].mean()),
        float(sound[panel].mean()),
        soundness_at(recall, evidence.sound_N, sound),
        float(sound[rule].mean()),
        recall_of(sound, rule),
    )


def recall_of(sound: Bools, accepted: Bools) -> float:
    return float(sound[accepted].sum() / sound.sum())


def soundness_at(recall: float, chance_N: Floats, sound: Bools) -> float:
    """Share of sound ones among the most probable rationales that hold this share of all sound ones.

    Of those that are equally probable a part counts in proportion.
    """
    _, level_N = np.unique(-chance_N, return_inverse=True)
    number, good = np.cumsum(np.bincount(level_N)), np.cumsum(np.bincount(level_N, weights=sound))
    wanted = recall * good[-1]
    return float(wanted / np.interp(wanted, np.append(0, good), np.append(0, number)))


def compared(name: str, differences: list[float]) -> list[str]:
    """Prints a difference; returns the mark where it is missed."""
    mean, low, high = (100 * each for each in over_seeds(differences))
    print(f"| {name} | {mean:+.1f} | {low:+.1f} to {high:+.1f} |")
    return [] if low > 0 else [name]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=200, help="Problems per seed.")
    parser.add_argument("--keep", type=Path, help="A folder that holds runs, to go on from.")
    options = parser.parse_args()
    print(machine())
    print("\n| seed | rationales | recall | grader | panel | model | `reliability` (its recall) |\n" + "|---" * 7 + "|")
    seeds: list[Seed] = []
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(SEEDS):
            one = measured(seed, options.problems, options.keep or Path(temporary))
            shares = " | ".join(f"{100 * each:.1f}" for each in one[1:6])
            print(f"| {seed} | {one.rationales:,} | {shares} ({100 * one.rule_recall:.1f}) |", flush=True)
            seeds.append(one)
    print("\n| soundness at equal recall, points | mean | 95 %, t over seeds |\n|---|---|---|")
    missed = compared("model - grader alone", [one.model - one.grader for one in seeds])
    missed += compared("model - panel", [one.model - one.panel for one in seeds])
    print(f"\nmissed: {'; '.join(missed)}" if missed else "\nall marks reached")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
