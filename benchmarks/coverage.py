"""Is it true what is stated? How often the stated interval of the precision holds the realised one, in resampled logs.

`python -m benchmarks.coverage` needs $ERRATA_DATA. The resamples stand in FOLDER/coverage.jsonl (`--keep`), one line
each, so that the same command goes on where it was ended; lines of another log or another model do not count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.__main__ import machine
from errata import evidence as package
from errata.evidence.ballots import Ballots, Ints
from errata.evidence.figures import estimated, figures_of, realised
from errata.evidence.read_log import Evidence, read_evidence
from errata.evidence.rules import rule_of
from errata.runs.acceptance import Acceptance
from errata.runs.recipe import load_recipe
from errata.runs.run_dir import RunDir
from errata.runs.runner import synthesize

RECIPES = Path(__file__).parents[1] / "recipes"
SHARE_OF_RESAMPLES, WITHIN = 0.93, 0.02
DRAWS = 40
"""Of the model behind each interval; fewer than in a report, where there are 100."""
JUDGES = ("ballots", "figures", "layout", "priors", "rules", "voters_model")
"""The modules whose code decides what a resample comes to."""
SETTINGS = Acceptance(rule="reliability")


class Log(NamedTuple):
    """A log with gold answers, and how many of its problems a resample holds; None: as many as there are."""

    name: str
    recipe: str
    overrides: tuple[str, ...] = ()
    problems: int | None = None


LOGS = (
    Log("committee", "svamp_committee.yaml"),
    Log("classroom", "lesson.yaml", ("limit=300",)),
    Log("MATH negatives", "math_negatives.yaml", ("limit=1200",), 200),
)


def evidence_in(recipe: str, folder: str | Path, overrides: Sequence[str] = ()) -> Evidence:
    """The evidence of a recipe that is run in this folder; the model sees no gold answer."""
    summary = asyncio.run(synthesize(load_recipe(RECIPES / recipe, [f"runs={folder}", *overrides])))
    return read_evidence(RunDir(summary.run), hide_gold=True)


# ---- one resample ----------------------------------------------------------------------------------------------------


def drawn(gold: Ballots, number: int, resample: int, *, copies: bool) -> Ints:
    """So many problems of a log. With copies a problem may come twice.

    The model takes copies for problems of their own, and their truth is one, so that the realised precision varies
    more than any model of problems can know. Without, each comes once at most.
    """
    rng = np.random.default_rng([17, resample, int(copies)])
    return rng.choice(gold.problems, size=number, replace=copies).astype(np.int32)


def judged(ballots: Ballots, resample: int) -> dict[str, float | None]:
    """Stated interval and realised precision of what `reliability` accepts at 0.95, the gold verdicts hidden."""
    evidence = Evidence(ballots, ballots.without_gold(), ())
    accepted = {"rule": rule_of("reliability").accepts(evidence, SETTINGS)}
    stated = estimated(evidence, accepted, resamples=DRAWS, seed=resample)["rule"]["precision"]
    truth = figures_of(ballots.gold_N, accepted["rule"])[0]
    return {**stated, "realised": None if np.isnan(truth) else truth}


def holds(line: dict[str, Any]) -> bool:
    """Whether the interval holds what was realised; where nothing is accepted there is nothing to hold."""
    return line["low"] is not None and line["realised"] is not None and line["low"] <= line["realised"] <= line["high"]


# ---- all of them -----------------------------------------------------------------------------------------------------


def key_of(gold: Ballots) -> str:
    """Of a log and of the code that judges it: lines with another key are those of another question."""
    code = [(Path(package.__path__[0]) / f"{name}.py").read_bytes() for name in JUDGES]
    arrays = (gold.problem_N, gold.author_N, gold.group_N, gold.votes_NJ, gold.gold_N)
    return sha256(b"".join([*code, *(each.tobytes() for each in arrays), str(DRAWS).encode()])).hexdigest()[:16]


def known(file: Path, about: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The resamples of this question that the file holds, by number."""
    lines = file.read_text().splitlines() if file.exists() else []
    found = [json.loads(line) for line in lines if line.endswith("}")]
    return {each["resample"]: each for each in found if about.items() <= each.items()}


