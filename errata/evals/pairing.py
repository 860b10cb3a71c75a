"""Which eval directories are one arm, which of its seeds are results of their own, and which items belong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from typing import Any, Literal, NamedTuple

import numpy as np

from errata.errors import UsageError
from errata.evals.results import Eval, Item, Key
from errata.evals.stats import Values
from errata.records import canonical

MOST_NAMES = 3
"""Missing ids named at once."""
OWN = 0.05
"""Seeds of which at most this share of items stands in several have items of their own: chance meetings."""
ACCIDENT = 0.001
"""Two seeds with the same grades are one result where chance would make such a pair more seldom than this."""

_GOLDS_AND_OPTIONS = (
    ("gold", "the gold answer is", "the two were graded against other answers"),
    ("answers", "the further gold answers are", "the two were graded against other answers"),
    ("choices", "the options are", "the two were asked another question"),
)
"""What an item's meta may hold of that, in words, and why two that differ in it are not compared."""

Design = Literal["one seed each", "crossed", "nested", "one against many"]
"""What was drawn: one result on each side; seeds on the same items; seeds with items of their own; one result beside
several seeds on its items."""


@dataclass(frozen=True)
class Arm:
    """One row of the table: one model, or several directories that differ in the seed of the training.

    `target_tokens` and `cost_usd` are those of the training, the mean over the seeds; None where they are not known.
    """

    name: str
    evals: tuple[Eval, ...]
    seeds: tuple[int, ...]
    baseline: bool
    target_tokens: float | None = None
    cost_usd: float | None = None

    copies: tuple[tuple[int, int], ...] = ()
    """Seeds that repeat an earlier one's results, each with that one."""

    @property
    def distinct(self) -> Arm:
        """The arm without seeds that repeat another."""
        return self.of_seeds(set(self.seeds) - dict(self.copies).keys())

    def of_seeds(self, seeds: Set[int]) -> Arm:
        chosen = [place for place, seed in enumerate(self.seeds) if seed in seeds]
        evals, numbers = tuple(self.evals[n] for n in chosen), tuple(self.seeds[n] for n in chosen)
        return replace(self, evals=evals, seeds=numbers, copies=())

    @property
    def one_checkpoint(self) -> bool:
        """Whether all its results are of the same weights, so that nothing is known of other seeds."""
        weights = {each.manifest.fingerprint for each in self.evals}
        return len(self.distinct.evals) == 1 or (len(weights) == 1 and None not in weights)


def copies_of(seeds: Sequence[int], evals: Sequence[Eval]) -> tuple[tuple[int, int], ...]:
    """The seeds whose results an earlier seed has already: every answer, or where none is known every grade.

    Grades alone are copies where all seeds agree, or where seeds that do not agree differ so often that two equal ones
    are no accident.
    """
    results = [_results(each) for each in evals]
    first: dict[bytes, int] = {}
    earlier = [first.setdefault(result, seed) for result, seed in zip(results, seeds, strict=True)]
    repeated = tuple((seed, of) for seed, of in zip(seeds, earlier, strict=True) if seed != of)
    if not repeated or len(first) == 1 or all(map(_answered, evals)):
        return repeated
    originals = [each for seed, each in zip(seeds, evals, strict=True) if seed in first.values()]
    apart = np.mean([_apart(one, other) for one, other in combinations(originals, 2)])
    copies = {seed for seed, _ in repeated}
    fewest = min(len(each.items) for seed, each in zip(seeds, evals, strict=True) if seed in copies)
    accident = comb(len(evals), 2) * (1 - apart) ** fewest
    return repeated if accident < ACCIDENT else ()


def _results(one: Eval) -> bytes:
    """What an eval holds of each item, in an order of its own."""
    rows = [
        [item.task, item.id, float(item.correct), item.answer, [(each.text, each.correct) for each in item.samples]]
        for item in one.items
    ]
    return canonical(sorted(rows, key=lambda row: (row[0], row[1])))


def _answered(one: Eval) -> bool:
    """Whether more than grades is known."""
    return any(item.answer is not None or item.samples for item in one.items)


def _apart(one: Eval, other: Eval) -> float:
    """The share of common items with another grade."""
    grades = {item.key: float(item.correct) for item in one.items}
    common = [(grades[item.key], float(item.correct)) for item in other.items if item.key in grades]
    return sum(mine != theirs for mine, theirs in common) / len(common) if common else 0.0


