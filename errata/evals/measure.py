"""Figures and differences of arms: each design of seeds and items by the method that is right for it.

    one seed each       answers: paired score     shares: t over items   these two checkpoints on other items
    crossed             two-way analysis of variance, seeds x items      other seeds and other items
    one against many    the same                                         ... against that one checkpoint
    nested              t over the seeds' differences                    other seeds with items of their own

`python -m benchmarks.verdicts` measures how often they are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from errata.evals.comparison import Difference, Figure, Interval, Method
from errata.evals.estimate import FEW, departures, over_items, over_seeds, over_seeds_and_items
from errata.evals.evidence import ALPHA, ByParts, ByScore, ByT, Corrected, Evidence, verdict_of
from errata.evals.pairing import Arm, Paired, in_order, one_answer, paired, values_of
from errata.evals.results import Item
from errata.evals.stats import NORMAL, Bounds, Values, mean, score_bounds, wilson
from errata.evals.two_parts import reach_of

NEARLY = 0.05
"""Trainings whose target tokens (or costs) differ by less count as equally large."""


# ---- one arm ---------------------------------------------------------------------------------------------------------


def interval_of(items: Sequence[Item]) -> Interval:
    """Accuracy with Wilson's interval for one answer per item, by t over items for shares."""
    values = values_of(items)
    if one_answer(values):
        return Interval(mean(values), *wilson(int(values.sum()), len(values)), "wilson")
    return Interval(mean(values), *ByT.of(over_items(values, 1.0), 0.0).interval(), "t over items")


def figure_of(arm: Arm, task: str) -> Figure:
    """One arm on one task it has. Seeds that repeat another are left out."""
    arm = arm.distinct
    groups = [each.by_task[task] for each in arm.evals if task in each.by_task]
    everything = [item for group in groups for item in group]
    return Figure(
        arm.name,
        task,
        everything[0].meta.get("split"),
        len(groups[0]),
        interval_of(groups[0]) if len(groups) == 1 else _over_seeds(groups),
        tuple((seed, mean(values_of(group))) for seed, group in zip(arm.seeds, groups, strict=False))
        if len(groups) > 1
        else (),
        sum(item.truncated for item in everything),
        mean([item.tokens for item in everything]),
    )


def _over_seeds(groups: Sequence[Sequence[Item]]) -> Interval:
    tables = [{item.key: float(item.correct) for item in group} for group in groups]
    shared, orders = in_order([list(table) for table in tables])
    seeds = [np.array([table[key] for key in order]) for table, order in zip(tables, orders, strict=True)]
    evidence, method = _of_several(seeds, shared, least=0.0)
    return Interval(evidence.value, *_at_least_wilsons(evidence, seeds, shared), method)


def accuracy_bounds(seeds: Sequence[Values], shared: bool) -> Bounds:
    """The 95 % interval of an accuracy over several seeds, whose items are the same or each seed's own."""
    return _at_least_wilsons(_of_several(seeds, shared, least=0.0)[0], seeds, shared)


def _at_least_wilsons(evidence: ByT | ByParts, seeds: Sequence[Values], shared: bool) -> Bounds:
    """The interval of an accuracy; where few items are right, or few wrong, nowhere narrower than Wilson's.

    Wilson's (stats.py) is that of as many independent answers as have the variance that was seen (Korn & Graubard,
    Survey Methodology 24, 1998). Where all answers are alike that says nothing, and answers to one item count once.
    """
    bounds, share = evidence.interval(), evidence.value
    answers = np.stack(seeds) if shared else np.concatenate(seeds)[None]
    if departures(answers, 1.0) >= FEW:
        return bounds
    n, z = float(answers.shape[1]), NORMAL
    if 0 < share < 1 and isinstance(evidence, ByParts):
        variance = float(evidence.parts.seed + evidence.parts.item)
        n = min(max(share * (1 - share) / variance, 1.0), float(answers.size))
        z = float(reach_of(evidence.parts, ALPHA)) / sqrt(variance)
    wilsons = score_bounds(share, n, z)
    return Bounds(max(0.0, min(bounds.low, wilsons.low)), min(1.0, max(bounds.high, wilsons.high)))


