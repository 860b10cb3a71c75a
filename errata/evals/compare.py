"""Which model is better, by how much and how sure: paired, on the same items.

    directories -> arms (arms.py) -> a figure per arm and task -> a difference per pair of arms and task -> Holm

One answer per item is tested by McNemar, shares by flipping signs, three or more seeds by a t-test over them; intervals
come from a bootstrap over items, or over seeds and items. Two seeds are shown one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np

from errata.errors import UsageError
from errata.evals.capacity import capacity_notes
from errata.evals.comparison import Comparison, Difference, Figure, Interval
from errata.evals.pairing import Arm, Paired, arms_of, named_tasks, one_answer, paired, values_of
from errata.evals.results import Eval, Item, Manifest, read_eval
from errata.evals.stats import (
    RESAMPLES,
    Values,
    bootstrap,
    detectable_of_items,
    detectable_of_seeds,
    hierarchical_means,
    holm,
    mcnemar,
    mean,
    percentiles,
    sign_flip,
    t_over_seeds,
    wilson,
)
from errata.evals.voting import own_vote

Size = Literal["tokens", "cost"]
ALPHA = 0.05
ENOUGH_SEEDS = 3
NEARLY = 0.05
"""Trainings whose target tokens (or costs) differ by less count as equally large."""


def compare(
    evals: Sequence[str | Path | Eval],
    *,
    against: str | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    tasks: Sequence[str] | None = None,
    where: Mapping[str, str] | None = None,
    equal: Size | None = None,
    resamples: int = RESAMPLES,
    seed: int = 17,
) -> Comparison:
    """Compares eval directories, or JSONL files with `id` and `correct`, on the same items.

    Args:
        against: only differences to the arm of this name; by default every pair.
        pairs: only these differences, as (arm, against): the fewer are planned, the less Holm's correction takes.
        tasks: only these; by default all.
        where: only items whose meta says so, as `{"steps": "4"}`.
        equal: only arms whose training was of the same size as another's, and only differences between such: as many
            target tokens learned from, or data as costly, to within 5 %. The untouched student stays a row.
        resamples: of each bootstrap, drawn from `seed`.

    Raises UsageError where the item sets differ, naming the first missing ids, and where no two arms are `equal`.
    """
    read = named_tasks([each if isinstance(each, Eval) else read_eval(each) for each in evals])
    if where:
        read = [_narrowed(each, where) for each in read]
    arms = arms_of(read)
    planned = _planned(arms, against, pairs)
    if equal:
        planned = _of_equal_size(arms, planned, equal)
        arms = tuple(arm for arm in arms if arm.baseline or any(arm in pair for pair in planned))
    chosen = _tasks(arms, tasks)
    figures = [figure_of(arm, task, resamples, seed) for task in chosen for arm in arms]
    differences = [_difference(arm, other, task, resamples, seed) for task in chosen for arm, other in planned]
    notes = [f"only differences between trainings of equal {equal}, to within 5 %"] if equal else []
    notes += [*_notes(arms), *capacity_notes(planned)]
    return Comparison(arms, tuple(chosen), tuple(figures), tuple(_corrected(differences)), tuple(notes))


def _narrowed(one: Eval, where: Mapping[str, str]) -> Eval:
    items = tuple(item for item in one.items if all(str(item.meta.get(key)) == value for key, value in where.items()))
    if not items:
        conditions = ", ".join(f"{key}={value}" for key, value in where.items())
        known = sorted({key for item in one.items for key in item.meta} - {"question", "gold"})
        raise UsageError(
            f"{one.path} has no item with {conditions}",
            "nothing is left to compare",
            f"its items tell {', '.join(known)}",
        )
    return replace(one, items=items)


def _planned(
    arms: Sequence[Arm], against: str | None, pairs: Sequence[tuple[str, str]] | None
) -> list[tuple[Arm, Arm]]:
    """The arms to be compared, each with what it is held against. UsageError where there is no such arm."""
    named = {arm.name: arm for arm in arms}
    for name in [against] if against else [name for pair in pairs or () for name in pair]:
        if name not in named:
            raise UsageError(
                f"no arm is called {name}", "differences are taken to it", f"name one of {', '.join(named)}"
            )
    if pairs is not None:
        return [(named[arm], named[other]) for arm, other in pairs]
    if against is not None:
        return [(arm, named[against]) for arm in arms if arm.name != against]
    return [(arm, other) for other, arm in combinations(arms, 2)]


def _of_equal_size(arms: Sequence[Arm], planned: Sequence[tuple[Arm, Arm]], equal: Size) -> list[tuple[Arm, Arm]]:
    equal_pairs = [pair for pair in planned if _nearly(*(_size(arm, equal) for arm in pair))]
    if not equal_pairs:
        unit = {"tokens": "target tokens", "cost": "US dollars"}[equal]
        sizes = [(arm.name, _size(arm, equal)) for arm in arms]
        known = ", ".join(f"{name} {'unknown' if size is None else f'{size:,.10g}'}" for name, size in sizes)
        raise UsageError(
            f"no two arms of equal {equal}: {known}, in {unit}",
            "only trainings of the same size, to within 5 %, were asked for",
            "train one with --target_tokens of the other, or compare them all",
        )
    return equal_pairs


def _size(arm: Arm, equal: Size) -> float | None:
    return arm.target_tokens if equal == "tokens" else arm.cost_usd


def _tasks(arms: Sequence[Arm], wanted: Sequence[str] | None) -> list[str]:
    """The tasks in the order of the first arm. UsageError where a task is unknown, or an arm lacks it."""
    there = [list(dict.fromkeys(task for each in arm.evals for task in each.by_task)) for arm in arms]
    everything = list(dict.fromkeys(task for tasks in there for task in tasks))
    for task in wanted or ():
        if task not in everything:
            raise UsageError(f"no task is called {task}", "no result has it", f"name one of {', '.join(everything)}")
    chosen = list(wanted) if wanted else everything
    for arm, tasks in zip(arms, there, strict=True):
        missing = [task for task in chosen if task not in tasks]
        if missing:
            ids = [item.id for other in arms for each in other.evals for item in each.by_task.get(missing[0], ())][:3]
            raise UsageError(
                f"{arm.name} has no item of {', '.join(missing)}: {', '.join(ids)}, ... are missing",
                "a comparison is paired: both sides answer the same items",
                "evaluate it on that task, or compare only the tasks that all share (--task)",
            )
    return chosen


# ---- figures ---------------------------------------------------------------------------------------------------------


def interval_of(items: Sequence[Item], resamples: int = RESAMPLES, seed: int = 17) -> Interval:
    """Accuracy with Wilson's interval for one answer per item, with a bootstrap's for shares."""
    values = values_of(items)
    if one_answer(values):
        return Interval(mean(values), *wilson(int(values.sum()), len(values)), "wilson")
    return Interval(mean(values), *bootstrap(values, resamples, seed), "bootstrap")


def figure_of(arm: Arm, task: str, resamples: int = RESAMPLES, seed: int = 17) -> Figure:
    """One arm on one task it has."""
    groups = [each.by_task[task] for each in arm.evals if task in each.by_task]
    by_seed = [mean(values_of(group)) for group in groups]
    if len(groups) == 1:
        accuracy = interval_of(groups[0], resamples, seed)
    elif len(groups) < ENOUGH_SEEDS:
        accuracy = Interval(mean(by_seed), None, None, "none")
    else:
        keys = [[item.key for item in group] for group in groups]
        shared = all(set(each) == set(keys[0]) for each in keys)
        tables = [{item.key: float(item.correct) for item in group} for group in groups]
        seeds = [np.array([table[key] for key in (keys[0] if shared else table)]) for table in tables]
        accuracy = _over_seeds(seeds, shared, resamples, seed)
    everything = [item for group in groups for item in group]
    return Figure(
        arm.name,
        task,
        everything[0].meta.get("split"),
        len(groups[0]),
        accuracy,
        tuple(zip(arm.seeds, by_seed, strict=False)) if len(groups) > 1 else (),
        sum(item.truncated for item in everything),
        mean([item.tokens for item in everything]),
    )


def _over_seeds(seeds: Sequence[Values], shared: bool, resamples: int, seed: int) -> Interval:
    means = hierarchical_means(seeds, shared, resamples, np.random.default_rng(seed))
    return Interval(mean([mean(each) for each in seeds]), *percentiles(means), "hierarchical bootstrap")


# ---- differences -----------------------------------------------------------------------------------------------------


def _difference(arm: Arm, against: Arm, task: str, resamples: int, seed: int) -> Difference:
    both = paired(arm, against, task)
    gaps = [left - right for left, right in zip(both.left, both.right, strict=True)]
    bare = Difference(
        arm=arm.name,
        against=against.name,
        task=task,
        n=len(gaps[0]),
        difference=Interval(mean([mean(each) for each in gaps]), None, None, "none"),
        by_seed=(),
        only_arm=None,
        only_against=None,
        p=None,
        p_holm=None,
        test=None,
        detectable=0.0,
        verdict="too few seeds",
        equal_tokens=_nearly(_size(arm, "tokens"), _size(against, "tokens")),
        equal_cost=_nearly(_size(arm, "cost"), _size(against, "cost")),
    )
    if len(gaps) == 1:
        return _of_items(bare, both, gaps[0], resamples, seed)
    return _of_seeds(bare, both, gaps, resamples, seed)


def _of_items(bare: Difference, both: Paired, gaps: Values, resamples: int, seed: int) -> Difference:
    if both.one_answer:
        only_arm, only_against = int((gaps > 0).sum()), int((gaps < 0).sum())
        tested = replace(
            bare, only_arm=only_arm, only_against=only_against, p=mcnemar(only_arm, only_against), test="mcnemar"
        )
    else:
        tested = replace(bare, p=sign_flip(gaps, resamples, seed), test="sign-flip")
    return replace(
        tested,
        difference=Interval(mean(gaps), *bootstrap(gaps, resamples, seed), "bootstrap"),
        detectable=detectable_of_items(gaps),
    )


def _of_seeds(bare: Difference, both: Paired, gaps: Sequence[Values], resamples: int, seed: int) -> Difference:
    means = np.array([mean(each) for each in gaps])
    own = [Interval(mean(each), *bootstrap(each, resamples, seed), "bootstrap") for each in gaps]
    pooled = np.concatenate(gaps)
    # few seeds may agree by accident: what the items alone could not show, they do not either
    detectable = max(detectable_of_seeds(means), detectable_of_items(pooled))
    result = replace(bare, by_seed=tuple(zip(both.seeds, own, strict=True)), detectable=detectable)
    if len(gaps) < ENOUGH_SEEDS:
        return result
    result = replace(result, difference=_over_seeds(gaps, both.shared, resamples, seed))
    if np.ptp(means) == 0:
        return replace(result, p=sign_flip(pooled, resamples, seed), test="sign-flip")
    return replace(result, p=t_over_seeds(means), test="t over seeds")


def _nearly(left: float | None, right: float | None) -> bool | None:
    if left is None or right is None:
        return None
    return abs(left - right) <= NEARLY * max(left, right)


def _corrected(differences: Sequence[Difference]) -> list[Difference]:
    """Holm's correction over all that have a p, and what then can be said."""
    tested = [each.p for each in differences if each.p is not None]
    raised = iter(holm(tested) if tested else ())
    corrected = []
    for each in differences:
        if each.p is None:
            corrected.append(each)
            continue
        p_holm = next(raised)
        verdict: Literal["better", "worse", "no difference"] = "no difference"
        if p_holm < ALPHA:
            verdict = "better" if each.difference.value > 0 else "worse"
        corrected.append(replace(each, p_holm=p_holm, verdict=verdict))
    return corrected