def resampled(gold: Ballots, number: int, resamples: int, file: Path, *, copies: bool) -> Iterator[dict[str, Any]]:
    """The resamples of a log, those of the file first; each new one is added to it."""
    about = {"key": key_of(gold), "problems": number, "copies": copies}
    there = known(file, about)
    for resample in range(resamples):
        if resample not in there:
            ballots = gold.of_problems(drawn(gold, number, resample, copies=copies))
            there[resample] = about | {"resample": resample} | judged(ballots, resample)
            with file.open("a") as lines:
                lines.write(json.dumps(there[resample]) + "\n")
        yield there[resample]


def truthful(log: Log, evidence: Evidence, resamples: int, file: Path, *, halves: bool) -> list[str]:
    """The row of a log; returns the marks that it misses."""
    accepted = {"rule": rule_of("reliability").accepts(evidence, SETTINGS)}
    stated = estimated(evidence, accepted)["rule"]["precision"]
    real = (realised(evidence, accepted)["rule"] or {})["precision"]["value"] or 0.0
    value, low, high = (stated[key] or 0.0 for key in ("value", "low", "high"))
    number = log.problems or evidence.gold.problems
    lines = list(resampled(evidence.gold, number, resamples, file, copies=True))
    cells = [shares(lines)]
    if halves:
        cells.append(shares(list(resampled(evidence.gold, number // 2, resamples, file, copies=False))))
    print(
        f"| {log.name} | {len(evidence.gold):,} | {100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}] "
        f"| {100 * real:.1f} | {' | '.join(cells)} |",
        flush=True,
    )
    held = float(np.mean([holds(line) for line in lines]))
    missed = [] if abs(value - real) <= WITHIN else [f"{log.name}: stated {100 * value:.1f}, realised {100 * real:.1f}"]
    return missed + ([] if held >= SHARE_OF_RESAMPLES else [f"{log.name}: held in {held:.3f} of resamples"])


def shares(lines: Sequence[dict[str, Any]]) -> str:
    """How often it holds, how often the realised lies above and below, and by how much the stated is off on average."""
    whole = [line for line in lines if line["low"] is not None and line["realised"] is not None]
    above = sum(line["realised"] > line["high"] for line in whole)
    below = sum(line["realised"] < line["low"] for line in whole)
    off = 100 * np.mean([line["value"] - line["realised"] for line in whole]) if whole else np.nan
    held = sum(map(holds, lines))
    return f"{held} of {len(lines)} ({100 * held / len(lines):.1f} %); above {above}, below {below}; {off:+.1f}"


def table(resamples: int, folder: Path, *, halves: bool = False, logs: Sequence[Log] = LOGS) -> list[str]:
    """Prints a row per log; returns the marks that are missed."""
    names = ["log", "rationales", "stated precision", "realised", "holds it in resamples; stated minus realised"]
    names += ["in halves"] * halves
    print("\n| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|", flush=True)
    missed = []
    for log in logs:
        evidence = evidence_in(log.recipe, folder, log.overrides)
        missed += truthful(log, evidence, resamples, folder / "coverage.jsonl", halves=halves)
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resamples", type=int, default=200, help="Resamples of the problems of each log.")
    parser.add_argument("--halves", action="store_true", help="Also halves of each log, in which no problem is twice.")
    parser.add_argument("--log", choices=[log.name for log in LOGS], help="Of one log alone.")
    parser.add_argument("--keep", type=Path, help="A folder that holds runs and resamples, to go on from.")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        chosen = [log for log in LOGS if options.log in (None, log.name)]
        missed = table(options.resamples, folder, halves=options.halves, logs=chosen)
    print(f"\nmissed: {'; '.join(missed)}" if missed else "\nall marks reached")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
