"""The studies in a folder, and how far each is: the steps that have ended, those at work or cut off, and the claims."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from errata.config.files import open_own
from errata.errors import EXIT_DONE
from errata.runs.in_use import HOLDER, is_held
from errata.school.record import holds_school
from errata.steps.at_work import newest_line
from errata.steps.record import RECORD, Finish, read_record
from errata.studies.record import LOGS, log_name
from errata.studies.results import FILE
from errata.view.found_runs import folders_in, written

MOST_CHARS = 300
"""Of a claim."""
MOST_CLAIMS = 100
MOST_BYTES = 16 << 20
"""Of a study.json."""


@dataclass(frozen=True)
class ClaimNow:
    """What a study has found of one claim: shares from 0 to 1, the interval at the claims' own level."""

    name: str
    task: str
    difference: tuple[float, float, float]
    verdict: str


@dataclass(frozen=True)
class StudyNow:
    """What stands in a study's folder now. Steps are called as their logs are, without the ending."""

    name: str
    place: str
    done: int
    """Steps that have ended well."""
    failed: tuple[str, ...]
    """Steps whose last try has failed or was stopped."""
    at_work: tuple[str, ...]
    """Steps that the command which holds the study has begun and that have not ended."""
    cut_off: tuple[str, ...]
    """Steps that have begun and not ended, and that no command is at."""
    newest: str
    """The last line of the log that was written to last, behind its name; empty where no step is at work."""
    judged: bool
    """Whether its claims are judged, of all steps that have ended."""
    claims: tuple[ClaimNow, ...]
    changed: float
    """Seconds since the epoch."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_studies(folder: Path) -> dict[str, Path]:
    """The studies in a folder by their place in it; the folder itself, where it is one, as its name.

    Links are not followed.
    """
    return folders_in(folder, _holds_study)


def study_now(place: str, home: Path) -> StudyNow:
    """What the record and study.json of a study say; claims of a damaged study.json are left out."""
    record = read_record(home) if _is_plain(home / RECORD) else []
    last = {log_name(finish.step): finish for finish in record}
    logs = sorted((home / LOGS).glob("*.log"))
    at_work = _at_work(home, logs, last)
    file = written(home / FILE)
    return StudyNow(
        name=home.name,
        place=place,
        done=sum(finish.code == EXIT_DONE for finish in last.values()),
        failed=tuple(name for name, each in last.items() if each.code != EXIT_DONE and name not in at_work),
        at_work=at_work,
        cut_off=tuple(each.stem for each in logs if each.stem not in last and each.stem not in at_work),
        newest=newest_line(home, LOGS, since=written(home / HOLDER)) if at_work else "",
        judged=file > 0 and file >= written(home / RECORD),
        claims=claims_in(home / FILE),
        changed=max(file, written(home / RECORD), *map(written, logs)),
    )


def _at_work(home: Path, logs: Sequence[Path], last: Mapping[str, Finish]) -> tuple[str, ...]:
    """The steps whose logs were written to since the command that holds the study began, and since they last ended."""
    if not is_held(home):
        return ()
    begun = written(home / HOLDER)
    ended = {name: finish.begun + finish.elapsed for name, finish in last.items()}
    return tuple(log.stem for log in logs if written(log) > max(begun, ended.get(log.stem, 0.0)))


def claims_in(file: Path) -> tuple[ClaimNow, ...]:
    """The claims of a study.json; none where there is no such file or it holds something else."""
    try:
        with os.fdopen(open_own(file, os.O_RDONLY), "rb") as opened:
            rows = orjson.loads(opened.read(MOST_BYTES))["claims"][:MOST_CLAIMS]
        return tuple(
            ClaimNow(
                str(row["name"])[:MOST_CHARS],
                str(row["task"])[:MOST_CHARS],
                (float(row["difference"]), float(row["low"]), float(row["high"])),
                str(row["verdict"])[:MOST_CHARS],
            )
            for row in rows
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _holds_study(path: Path) -> bool:
    """Whether a folder has what a study writes first, or last; a school has a record of steps too."""
    if holds_school(path):
        return False
    return any(_is_plain(path / name) for name in (FILE, RECORD)) or any((path / LOGS).glob("*.log"))


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
