"""The schools in a folder, and what each has come to: `school.json` as it is written anew after every node."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from errata.errors import UsageError
from errata.runs.in_use import HOLDER, is_held
from errata.school.places import LOGS, node_of
from errata.school.record import FILE, Round, School, holds_school, read_school
from errata.steps.at_work import newest_log
from errata.view.found_runs import folders_in, written

MOST_CHARS = 300
"""Of a reason."""


@dataclass(frozen=True)
class RoundNow:
    """One round, as far as it has come. Shares are from 0 to 1, with 95 % intervals; null: not there yet."""

    name: str
    accuracy: tuple[float, float, float] | None
    gain: tuple[float, float, float] | None
    verdict: str | None
    teacher_tokens: int
    usd: float | None
    lesson: str | None
    """The place of its lesson among the runs."""


@dataclass(frozen=True)
class SchoolNow:
    """What stands in a school's folder now; `stopped` is null while it goes on or can go on."""

    name: str
    place: str
    stopped: str | None
    at_work: str | None
    """The node that a command is at, `round-2 train`; null where none is."""
    student: str | None
    rounds: tuple[RoundNow, ...]
    """The start first."""
    changed: float
    """Seconds since the epoch."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_schools(folder: Path) -> dict[str, Path]:
    """The schools in a folder by their place in it; the folder itself, where it is one, as its name.

    Links are not followed.
    """
    return folders_in(folder, holds_school)


def school_now(place: str, home: Path, folder: Path) -> SchoolNow:
    """What the record of a school in this folder says; a damaged one is told as the reason."""
    try:
        school, stopped = read_school(home), None
    except UsageError as error:
        school, stopped = School(name=home.name), str(error)
    reason = stopped or school.stopped
    return SchoolNow(
        name=school.name,
        place=place,
        stopped=None if reason is None else reason[:MOST_CHARS],
        at_work=at_work(home),
        student=school.student,
        rounds=(_start(school), *(_round(each, home, folder.resolve()) for each in school.rounds)),
        changed=changed(home),
    )


def at_work(home: Path) -> str | None:
    """The node that the command which holds the school has begun; None where no command does, or none is begun yet."""
    if not is_held(home):
        return None
    log = newest_log(home, LOGS, since=written(home / HOLDER))
    return node_of(log.stem) if log else None


def changed(home: Path) -> float:
    """When the record was last written, in seconds since the epoch."""
    return written(home / FILE)


def _start(school: School) -> RoundNow:
    at = school.start.accuracy
    accuracy = None if at is None else (at.value, at.low, at.high)
    return RoundNow("start", accuracy, None, None, 0, school.start.dollars, None)


def _round(done: Round, home: Path, folder: Path) -> RoundNow:
    at, gain = done.accuracy, done.gain
    return RoundNow(
        name=f"round {done.round}",
        accuracy=None if at is None else (at.value, at.low, at.high),
        gain=None if gain is None else (gain.difference, gain.low, gain.high),
        verdict=None if gain is None else gain.verdict,
        teacher_tokens=done.teacher_tokens,
        usd=done.dollars,
        lesson=None if done.lesson is None else os.path.relpath(home / done.lesson, folder),
    )
