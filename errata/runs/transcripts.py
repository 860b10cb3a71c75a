"""A run's log read as transcripts: the one reader of it for status, exports and reports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from errata.errors import UsageError
from errata.records import Transcript
from errata.runs.run_dir import LogIndex, read_lines


def read_transcripts(log: Path, index: LogIndex) -> Iterator[Transcript]:
    """The last line of every problem, in input order. Raises UsageError on one that is no transcript."""
    for line in read_lines(log, index.in_input_order()):
        try:
            yield Transcript.from_line(line)
        except ValueError as error:
            raise UsageError(
                f"{log}: a line is no transcript of this version",
                str(error).splitlines()[0],
                "export with the version named in its manifest.json",
            ) from error
