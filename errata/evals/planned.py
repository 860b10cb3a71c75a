"""What a claim is about: its arms and its task, among those that were evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from errata.errors import UsageError
from errata.evals.claims import Claim
from errata.evals.pairing import Arm


class Planned(NamedTuple):
    """A claim with the arms and the task that it is about."""

    claim: Claim
    arm: Arm
    control: Arm
    task: str


def plan(claim: Claim, arms: Sequence[Arm], tasks: Sequence[str]) -> Planned:
    """The claim with what it is about. UsageError where no arm or task has its names, or several do."""
    if claim.task is None and len(tasks) > 1:
        raise UsageError(
            f"claim {claim.name} names no task", "a claim is about one", f"set its task: one of {', '.join(tasks)}"
        )
    task = claim.task or tasks[0]
    if task not in tasks:
        raise UsageError(
            f"claim {claim.name}: no task is called {task}", "no result has it", f"name one of {', '.join(tasks)}"
        )
    arm, control = (_arm(claim, *side, arms) for side in claim.sides)
    for side in (arm, control):
        if any(task not in each.by_task for each in side.evals):
            raise UsageError(
                f"claim {claim.name}: {side.name} has no item of {task}",
                "both sides answer the same items",
                "evaluate it on that task",
            )
    return Planned(claim, arm, control, task)


def _arm(claim: Claim, name: str, decoding: str | None, arms: Sequence[Arm]) -> Arm:
    """The arm of this name, else of this label, with the decoding where the claim names one."""
    fitting = [
        arm
        for arm in arms
        if name in (arm.name, arm.evals[0].manifest.label)
        and decoding in (None, arm.evals[0].manifest.decoding.get("name"))
    ]
    exact = [arm for arm in fitting if arm.name == name]
    chosen = exact or fitting
    if len(chosen) != 1:
        fault = "several arms are" if chosen else "no arm is"
        raise UsageError(
            f"claim {claim.name}: {fault} called {name}" + (f" with {decoding}" if decoding else ""),
            "a claim is about one arm and one control",
            f"name one of {', '.join(arm.name for arm in arms)}" + (", or its decoding" if chosen else ""),
        )
    return chosen[0]
