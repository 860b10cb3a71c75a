"""What of a study or a school is done: a line per step in `steps.jsonl`, which it goes on from."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

from errata.config.files import open_own, read_plain
from errata.errors import ErrataError, UsageError
from errata.runs.times import Times, iso

RECORD = "steps.jsonl"


class Finish(NamedTuple):
    """How a step ended. `begun` is when the command that did it began, `elapsed` how long after that it ended.

    `contents` is the hash of the files that it was made from; empty where none is kept.
    """

    step: str
    inputs: str
    code: int
    seconds: float
    begun: float
    elapsed: float
    contents: str = ""


def read_record(home: Path) -> list[Finish]:
    """The steps that have ended, in order. A torn last line, of a process that was killed, is left out.

    Raises UsageError where the record cannot be read.
    """
    try:
        lines = read_plain(home / RECORD).splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        what = f"{home / RECORD} cannot be read: {error.strerror or error}"
        raise UsageError(what, "it says which steps are done", "put back the file that was written there") from error
    finishes = []
    for line in lines:
        try:
            finishes.append(Finish(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return finishes


def append(home: Path, finish: Finish) -> None:
    """Adds a step that has ended. Raises ErrataError where the record cannot be written."""
    home.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(open_own(home / RECORD, os.O_RDWR | os.O_APPEND | os.O_CREAT), "r+b") as file:
            file.write(_line_end(file) + json.dumps(finish._asdict()).encode() + b"\n")
    except OSError as error:
        what = f"{home / RECORD} cannot be written: {error.strerror or error}"
        raise ErrataError(what, do="free space or rights") from error


def _line_end(file: IO[bytes]) -> bytes:
    """What ends the last line, where a process was killed while it wrote that."""
    if not file.seek(0, os.SEEK_END):
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


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