class Paired(NamedTuple):
    """Seed by seed the differences between two arms, item by item."""

    seeds: tuple[int, ...]
    gaps: list[Values]
    design: Design
    one_answer: bool
    """Every value is 0 or 1, as from one answer per item."""
    narrowed: bool
    """Seeds share a part of their items, and only that is compared."""


def arms_of(evals: Sequence[Eval]) -> tuple[Arm, ...]:
    """The arms in the order given, the untouched student first.

    Directories of one label and one decoding with a seed each are one arm. UsageError where such a seed stands twice.
    """
    groups: dict[bytes, list[Eval]] = {}
    for place, each in enumerate(evals):
        alone = None if each.replicate is not None else place
        groups.setdefault(canonical([each.manifest.label, _alike(each.manifest.decoding), alone]), []).append(each)
    decodings = {canonical(_alike(each.manifest.decoding)) for each in evals if each.manifest.decoding}
    names = [_name(group[0], len(decodings) > 1) for group in groups.values()]
    twice = {name for name, number in Counter(names).items() if number > 1}
    arms = [
        _arm(name if name not in twice else str(group[0].path), group)
        for name, group in zip(names, groups.values(), strict=True)
    ]
    return tuple(sorted(arms, key=lambda arm: not arm.baseline))


def _alike(decoding: Mapping[str, Any]) -> dict[str, Any]:
    """What the seeds of an arm share of a decoding: not the folder of a ranker that each seed has its own of."""
    return {key: value for key, value in decoding.items() if key != "ranker" or not decoding.get("ranker_label")}


def _name(one: Eval, tell_decoding: bool) -> str:
    decoding = one.manifest.decoding.get("name")
    return f"{one.manifest.label} ({decoding})" if tell_decoding and decoding else one.manifest.label


def _arm(name: str, group: list[Eval]) -> Arm:
    seeds = [each.replicate for each in group]
    for seed, number in Counter(seeds).items():
        if number > 1:
            paths = ", ".join(str(each.path) for each in group if each.replicate == seed)
            raise UsageError(
                f"{name}: {number} directories of seed {seed}: {paths}",
                "the seeds of an arm are different trainings",
                "leave one out, or give them labels of their own",
            )
    ordered = sorted(group, key=lambda each: each.replicate or 0)
    numbers = tuple(each.replicate or 0 for each in ordered)
    return Arm(
        name,
        tuple(ordered),
        numbers,
        group[0].manifest.baseline,
        _mean_of(group, "target_tokens"),
        _mean_of(group, "cost_usd"),
        copies_of(numbers, ordered),
    )


def _mean_of(group: Sequence[Eval], key: str) -> float | None:
    values = [(each.manifest.training or {}).get(key) for each in group]
    known = [float(value) for value in values if isinstance(value, int | float)]
    return sum(known) / len(known) if len(known) == len(values) else None


def named_tasks(evals: Sequence[Eval]) -> list[Eval]:
    """The evals with the tasks of files that name none taken from the others, where an id belongs to one task alone."""
    tasks: dict[str, set[str]] = {}
    for each in evals:
        for item in each.items:
            tasks.setdefault(item.id, set()).add(item.task)
    named = []
    for each in evals:
        if any(item.task for item in each.items):
            named.append(each)
            continue
        items = tuple(item.model_copy(update={"task": _only(tasks[item.id])}) for item in each.items)
        named.append(Eval(each.path, items, each.manifest, each.summary))
    return named


def _only(tasks: set[str]) -> str:
    named = sorted(tasks - {""})
    return named[0] if len(named) == 1 else ""


def values_of(items: Sequence[Item]) -> Values:
    return np.array([float(item.correct) for item in items])


def paired(left: Arm, right: Arm, task: str) -> Paired:
    """Left minus right on the same items. Seeds that repeat another are left out.

    UsageError where the item sets or the seeds differ.
    """
    seeds, sides = _distinct_sides(left, right)
    by_key = [
        ({i.key: i for i in a.by_task.get(task, ())}, {i.key: i for i in b.by_task.get(task, ())}) for a, b in sides
    ]
    for (a, b), (ours, theirs) in zip(sides, by_key, strict=True):
        refuse_other_items(a, ours, b, theirs)
    shared, orders = in_order([list(ours) for ours, _ in by_key])
    values = [
        (values_of([ours[key] for key in order]), values_of([theirs[key] for key in order]))
        for order, (ours, theirs) in zip(orders, by_key, strict=True)
    ]
    return Paired(
        seeds,
        [ours - theirs for ours, theirs in values],
        _design(sides, shared),
        all(one_answer(each) for both in values for each in both),
        shared and any(len(order) < len(ours) for order, (ours, _) in zip(orders, by_key, strict=True)),
    )