def _of_several(
    seeds: Sequence[Values], shared: bool, least: float, one_checkpoint: bool = False
) -> tuple[ByT | ByParts, Method]:
    """Of several seeds, whose values lie between `least` and 1."""
    span = 1 - least
    if not shared:
        means, fewest = np.array([mean(each) for each in seeds]), min(len(each) for each in seeds)
        return ByT.of(over_seeds(means, fewest, span), least), "t over seeds"
    values_SN = np.stack(seeds)
    if values_SN.shape[1] == 1:  # of one item nothing can be told about others
        return ByT.of(over_items(values_SN.mean(axis=0), span), least), "t over items"
    return ByParts(over_seeds_and_items(values_SN, span, one_checkpoint), least), "seeds x items"


# ---- two arms --------------------------------------------------------------------------------------------------------


class Measured(NamedTuple):
    """Two arms on one task: their paired values, and what these say."""

    arm: Arm
    against: Arm
    task: str
    both: Paired
    evidence: Evidence
    method: Method


def measured(arm: Arm, against: Arm, task: str) -> Measured:
    """UsageError where item sets or seeds differ."""
    both = paired(arm, against, task)
    if both.design == "one seed each":
        return Measured(arm, against, task, both, *_of_one(both.gaps[0], both.one_answer))
    single = both.design == "one against many"
    return Measured(arm, against, task, both, *_of_several(both.gaps, both.design != "nested", -1.0, single))


def _of_one(gaps: Values, answers: bool) -> tuple[Evidence, Method]:
    if answers:
        return ByScore(int((gaps > 0).sum()), int((gaps < 0).sum()), len(gaps)), "paired score"
    return ByT.of(over_items(gaps, 2.0)), "paired t over items"


def difference_of(
    one: Measured, claim: str | None = None, corrected: Corrected | None = None, family: int = 1
) -> Difference:
    """The difference with interval, p and verdict, all at one level: a claim's corrected one, else 95 %."""
    both, evidence = one.both, one.evidence
    alpha = corrected.alpha if corrected else ALPHA
    bounds = evidence.interval(alpha)
    return Difference(
        arm=one.arm.name,
        against=one.against.name,
        task=one.task,
        n=len(both.gaps[0]),
        difference=Interval(evidence.value, *bounds, one.method),
        by_seed=tuple(zip(both.seeds, _by_seed(both), strict=True)) if len(both.gaps) > 1 else (),
        only_arm=evidence.only_arm if isinstance(evidence, ByScore) else None,
        only_against=evidence.only_against if isinstance(evidence, ByScore) else None,
        design=both.design,
        covers=covers(one),
        p=evidence.p,
        p_adjusted=corrected.p if corrected else None,
        level=1 - alpha,
        detectable=evidence.detectable(ALPHA / family),
        verdict=verdict_of(bounds),
        claim=claim,
        equal_tokens=nearly(one.arm.target_tokens, one.against.target_tokens),
        equal_cost=nearly(one.arm.cost_usd, one.against.cost_usd),
    )


def _by_seed(both: Paired) -> list[Interval]:
    evidences = [_of_one(gaps, both.one_answer) for gaps in both.gaps]
    return [Interval(each.value, *each.interval(), method) for each, method in evidences]


def covers(one: Measured) -> str:
    """What the interval is about, in words."""
    both = one.both
    if both.design == "one seed each":
        return "these two checkpoints on other items; what other seeds would give, one seed cannot say"
    fixed = [arm.name for arm in (one.arm, one.against) if arm.one_checkpoint]
    items = "with items of their own" if both.design == "nested" else "and other items"
    if both.narrowed:
        items += f", measured on the {len(both.gaps[0])} items that all seeds share"
    if len(fixed) == 2:
        return f"these checkpoints, {' and '.join(fixed)}, {items.removeprefix('and ')}"
    against = f", beside this one checkpoint of {fixed[0]}" if fixed else ""
    return f"other seeds {items}{against}"


def nearly(left: float | None, right: float | None) -> bool | None:
    """Whether two sizes are equal to within 5 %; None where one is unknown."""
    if left is None or right is None:
        return None
    return abs(left - right) <= NEARLY * max(left, right)
