"""Where rows come from: a run directory, an exported .jsonl file, a saved data set or a hub id.

A run is exported for it, so that a run and the file exported from it give the same rows.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from errata.errors import UsageError
from errata.export.transcript_view import Options
from errata.export.write import export
from errata.records import canonical
from errata.runs.run_dir import find_run
from errata.runs.saved_recipe import load_saved_recipe


class Record(NamedTuple):
    """A row as it was read; `place` names it in messages, `system` is what the run told its student."""

    place: str
    data: dict[str, Any]
    system: str | None = None


class Told(NamedTuple):
    """Rows that were read, with what the manifest says of them."""

    records: list[Record]
    name: str
    sha256: str


class Where(NamedTuple):
    """How hub data sets are opened, and what is taken of runs."""

    config: str | None = None
    split: str = "train"
    options: Options = Options()


def read(names: Sequence[str], format_name: str, where: Where) -> Told:
    """The rows of all sources in the order given; runs are exported in `format_name` for it.

    Raises UsageError: a source that cannot be read or holds no row, or a file where the options ask for a run.
    """
    if not names:
        raise UsageError("no --dataset_name", "there is nothing to learn from", "name a run directory or a data set")
    records = [record for name in names for record in _read(name, format_name, where)]
    if not records:
        raise UsageError(f"no row in {', '.join(names)}", "there is nothing to learn from", "name another data set")
    told = hashlib.sha256()
    for record in records:
        told.update(canonical(record.data) + b"\n")
    return Told(records, ", ".join(names), told.hexdigest())


def is_run(name: str) -> bool:
    folder = Path(name)
    return (folder / "transcripts.jsonl").is_file() or (folder / "recipe.yaml").is_file()


def _read(name: str, format_name: str, where: Where) -> Iterator[Record]:
    path = Path(name).expanduser()
    if is_run(name):
        return _of_run(name, format_name, where.options)
    if where.options != Options():
        raise UsageError(
            f"{name} is no run directory",
            "roles, authors, grader_only, max_edit_ratio and by_scores choose from a log, not from an export of it",
            "name the run directory, or export it with these options",
        )
    if path.is_file():
        return _of_file(path)
    if path.suffix in (".jsonl", ".json") or (not path.is_dir() and name.count("/") > 1):
        raise UsageError(f"no file {name}", "rows are read from it", "check the path")
    return _of_data_set(name, where)


def _of_run(name: str, format_name: str, options: Options) -> Iterator[Record]:
    student = load_saved_recipe(find_run(name).recipe).agents.student
    system = student.system if student else None
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.jsonl"
        export([name], format_name, out, options)
        for record in _of_file(out):
            yield record._replace(place=f"{name}, {format_name} {record.place.rpartition(', ')[2]}", system=system)


def _of_file(path: Path) -> Iterator[Record]:
    if path.suffix not in (".jsonl", ".ndjson", ".json"):
        raise UsageError(f"{path}: files of type {path.suffix or 'none'}", "rows are JSON lines", "export it as .jsonl")
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield Record(f"{path}, line {number}", _mapping(line, f"{path}, line {number}"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", "rows are read from it", "check the path") from error


def _mapping(line: bytes, place: str) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{place}: {error}", "rows are JSON lines", "export it again") from error
    if not isinstance(value, dict):
        raise UsageError(f"{place}: no JSON object", "a row is a mapping of keys", "export it again")
    return value


def _of_data_set(name: str, where: Where) -> Iterator[Record]:
    import datasets

    try:
        if (Path(name) / "state.json").is_file():
            found = datasets.load_from_disk(name)
        else:
            found = datasets.load_dataset(name, where.config, split=where.split)
    except Exception as error:  # the hub, its cache and every builder have errors of their own
        raise UsageError(
            f"the data set {name} cannot be opened: {type(error).__name__}: {error}"[:500],
            "it is no run directory, no .jsonl file and no data set of the hub that can be reached",
            "check the name; a private data set needs HF_TOKEN",
        ) from error
    for number, row in enumerate(found, 1):
        yield Record(f"{name}, row {number}", row)
