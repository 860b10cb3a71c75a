"""How often verdicts, intervals and stated powers of `errata compare` are right, on simulated students.

Two students of equal skill (or one better by so many points) answer items, seed by seed. An item's difficulty decides
a part of every answer: `correlation` is that of two seeds of one student on one item (of the latent normal variables),
two students share half of it. A seed moves a student's accuracy up or down, with a standard deviation of `spread`.

    crossed            every seed of both students answers the same items
    nested             every seed has items of its own, both students the same
    one against many   the seeds of one student beside one checkpoint; claimed is the difference to that checkpoint
    one seed each      two checkpoints; claimed is their difference on other items

Of each cell of the grid: how often a difference is called where there is none, how often the interval holds the true
one (5 points), how often the difference that is stated as detectable with a power of 80 % is called, and how often p,
verdict and interval contradict each other. A cell beyond a mark is measured again, on five times as many data sets.
Then the ends: students that have nearly all right, where few items tell anything. There intervals may hold the truth
more often than stated, as Wilson's and exact ones do, not less often.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.stats import norm, t

from errata.evals.estimate import Estimate, over_items, over_seeds, over_seeds_and_items
from errata.evals.evidence import ALPHA, POWER, holm, noncentrality
from errata.evals.measure import accuracy_bounds
from errata.evals.paired_score import detectable_score, score_interval, score_p
from errata.evals.stats import Values
from errata.evals.two_parts import Parts, detectable_parts, p_of, parts_of, reach_of

ACCURACY, GAIN = 0.5, 0.05
CHUNK = 500
"""Data sets drawn at once."""
SPAN = 2.0
"""Of a difference: from -1 to 1."""
LOOKED_AT = 200
"""Data sets of which one result's detectable difference is found; of seeds it is found for all."""
TYPE_I, COVERAGE, AROUND = 0.06, (0.93, 0.97), 0.05
"""The marks: errors at most, coverage between, power within."""


class Cell(NamedTuple):
    """One point of the grid. `spread` is in accuracy (0.02: 2 points); `samples` per item, above 1 as shares.

    `accuracy` is that of both students where they are equal; a gain of GAIN is half of it above and below.
    """

    design: str
    seeds: int
    spread: float
    correlation: float
    items: int
    samples: int = 1
    accuracy: float = ACCURACY


FAMILIES = (
    Cell("crossed", 3, 0.02, 0.5, 50),
    Cell("crossed", 3, 0.05, 0.9, 500),
    Cell("one seed each", 1, 0.0, 0.5, 50),
)
"""Where families of claims are looked at."""


class Outcome(NamedTuple):
    """What each of X data sets gave."""

    value: Values
    low: Values
    high: Values
    p: Values


class Rates(NamedTuple):
    type_i: float
    coverage: float
    power: float
    detectable: float
    contradictions: int

    @property
    def kept(self) -> bool:
        """Whether all marks are reached."""
        return (
            self.type_i <= TYPE_I
            and COVERAGE[0] <= self.coverage <= COVERAGE[1]
            and abs(self.power - POWER) <= AROUND
            and self.contradictions == 0
        )


def grid() -> Iterator[Cell]:
    for spread in (0.0, 0.02, 0.05):
        for correlation in (0.0, 0.5, 0.9):
            for items in (50, 500):
                yield Cell("one seed each", 1, spread, correlation, items)
                for design in ("crossed", "nested", "one against many"):
                    for seeds in (3, 5, 12):
                        yield Cell(design, seeds, spread, correlation, items)
    for items in (50, 500):
        yield Cell("one seed each", 1, 0.02, 0.5, items, samples=5)


def ends() -> Iterator[Cell]:
    for accuracy in (0.95, 0.98):
        for design in ("crossed", "one against many"):
            for seeds in (3, 12):
                for correlation in (0.0, 0.5, 0.9):
                    for items in (50, 300):
                        yield Cell(design, seeds, 0.0, correlation, items, accuracy=accuracy)


# ---- simulated students ----------------------------------------------------------------------------------------------


def draw(cell: Cell, sets: int, gain: float, dice: np.random.Generator) -> tuple[Values, Values]:
    """Differences of `sets` data sets, XSN, and the true difference that each is about, X."""
    parts = [_draw(cell, min(CHUNK, sets - start), gain, dice) for start in range(0, sets, CHUNK)]
    gaps, truths = zip(*parts, strict=True)
    return np.concatenate(gaps), np.concatenate(truths)


