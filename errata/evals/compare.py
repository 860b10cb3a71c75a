"""Which model is better, by how much and how sure: paired, on the same items.

directories -> arms (pairing.py) -> a figure per arm and task, a difference per pair of arms and task (measure.py)
claims, named before, are corrected for one another by Holm; all other differences are exploratory
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Literal

from errata.errors import UsageError
from errata.evals.capacity import capacity_notes
from errata.evals.claims import Claim, unique
from errata.evals.comparison import Comparison, Difference
from errata.evals.evidence import holm
from errata.evals.measure import difference_of, figure_of, measured, nearly
from errata.evals.pairing import Arm, arms_of, named_tasks
from errata.evals.planned import Planned, plan
from errata.evals.results import QUESTION_META, Eval, Manifest
from errata.evals.sources import read_evals
from errata.evals.voting import own_vote

Size = Literal["tokens", "cost"]


def compare(
    evals: Sequence[str | Path | Eval],
    *,
    against: str | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    claims: Sequence[Claim] | None = None,
    tasks: Sequence[str] | None = None,
    where: Mapping[str, str] | None = None,
    equal: Size | None = None,
    metrics: Sequence[str] = (),
) -> Comparison:
    """Compares eval directories, JSONL files with `id` and `correct`, and other tools' logs on the same items.

    Args:
        against: of exploratory differences only those to the arm of this name; by default every pair.
        pairs: only these exploratory differences, as (arm, against).
        claims: the planned comparisons, corrected for one another; by default those that the directories' recipes name.
            Whatever is not one is exploratory and uncorrected.
        tasks: only these; by default all. Claims on others are still corrected for.
        where: only items whose meta says so, as `{"steps": "4"}`; then all is exploratory.
        equal: only arms whose training was of the same size as another's, and only differences between such: as many
            target tokens learned from, or data as costly, to within 5 %. The untouched student stays a row. Then all is
            exploratory.
        metrics: the scores to read other tools' logs by, each log by the first that it has; by default its first one.

    Raises UsageError where the item sets differ, naming the first missing ids, where no two arms are `equal`, and where
    `claims` name what is not there.
    """
    read, reading_notes = read_evals(evals, metrics)
    read = named_tasks(read)
    if where:
        read = [_narrowed(each, where) for each in read]
    if claims is not None and (where or equal):
        raise UsageError(
            "claims with where or equal",
            "a claim is about a whole task and the arms that it names",
            "leave one of the two out",
        )
    arms = arms_of(read)
    family, notes = _family(read, arms, claims, narrowed=bool(where or equal))
    exploratory = _pairs(arms, against, pairs)
    if equal:
        exploratory = _of_equal_size(arms, exploratory, equal)
        arms = tuple(arm for arm in arms if arm.baseline or any(arm in pair for pair in exploratory))
        notes = [f"only differences between trainings of equal {equal}, to within 5 %", *notes]
    chosen = _tasks(arms, tasks)
    figures = [figure_of(arm, task) for task in chosen for arm in arms]
    claimed = _claimed(family, chosen)
    rest = [
        difference_of(measured(arm, other, task))
        for task in chosen
        for arm, other in exploratory
        if not any({arm.name, other.name} == {each.arm, each.against} and each.task == task for each in claimed)
    ]
    differences = sorted([*claimed, *rest], key=lambda each: chosen.index(each.task))
    sides = [(each.arm, each.control) for each in family if each]
    notes += [*reading_notes, *_notes(arms), *capacity_notes([*sides, *exploratory]), *_own_parts(arms)]
    return Comparison(arms, tuple(chosen), tuple(figures), tuple(differences), tuple(notes))


# ---- claims ----------------------------------------------------------------------------------------------------------


def _family(
    read: Sequence[Eval], arms: Sequence[Arm], claims: Sequence[Claim] | None, narrowed: bool
) -> tuple[list[Planned | None], list[str]]:
    """The claims, None for each that cannot be looked at here, and notes on those.

    What is asked for raises UsageError where it is not there; what directories name is corrected for all the same.
    """
    every_task = list(dict.fromkeys(task for each in read for task in each.by_task))
    if claims is not None:
        return [plan(claim, arms, every_task) for claim in unique(claims)], []
    named = unique([claim for each in read for claim in each.manifest.claims])
    if narrowed:
        return [], ["all is exploratory: claims are about whole tasks and all their arms"] if named else []
    family: list[Planned | None] = []
    notes = []
    for claim in named:
        try:
            family.append(plan(claim, arms, every_task))
        except UsageError as error:
            family.append(None)
            notes.append(f"{error.found}; not looked at, but corrected for")
    return family, notes


def _claimed(family: Sequence[Planned | None], tasks: Sequence[str]) -> list[Difference]:
    """The claims on these tasks, corrected by Holm over the whole family. One that is not there has no evidence."""
    looked_at = [(each, measured(each.arm, each.control, each.task)) if each else None for each in family]
    corrected = holm([one[1].evidence.p if one else 1.0 for one in looked_at])
    return [
        difference_of(one[1], one[0].claim.name, level, len(family))
        for one, level in zip(looked_at, corrected, strict=True)
        if one and one[0].task in tasks
    ]


# ---- selection -------------------------------------------------------------------------------------------------------


def _narrowed(one: Eval, where: Mapping[str, str]) -> Eval:
    items = tuple(item for item in one.items if all(str(item.meta.get(key)) == value for key, value in where.items()))
    if not items:
        conditions = ", ".join(f"{key}={value}" for key, value in where.items())
        known = sorted({key for item in one.items for key in item.meta} - {*QUESTION_META})
        raise UsageError(
            f"{one.path} has no item with {conditions}",
            "nothing is left to compare",
            f"its items tell {', '.join(known)}",
        )
    return replace(one, items=items)


def _pairs(arms: Sequence[Arm], against: str | None, pairs: Sequence[tuple[str, str]] | None) -> list[tuple[Arm, Arm]]:
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
    equal_pairs = [pair for pair in planned if nearly(*(_size(arm, equal) for arm in pair))]
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


# ---- notes -----------------------------------------------------------------------------------------------------------


def _notes(arms: Sequence[Arm]) -> list[str]:
    notes = [
        f"{arm.name}: {_seeds(seeds)} repeat{'s' if len(seeds) == 1 else ''} the results of seed {of} and count as one"
        f" with it"
        for arm in arms
        for of in dict.fromkeys(of for _, of in arm.copies)
        if (seeds := [seed for seed, other in arm.copies if other == of])
    ]
    several = any(len(arm.distinct.evals) > 1 for arm in arms)
    for arm in arms:
        number = len(arm.distinct.evals)
        if number == 2:
            notes.append(f"{arm.name}: two seeds hardly tell how far seeds differ, so that its intervals are wide")
        elif number == 1 and several and not arm.baseline:
            notes.append(f"{arm.name}: one result is one draw; what is said of it is about this checkpoint")
    if not any(arm.baseline for arm in arms) and any(arm.evals[0].manifest.model for arm in arms):
        notes.append("the untouched student is not among these")
    running = [each.name for arm in arms for each in arm.evals if each.manifest.status != "finished"]
    if running:
        notes.append(f"{', '.join(running)}: not finished")
    return notes


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"


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