def _distinct_sides(left: Arm, right: Arm) -> tuple[tuple[int, ...], list[tuple[Eval, Eval]]]:
    """The seeds that repeat no other on either side, with the results of both."""
    seed_by_seed(left, right)  # refuses arms of different seeds
    ours, theirs = left.distinct, right.distinct
    if len(ours.evals) > 1 and len(theirs.evals) > 1:
        both = set(ours.seeds) & set(theirs.seeds)
        ours, theirs = ours.of_seeds(both), theirs.of_seeds(both)
    return max(ours.seeds, theirs.seeds, key=len), seed_by_seed(ours, theirs)


def _design(sides: Sequence[tuple[Eval, Eval]], shared: bool) -> Design:
    if len(sides) == 1:
        return "one seed each"
    if any(len({id(side[place]) for side in sides}) == 1 for place in (0, 1)):
        return "one against many"
    return "crossed" if shared else "nested"


def in_order(keys: Sequence[Sequence[Key]]) -> tuple[bool, list[list[Key]]]:
    """Whether the seeds share their items, and each seed's items: shared ones in one order for all.

    Seeds that share a part of theirs are looked at on that part. UsageError where no item is common to all of them.
    """
    first, rest = list(keys[0]), [set(each) for each in keys[1:]]
    if all(each == set(first) for each in rest):
        return True, [first] * len(keys)
    seeds_of = Counter(key for each in keys for key in each)
    if sum(number > 1 for number in seeds_of.values()) <= OWN * len(seeds_of):
        return False, [list(each) for each in keys]
    common = [key for key in first if all(key in each for each in rest)]
    if not common:
        several = sum(number > 1 for number in seeds_of.values())
        raise UsageError(
            f"{several} of {len(seeds_of)} items stand in several seeds, none in all of them",
            "seeds are compared on the same items, or each on its own",
            "evaluate every seed on one set of items, or each on a set of its own",
        )
    return True, [common] * len(keys)


def one_answer(values: Values) -> bool:
    """Whether every value is 0 or 1, however it was written."""
    return bool(np.isin(values, (0.0, 1.0)).all())


def seed_by_seed(left: Arm, right: Arm) -> list[tuple[Eval, Eval]]:
    """Each seed of one arm beside the same seed of the other; an arm of one directory stands beside all of them."""
    if len(left.evals) == 1 or len(right.evals) == 1:
        number = max(len(left.evals), len(right.evals))
        a = left.evals * number if len(left.evals) == 1 else left.evals
        b = right.evals * number if len(right.evals) == 1 else right.evals
        return list(zip(a, b, strict=True))
    if left.seeds != right.seeds:
        raise UsageError(
            f"{left.name} has the seeds {_listed(left.seeds)}, {right.name} has {_listed(right.seeds)}",
            "arms are compared seed by seed, so that what a seed decides for both cancels out",
            "train both on the same seeds, or leave out those that only one has",
        )
    return list(zip(left.evals, right.evals, strict=True))


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def refuse_other_items(a: Eval, ours: dict[Key, Item], b: Eval, theirs: dict[Key, Item]) -> None:
    """Raises UsageError naming the first ids that only one side has, or that have other golds or options there."""
    for one, mine, other, others in ((a, ours, b, theirs), (b, theirs, a, ours)):
        missing = [key.id for key in mine if key not in others]
        if missing:
            task = next(iter(mine)).task
            names = ", ".join(missing[:MOST_NAMES]) + (", ..." if len(missing) > MOST_NAMES else "")
            raise UsageError(
                f"{other.path} lacks {len(missing)} items of {one.path}"
                + (f", task {task}" if task else "")
                + f": {names}",
                "a comparison is paired: both sides answer the same items",
                "evaluate both on the same tasks and limits, or compare only tasks they share (--task)",
            )
    for key, item in ours.items():
        for field, name, why in _GOLDS_AND_OPTIONS:
            left, right = item.meta.get(field), theirs[key].meta.get(field)
            if left is not None and right is not None and left != right:
                raise UsageError(
                    f"{key.id}: {name} {left!r} in {a.path}, {right!r} in {b.path}",
                    why,
                    "evaluate both on the same version of the data",
                )
