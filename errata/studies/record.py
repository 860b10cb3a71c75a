"""What of a study need not be done again, and how long the rest will take, by the record of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from errata.errors import EXIT_DONE, UsageError
from errata.steps.record import Finish
from errata.studies.steps import Step

LOGS = "logs"
"""The folder of a study that holds a log per step."""


def log_name(step: str) -> str:
    """What a step's log is called, without its ending."""
    return step.replace(" ", "_")


def done(steps: Mapping[str, Step], record: list[Finish]) -> set[str]:
    """The steps that need not be done again.

    Raises UsageError where a lesson or training was made from other settings: its folder holds what the study does not
    describe. Evals and schools begin again, since each of their folders knows what it is of and keeps what still holds.
    """
    ended = {finish.step: finish for finish in record if finish.code == EXIT_DONE}
    names = set()
    for name, step in steps.items():
        finish = ended.get(name)
        if finish is None or not step.out.exists():
            continue
        if finish.inputs == step.inputs:
            names.add(name)
        elif step.kind not in ("eval", "school"):
            raise UsageError(
                f"{step.out} was made from other settings",
                f"{name} has changed in the recipe since, or what it is made from has",
                f"give it another name in the recipe, or remove {step.out} to have it made again",
            )
    return names


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
