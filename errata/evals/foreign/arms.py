"""Logs of other tools as evals: files of one model are one arm, and what repeats a task is a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from errata.evals.foreign.log import Log
from errata.evals.results import Eval, Item, Manifest
from errata.records import canonical


class Labelled(NamedTuple):
    """A log and its arm: as it was named, else None."""

    label: str | None
    log: Log


def to_evals(logs: Sequence[Labelled]) -> list[Eval]:
    """One eval per arm and seed, in the order of the logs: the n-th file of a task is of seed n.

    An arm is the label; without one the model, with the file's name where one task has files of several settings.
    """
    by_arm: dict[str, list[Log]] = {}
    for label, log in logs:
        by_arm.setdefault(label or _name(log, logs), []).append(log)
    return [each for arm, group in by_arm.items() for each in _seeds(arm, group)]


def _name(log: Log, logs: Sequence[Labelled]) -> str:
    source = log.source
    model = source.model or source.path.stem
    settings = {
        canonical(other.source.settings)
        for label, other in logs
        if label is None and (other.source.model, other.source.task) == (source.model, source.task)
    }
    return model if len(settings) == 1 else f"{model} ({source.path.stem})"


def _seeds(arm: str, logs: Sequence[Log]) -> list[Eval]:
    by_task: dict[str, list[Log]] = {}
    for log in logs:
        by_task.setdefault(log.source.task, []).append(log)
    number = max(map(len, by_task.values()))
    return [
        _eval(arm, seed if number > 1 else None, [group[seed] for group in by_task.values() if seed < len(group)])
        for seed in range(number)
    ]


def _eval(arm: str, seed: int | None, logs: Sequence[Log]) -> Eval:
    items: tuple[Item, ...] = tuple(item for log in logs for item in log.items)
    first = logs[0].source
    manifest = Manifest(
        name=arm if seed is None else f"{arm}, seed {seed}",
        label=arm,
        model=first.model,
        replicate=seed,
        status="finished" if all(log.source.finished for log in logs) else "running",
        tasks={log.source.task: {"n": len(log.items), "grader": f"{log.source.tool} {log.metric}"} for log in logs},
        versions={log.source.tool: log.source.version for log in logs if log.source.version},
    )
    return Eval(first.path, items, manifest)


def log_notes(logs: Sequence[Log]) -> list[str]:
    """Which score the files are read by where they have others, and what was left out without one."""
    notes = [
        f"{log.source.task}: read by {log.metric}; {log.source.tool} gave {', '.join(log.others)} too (--metric)"
        for log in logs
        if log.others
    ]
    lost = [
        f"{log.source.path}: {len(log.unscored)} items have no grade and are left out: {some(log.unscored)}"
        for log in logs
        if log.unscored
    ]
    return [*dict.fromkeys(notes), *lost]


def some(ids: Sequence[str], most: int = 3) -> str:
    """The first ids, and whether there are more."""
    return ", ".join(ids[:most]) + (", ..." if len(ids) > most else "")
