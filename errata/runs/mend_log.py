"""A log before it is written to again: a torn last line is cut off, damaged lines are set aside."""

from __future__ import annotations

import os
from pathlib import Path

from errata.config.files import open_own, write_whole
from errata.errors import UsageError
from errata.runs.log_lines import BLOCK, DAMAGED, in_words, split
from errata.runs.run_dir import Log, LogIndex, lines_of, unwritable


def repair(log: Path) -> int:
    """Cuts a torn last line off the log; returns the number of bytes cut, 0 for a whole log.

    Raises UsageError for what is no file or cannot be written.
    """
    if not log.exists():
        return 0
    if not log.is_file():
        raise UsageError(f"{log} is no file", "the log is appended to and read again", "move it away")
    try:
        return _cut_torn_line(log)
    except OSError as error:
        raise unwritable(log, error) from error


def _cut_torn_line(log: Path) -> int:
    with os.fdopen(open_own(log, os.O_RDWR), "r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - BLOCK)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
        return size - end


def set_aside(log: Path, index: LogIndex) -> tuple[str, ...]:
    """Moves the damaged lines of a log to a file beside it; says so where there are any.

    Raises ErrataError where no line is a transcript: then another version wrote the log, and nothing is moved.
    """
    if not index.damaged:
        return ()
    where = in_words(log, index.damaged)
    if not len(index):
        raise UsageError(
            f"{where}: no line is a transcript of this version",
            "the log was written by another version of errata, or it is none",
            "use the version named in manifest.json, or give this run a name of its own: name=...",
        )
    aside = Log(log.with_name(DAMAGED))
    try:
        for line, bad in split(lines_of(log), index.damaged):
            if bad:
                aside.append(line)
        aside.sync()
    finally:
        aside.close()
    write_whole(log, (line for line, bad in split(lines_of(log), index.damaged) if not bad))
    return (f"{where}: no transcript, set aside in {DAMAGED}; the problem runs again",)