def _draw(cell: Cell, sets: int, gain: float, dice: np.random.Generator) -> tuple[Values, Values]:
    item_sets = cell.seeds if cell.design == "nested" else 1
    common = _normal(dice, sets, item_sets, cell.items)
    sides, levels = [], []
    for sign, seeds in ((0.5, cell.seeds), (-0.5, 1 if cell.design == "one against many" else cell.seeds)):
        fixed = seeds == 1 and cell.seeds > 1
        moved = 0.0 if fixed else cell.spread * dice.standard_normal((sets, seeds, 1))
        level = np.broadcast_to(np.clip(cell.accuracy + sign * gain + moved, 0.001, 0.999), (sets, seeds, 1))
        own = _normal(dice, sets, item_sets, cell.items)
        difficulty = np.float32(np.sqrt(cell.correlation / 2)) * (common + own)
        answers = [
            difficulty + np.float32(np.sqrt(1 - cell.correlation)) * _normal(dice, sets, seeds, cell.items)
            < norm.ppf(level).astype(np.float32)
            for _ in range(cell.samples)
        ]
        sides.append(np.mean(answers, axis=0, dtype=np.float32) if cell.samples > 1 else answers[0].astype(np.int8))
        levels.append(level[:, :, 0])
    truth = (levels[0] - levels[1])[:, 0] if cell.seeds == 1 else np.full(sets, gain)
    return sides[0] - sides[1], truth


def _normal(dice: np.random.Generator, *shape: int) -> np.ndarray:
    return dice.standard_normal(shape, np.float32)


# ---- what compare says of them ---------------------------------------------------------------------------------------


def outcome(cell: Cell, gaps: Values, alpha: float = ALPHA) -> Outcome:
    """By the functions that compare uses, for all data sets at once."""
    if cell.seeds == 1 and cell.samples == 1:
        return _by_score(gaps[:, 0], alpha)
    estimate = estimated(cell, gaps)
    return _by_t(estimate, alpha) if isinstance(estimate, Estimate) else _by_parts(estimate, alpha)


def estimated(cell: Cell, gaps: Values) -> Estimate | Parts:
    """Means with their errors."""
    if cell.seeds == 1:
        return over_items(gaps[:, 0].astype(float), SPAN)
    if cell.design == "nested":
        return over_seeds(gaps.mean(axis=-1, dtype=float), cell.items, SPAN)
    single = cell.design == "one against many"
    parts = (gaps[at : at + CHUNK].astype(float) for at in range(0, len(gaps), CHUNK))
    chunks = [over_seeds_and_items(each, SPAN, single) for each in parts]
    value, seed, item = (np.concatenate([each[place] for each in chunks]) for place in range(3))
    return Parts(value, seed, item, cell.seeds, cell.items)


def _by_t(estimate: Estimate, alpha: float) -> Outcome:
    value, se, df = estimate
    reach = t.isf(alpha / 2, df) * se
    p = 2 * t.sf(np.abs(value) / se, df)
    return Outcome(value, value - reach, value + reach, p)


def _by_parts(parts: Parts, alpha: float) -> Outcome:
    value, reach = parts.value, reach_of(parts, alpha)
    return Outcome(value, value - reach, value + reach, p_of(parts))


def _by_score(gaps: Values, alpha: float) -> Outcome:
    won, lost, n = (gaps > 0).sum(axis=-1), (gaps < 0).sum(axis=-1), gaps.shape[-1]
    return Outcome((won - lost) / n, *score_interval(won, lost, n, alpha), score_p(won, lost))


def stated(cell: Cell, gaps: Values, alpha: float = ALPHA) -> float:
    """The difference that is said to be detectable: the root of its mean square over the data sets."""
    if cell.seeds > 1 or cell.samples > 1:
        estimate = estimated(cell, gaps)
        if isinstance(estimate, Estimate):
            return _typical(noncentrality(float(estimate.df[0]), alpha, POWER) * estimate.se)
        total = estimate.seed + estimate.item
        places, multiples = _multiples(cell.seeds, cell.items, alpha)
        return _typical(np.interp(estimate.seed / total, places, multiples) * np.sqrt(total))
    won, lost = ((sign * gaps[:LOOKED_AT, 0] > 0).sum(axis=-1) for sign in (1, -1))
    counts = zip(won, lost, strict=True)
    found = [detectable_score(int(one), int(other), cell.items, alpha, POWER) for one, other in counts]
    return _typical(np.array([np.nan if each is None else each for each in found]))


def _typical(values: Values) -> float:
    return float(np.sqrt(np.mean(values**2)))


@cache
def _multiples(seeds: int, items: int, alpha: float) -> tuple[Values, Values]:
    """Of a mean with variance 1 the detectable difference, by the seeds' share of the variance."""
    places = np.linspace(0.001, 1, 20)
    each = [detectable_parts(parts_of(0, share, 1 - share, seeds, items), alpha, POWER) for share in places]
    return places, np.array(each)


def rates(cell: Cell, sets: int, seed: int = 1, alpha: float = ALPHA) -> Rates:
    """Of `sets` data sets each: without a difference, with 5 points, and with what the first state as detectable."""
    numbers = cell[1:] if cell.accuracy != ACCURACY else cell[1:-1]
    dice = np.random.default_rng([seed, *(round(1000 * number) for number in numbers), *cell.design.encode()])
    level = cell._replace(spread=0.0) if cell.seeds == 1 else cell  # two checkpoints without a difference
    gaps = draw(level, sets, 0.0, dice)[0]
    nothing, detectable = outcome(cell, gaps, alpha), stated(cell, gaps, alpha)
    gaps, truth = draw(cell, sets, GAIN, dice)
    something = outcome(cell, gaps, alpha)
    enough = outcome(cell, draw(level, sets, detectable, dice)[0], alpha)
    return Rates(
        float(np.mean((nothing.low > 0) | (nothing.high < 0))),
        float(np.mean((something.low <= truth) & (truth <= something.high))),
        float(np.mean(enough.low > 0)),
        detectable,
        sum(contradictions(each, alpha) for each in (nothing, something)),
    )


