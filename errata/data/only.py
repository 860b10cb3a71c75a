"""The problems that a file names: JSON lines with an `id`, as choices, transcripts' problems and results have it."""

from __future__ import annotations

from pathlib import Path

import orjson

from errata.errors import UsageError


def ids_in(file: Path) -> frozenset[str]:
    """The ids in the lines of a file. Raises UsageError naming the line that has none."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(
            f"{file}: {error.strerror or error}", "it names the problems that are taken", "check the path"
        ) from error
    return frozenset(_id_of(line, file, number) for number, line in enumerate(lines, 1) if line.strip())


def _id_of(line: bytes, file: Path, number: int) -> str:
    try:
        name = orjson.loads(line)["id"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        name = None
    if not isinstance(name, str):
        raise UsageError(f"{file}, line {number}: no `id`", "each line names a problem by its id", "mend the line")
    return name