def _notes(arms: Sequence[Arm]) -> list[str]:
    notes = []
    few = [arm.name for arm in arms if 1 < len(arm.evals) < ENOUGH_SEEDS]
    if few:
        notes.append(f"{', '.join(few)}: fewer than three seeds, shown one by one without an interval over them")
    if not any(arm.baseline for arm in arms) and any(arm.evals[0].manifest.model for arm in arms):
        notes.append("the untouched student is not among these")
    running = [each.name for arm in arms for each in arm.evals if each.manifest.status != "finished"]
    if running:
        notes.append(f"{', '.join(running)}: not finished")
    return [*notes, *_own_parts(arms)]


def _own_parts(arms: Sequence[Arm]) -> list[str]:
    """Notes of graders and votes of one's own, and of tasks that two sides had graded differently."""
    manifests = [each.manifest for arm in arms for each in arm.evals]
    notes = []
    for task in dict.fromkeys(task for manifest in manifests for task in manifest.tasks):
        graders = {_grader(manifest, task): None for manifest in manifests if task in manifest.tasks}
        if len(graders) > 1:
            names = ", ".join(name or "the shipped grader" for name in graders)
            notes.append(f"{task}: graded differently on the two sides, by {names}: differences may be the graders'")
        elif name := next(iter(graders)):
            notes.append(f"{task}: graded by {name}")
    votes = {str(vote): None for manifest in manifests if (vote := own_vote(manifest))}
    return [*notes, *(f"several samples are voted on by {vote}" for vote in votes)]


def _grader(manifest: Manifest, task: str) -> str | None:
    """A grader of one's own with the hash of its code."""
    name = manifest.tasks[task].get("grader")
    sha256 = manifest.code.get(str(name), {}).get("sha256")
    return None if name is None else f"{name} ({sha256})" if sha256 else str(name)