def contradictions(one: Outcome, alpha: float) -> int:
    """Data sets whose interval leaves 0 out though p is not below alpha, or the reverse."""
    return int(np.sum(((one.low > 0) | (one.high < 0)) != (one.p < alpha)))


def end_rates(cell: Cell, sets: int) -> tuple[float, float]:
    """Errors where there is no difference, and how often the interval of one student's accuracy holds the true one."""
    dice = np.random.default_rng([round(1000 * number) for number in cell[1:]])
    nothing = outcome(cell, draw(cell, sets, 0.0, dice)[0])
    values = answers(cell, min(sets, CHUNK), dice)
    bounds = [accuracy_bounds(list(values_SN), shared=True) for values_SN in values]
    covered = np.mean([low <= cell.accuracy <= high for low, high in bounds])
    return float(np.mean((nothing.low > 0) | (nothing.high < 0))), float(covered)


def answers(cell: Cell, sets: int, dice: np.random.Generator) -> Values:
    """One student's answers under every seed, XSN: 1 where right."""
    common = np.sqrt(cell.correlation) * dice.standard_normal((sets, 1, cell.items))
    own = np.sqrt(1 - cell.correlation) * dice.standard_normal((sets, cell.seeds, cell.items))
    return np.asarray(common + own < norm.ppf(cell.accuracy), dtype=float)


# ---- families of claims ----------------------------------------------------------------------------------------------


def family_errors(cell: Cell, claims: int, families: int, seed: int = 1) -> tuple[float, int]:
    """Families of true nulls: how many have a claim that is called, and how often p and verdict contradict."""
    dice = np.random.default_rng([seed, claims])
    p_values = outcome(cell, draw(cell, families * claims, 0.0, dice)[0]).p.reshape(families, claims)
    called = contradicted = 0
    for row in p_values:
        corrected = holm(list(row))
        verdicts = [p < each.alpha for p, each in zip(row, corrected, strict=True)]
        called += any(verdicts)
        contradicted += sum(shown != (each.p < ALPHA) for shown, each in zip(verdicts, corrected, strict=True))
    return called / families, contradicted


# ---- the table -------------------------------------------------------------------------------------------------------


def measured(cell: Cell, sets: int) -> Rates:
    """The rates; of a cell beyond a mark those of five times as many data sets."""
    first = rates(cell, sets)
    return first if first.kept else rates(cell, 5 * sets, seed=2)


def row(cell: Cell, one: Rates) -> str:
    kind = cell.design + (f", {cell.samples} samples" if cell.samples > 1 else "")
    places = f"{kind} | {cell.seeds} | {100 * cell.spread:.0f} | {cell.correlation:.1f} | {cell.items}"
    shown = f"{100 * one.type_i:.1f} | {100 * one.coverage:.1f} | {100 * one.power:.0f} | {100 * one.detectable:.1f}"
    return f"| {places} | {shown} | {one.contradictions} |" + ("" if one.kept else " beyond a mark")


def main() -> bool:
    """Prints the table; True where every cell keeps the marks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=3000, help="simulated data sets of a cell")
    sets = parser.parse_args().sets
    started, kept = time.monotonic(), True
    print("| design | seeds | spread | correlation | items | type I, % | coverage, % | power, % | stated | wrong |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for cell in grid():
        one = measured(cell, sets)
        kept = kept and one.kept
        print(row(cell, one), flush=True)
    print("| near the end | seeds | accuracy, % | correlation | items | type I, % | coverage of the accuracy, % |")
    print("|---|---|---|---|---|---|---|")
    for cell in ends():
        error, covered = end_rates(cell, sets)
        places = f"{cell.design} | {cell.seeds} | {100 * cell.accuracy:.0f} | {cell.correlation:.1f} | {cell.items}"
        beyond = "" if error <= TYPE_I and covered >= COVERAGE[0] else " beyond a mark"
        kept = kept and not beyond
        print(f"| {places} | {100 * error:.1f} | {100 * covered:.1f} |{beyond}", flush=True)
    for cell in FAMILIES:
        error, contradicted = family_errors(cell, 12, sets // 3)
        kept = kept and error <= TYPE_I and contradicted == 0
        print(f"families of 12, {cell}: {100 * error:.1f} % with a false claim, {contradicted} contradictions")
    print(f"{time.monotonic() - started:.0f} s; marks {'kept' if kept else 'missed'}")
    return kept


if __name__ == "__main__":
    raise SystemExit(not main())
