"""Claims: the comparisons that a study names before it looks, and corrects for one another; all else is exploratory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

from pydantic import model_validator

from errata.config.base import Settings
from errata.config.overrides import validate
from errata.config.yaml_file import read_mapping
from errata.errors import UsageError, did_you_mean


class Claim(Settings):
    """One planned comparison: how `arm` does beside `control` on one task.

    `task` may be left out where there is one alone, `decoding` where each arm has one alone. `control_decoding` is the
    control's where that is another: weighted votes against the majority's are one arm with two decodings.
    """

    name: str
    arm: str
    control: str
    task: str | None = None
    decoding: str | None = None
    control_decoding: str | None = None

    @model_validator(mode="after")
    def _of_two(self) -> Self:
        arm, control = self.sides
        if arm == control:
            raise ValueError(f"claim {self.name} holds {self.arm} against itself: name another control or decoding")
        return self

    @property
    def sides(self) -> tuple[tuple[str, str | None], tuple[str, str | None]]:
        """The arm and the control, each with its decoding."""
        return (self.arm, self.decoding), (self.control, self.control_decoding or self.decoding)


def task_fault(claim: Claim, tasks: Collection[str], key: str) -> str | None:
    """What is wrong with the task that a claim names, in words. `key` is that of the tasks in the recipe."""
    if claim.task is None:
        return f"claim {claim.name} names no task, and there are {', '.join(tasks)}" if len(tasks) > 1 else None
    if claim.task in tasks:
        return None
    return f"claim {claim.name}: no task is called {claim.task}; {did_you_mean(claim.task, tasks, f'add it to {key}')}"


class _FileClaim(Claim):
    """A claim in a file: one of a study says more, which the study reads."""

    sign: str | None = None
    source: str | None = None
    equal: tuple[str, ...] = ()

    @property
    def claim(self) -> Claim:
        return Claim(**{name: getattr(self, name) for name in Claim.model_fields})


class _File(Settings):
    claims: tuple[_FileClaim, ...]


def read_claims(path: Path) -> list[Claim]:
    """The `claims` of a YAML file, such as the recipe of a study, whatever else stands in it.

    UsageError where there are none, or bad ones.
    """
    known = {key: value for key, value in read_mapping(path).items() if key in _File.model_fields}
    return unique([each.claim for each in validate(_File, known, (), str(path)).claims])


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
    return f"{' against '.join(side_words(*side) for side in claim.sides)}{place}"


def side_words(name: str, decoding: str | None) -> str:
    """One side of a claim: an arm, with its decoding where it is named."""
    return name if decoding is None else f"{name} ({decoding})"
