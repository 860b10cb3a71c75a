"""Which eval directories are one arm, and which items of two arms belong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from errata.errors import UsageError
from errata.evals.results import Eval, Item, Key
from errata.evals.stats import Values
from errata.records import canonical

SHOWN = 3
"""Missing ids named at once."""


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


class Paired(NamedTuple):
    """The values of two arms on the same items, seed by seed. `shared`: every seed has the same items."""

    seeds: tuple[int, ...]
    left: list[Values]
    right: list[Values]
    shared: bool
    one_answer: bool
    """Every value is 0 or 1, as from one answer per item."""


def arms_of(evals: Sequence[Eval]) -> tuple[Arm, ...]:
    """The arms in the order given, the untouched student first.

    Directories of one label and one decoding with a seed each are one arm. UsageError where such a seed stands twice.
    """
    groups: dict[bytes, list[Eval]] = {}
    for place, each in enumerate(evals):
        alone = None if each.replicate is not None else place
        groups.setdefault(canonical([each.manifest.label, each.manifest.decoding, alone]), []).append(each)
    decodings = {canonical(each.manifest.decoding) for each in evals if each.manifest.decoding}
    names = [_name(group[0], len(decodings) > 1) for group in groups.values()]
    twice = {name for name, number in Counter(names).items() if number > 1}
    arms = [
        _arm(name if name not in twice else str(group[0].path), group)
        for name, group in zip(names, groups.values(), strict=True)
    ]
    return tuple(sorted(arms, key=lambda arm: not arm.baseline))


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
    return Arm(
        name,
        tuple(ordered),
        tuple(each.replicate or 0 for each in ordered),
        group[0].manifest.baseline,
        _mean_of(group, "target_tokens"),
        _mean_of(group, "cost_usd"),
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
    """Values of the same items in both arms. UsageError where the item sets or the seeds differ."""
    sides = seed_by_seed(left, right)
    by_key = [
        ({i.key: i for i in a.by_task.get(task, ())}, {i.key: i for i in b.by_task.get(task, ())}) for a, b in sides
    ]
    for (a, b), (ours, theirs) in zip(sides, by_key, strict=True):
        refuse_other_items(a, ours, b, theirs)
    keys = [list(ours) for ours, _ in by_key]
    shared = all(set(each) == set(keys[0]) for each in keys)
    orders = [keys[0] if shared else each for each in keys]
    lefts = [[ours[key] for key in order] for order, (ours, _) in zip(orders, by_key, strict=True)]
    rights = [[theirs[key] for key in order] for order, (_, theirs) in zip(orders, by_key, strict=True)]
    left_values, right_values = [values_of(each) for each in lefts], [values_of(each) for each in rights]
    return Paired(
        max(left.seeds, right.seeds, key=len),
        left_values,
        right_values,
        shared,
        all(one_answer(each) for each in (*left_values, *right_values)),
    )


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
    """Raises UsageError naming the first ids that only one side has, or that have another gold answer there."""
    for one, mine, other, others in ((a, ours, b, theirs), (b, theirs, a, ours)):
        missing = [key.id for key in mine if key not in others]
        if missing:
            task = next(iter(mine)).task
            names = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
            raise UsageError(
                f"{other.path} lacks {len(missing)} items of {one.path}"
                + (f", task {task}" if task else "")
                + f": {names}",
                "a comparison is paired: both sides answer the same items",
                "evaluate both on the same tasks and limits, or compare only tasks they share (--task)",
            )
    for key, item in ours.items():
        gold, other_gold = item.meta.get("gold"), theirs[key].meta.get("gold")
        if gold is not None and other_gold is not None and gold != other_gold:
            raise UsageError(
                f"{key.id}: the gold answer is {gold!r} in {a.path}, {other_gold!r} in {b.path}",
                "the two were graded against other answers",
                "evaluate both on the same version of the data",
            )
