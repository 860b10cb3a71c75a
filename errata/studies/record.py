"""What of a study is done: a line per step in `steps.jsonl`, which a study goes on from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from errata.errors import EXIT_DONE, UsageError
from errata.runs.times import Times, iso
from errata.studies.steps import Step

RECORD = "steps.jsonl"


class Finish(NamedTuple):
    """How a step ended. `begun` is when the command that did it began, `elapsed` how long after that it ended."""

    step: str
    inputs: str
    code: int
    seconds: float
    begun: float
    elapsed: float


def read_record(home: Path) -> list[Finish]:
    """The steps that have ended, in order. A torn last line, of a process that was killed, is left out."""
    try:
        lines = (home / RECORD).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Finish(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def append(home: Path, finish: Finish) -> None:
    home.mkdir(parents=True, exist_ok=True)
    with (home / RECORD).open("a", encoding="utf-8") as file:
        file.write(json.dumps(finish._asdict()) + "\n")


def done(steps: Mapping[str, Step], record: list[Finish]) -> set[str]:
    """The steps that need not be done again.

    Raises UsageError where a lesson or training was made from other settings: its folder holds what the study does not
    describe. Evals are made again, since each of their directories knows what it is of.
    """
    ended = {finish.step: finish for finish in record if finish.code == EXIT_DONE}
    found = set()
    for name, step in steps.items():
        finish = ended.get(name)
        if finish is None or not step.out.exists():
            continue
        if finish.inputs == step.inputs:
            found.add(name)
        elif step.kind != "eval":
            raise UsageError(
                f"{step.out} was made from other settings",
                f"{name} has changed in the recipe since, or what it is made from has",
                f"give it another name in the recipe, or remove {step.out} to have it made again",
            )
    return found


def hours(record: Sequence[Finish]) -> float:
    """How long steps were at work, over all commands: of each, from its begin to its last step's end."""
    by_command: dict[float, float] = {}
    for finish in record:
        by_command[finish.begun] = max(by_command.get(finish.begun, 0.0), finish.elapsed)
    return sum(by_command.values()) / 3600


def times_of(record: Sequence[Finish]) -> Times | None:
    """When the steps ran, by their lines alone; None without a line. Time in which no step ended is in no line."""
    if not record:
        return None
    first, last = min(each.begun for each in record), max(each.begun + each.elapsed for each in record)
    begun, ended = (iso(datetime.fromtimestamp(moment, UTC)) for moment in (first, last))
    return Times(begun, ended, round(3600 * hours(record), 1))


def seconds_left(steps: Mapping[str, Step], pending: set[str], record: list[Finish], together: int) -> float | None:
    """How long the pending steps will take, by like ones that are done; None where some kind was never done."""
    known: dict[Any, list[float]] = {}
    for finish in record:
        if finish.code == EXIT_DONE and finish.step in steps:
            for like in _likes(steps[finish.step]):
                known.setdefault(like, []).append(finish.seconds)
    total = 0.0
    for name in pending:
        times = next((known[like] for like in _likes(steps[name]) if like in known), None)
        if times is None:
            return None
        total += sum(times) / len(times)
    return total / together


def _likes(step: Step) -> list[tuple[str, ...]]:
    """What a step's time is judged by, the likest first."""
    return [(step.kind, step.student, step.part), (step.kind, step.part), (step.kind,)]
