"""Claims: the comparisons that a study names before it looks, and corrects for one another; all else is exploratory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from errata.config.base import Settings
from errata.config.overrides import validate
from errata.config.yaml_file import read_mapping
from errata.errors import UsageError

if TYPE_CHECKING:
    from errata.evals.pairing import Arm


class Claim(Settings):
    """One planned comparison: how `arm` does beside `control` on one task.

    `task` may be left out where there is one alone, `decoding` where each arm has one alone.
    """

    name: str
    arm: str
    control: str
    task: str | None = None
    decoding: str | None = None


class _File(Settings):
    claims: tuple[Claim, ...]


def read_claims(path: Path) -> list[Claim]:
    """The `claims` of a YAML file, such as the recipe of a study, whatever else stands in it.

    UsageError where there are none, or bad ones.
    """
    known = {key: value for key, value in read_mapping(path).items() if key in _File.model_fields}
    return unique(validate(_File, known, (), str(path)).claims)


class Planned(NamedTuple):
    """A claim with the arms and the task that it is about."""

    claim: Claim
    arm: Arm
    control: Arm
    task: str


def unique(claims: Sequence[Claim]) -> list[Claim]:
    """Each claim once, as several directories name the same. UsageError where one name stands for two."""
    by_name: dict[str, Claim] = {}
    for claim in claims:
        if by_name.setdefault(claim.name, claim) != claim:
            raise UsageError(
                f"two claims are called {claim.name}: {_words(by_name[claim.name])}, and {_words(claim)}",
                "a claim is named once, before its result is looked at",
                "give one of them another name; of eval directories, run the recipe that names them again",
            )
    return list(by_name.values())


def _words(claim: Claim) -> str:
    place = f" on {claim.task}" if claim.task else ""
    return f"{claim.arm} against {claim.control}{place}"


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
    arm, control = _arm(claim, claim.arm, arms), _arm(claim, claim.control, arms)
    for side in (arm, control):
        if any(task not in each.by_task for each in side.evals):
            raise UsageError(
                f"claim {claim.name}: {side.name} has no item of {task}",
                "both sides answer the same items",
                "evaluate it on that task",
            )
    return Planned(claim, arm, control, task)


def _arm(claim: Claim, name: str, arms: Sequence[Arm]) -> Arm:
    """The arm of this name, else of this label, with the claim's decoding where it names one."""
    fitting = [
        arm
        for arm in arms
        if name in (arm.name, arm.evals[0].manifest.label)
        and claim.decoding in (None, arm.evals[0].manifest.decoding.get("name"))
    ]
    exact = [arm for arm in fitting if arm.name == name]
    chosen = exact or fitting
    if len(chosen) != 1:
        found = "several arms are" if chosen else "no arm is"
        raise UsageError(
            f"claim {claim.name}: {found} called {name}" + (f" with {claim.decoding}" if claim.decoding else ""),
            "a claim is about one arm and one control",
            f"name one of {', '.join(arm.name for arm in arms)}" + (", or its decoding" if chosen else ""),
        )
    return chosen[0]
