"""The one reader of logs: the last transcript of every problem, for status, exports and reports.

transcripts.jsonl --index_log--> where each problem's last line is --read_transcripts--> Transcript ...
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from errata.errors import UsageError
from errata.records import Transcript
from errata.runs.log_lines import BLOCK
from errata.runs.run_dir import LogIndex, read_lines

Offsets = np.ndarray[Any, np.dtype[np.int64]]


def in_file_order(index: LogIndex) -> Offsets:
    """Offsets of the last lines as they stand in the log: read fastest where the order does not matter."""
    order: Offsets = np.sort(index.offsets)
    return order


def read_transcripts(log: Path, offsets: Offsets) -> Iterator[Transcript]:
    """The transcripts that start at these bytes of the log, in this order, one in memory at a time.

    Args:
        offsets: `in_file_order(index)`, or `index.in_input_order()`.

    Raises:
        UsageError: a line is no transcript of this version; it names the line, counted from 1, and the field.
    """
    for offset, line in zip(offsets, read_lines(log, offsets), strict=True):
        try:
            transcript = Transcript.from_line(line)
        except ValidationError as error:
            raise _no_transcript(log, int(offset), error) from error
        yield transcript


def _no_transcript(log: Path, offset: int, error: ValidationError) -> UsageError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return UsageError(
        f"{log}, line {line_number(log, offset)} is no transcript of this version: {where}{': ' * bool(where)}"
        f"{first['msg']}",
        "its figures cannot be read",
        "use the version of errata named in manifest.json, or restore the line",
    )


def line_number(log: Path, offset: int) -> int:
    """The number, counted from 1, of the line that starts at a byte of the log."""
    newlines = 0
    with log.open("rb") as file:
        while offset > 0 and (block := file.read(min(BLOCK, offset))):
            newlines += block.count(b"\n")
            offset -= len(block)
    return newlines + 1
