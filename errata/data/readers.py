"""Files and data sets as rows, each with the place it came from, read as a stream wherever the format allows it.

*.jsonl  *.csv  *.tsv  *.json (array, object with a list, or lines)  *.parquet  *.txt (LogiQA's blocks)
a folder (a saved data set, or data files)  owner/name (Hugging Face hub)
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from errata.config.hub_ids import is_hub_id
from errata.data.source import ProblemSource
from errata.errors import UsageError

LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv")
KNOWN = (*LINES, *TABLES, ".json", ".parquet", ".txt")
BATCH = 512
"""Rows of a Parquet file held at a time."""
LONGEST_REASON = 300


class Row(NamedTuple):
    place: str
    """Where in the file: `line 12`, `record 3`, `row 7`."""
    data: dict[str, Any]
    error: UsageError | None = None
    """Why there is no record at this place, though others may follow."""


def rows_of(name: str, source: ProblemSource) -> Iterator[Row]:
    """The rows of a file, folder or hub data set of this name, in its order. Raises UsageError naming file and place.

    `source` says which split and configuration of a data set, and where the name comes from.
    """
    path = Path(name)
    suffix = path.suffix.lower()
    try:
        if path.is_dir() or (not path.exists() and is_hub_id(name, files=KNOWN)):
            yield from _data_set(name, source)
        elif suffix == ".parquet" and path.exists():
            yield from _parquet(path)
        elif suffix in KNOWN and path.exists():
            yield from {".json": _json, ".txt": _blocks, ".csv": _table, ".tsv": _table}.get(suffix, _lines)(path)
        elif path.exists():
            raise UsageError(
                f"{name}: {f'files of type {suffix}' if suffix else 'files without a type'} are not read",
                f"the known types are {', '.join(KNOWN)}",
                "convert it to JSON lines",
            )
        else:
            raise UsageError(f"{name}: no such file", "problems are read from it", _where_else(source.source))
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{name}: {reason}", "problems are read from it", "check the file") from error


def _where_else(source: str) -> str:
    if "ERRATA_DATA" in source and not os.environ.get("ERRATA_DATA"):
        return "set ERRATA_DATA to the folder that holds the data sets, or put them into data/ (see docs/recipes.md)"
    return "check the path; relative paths start at the working directory"


# ---- text files ------------------------------------------------------------------------------------------------------


def _numbered(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that hold something, counted from 1."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if text := _decoded(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, path, number).strip():
                yield number, text


def _decoded(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"{path}, line {number}: byte {error.start + 1} of it is not UTF-8"
        raise UsageError(what, "data sets are read as UTF-8 text", "convert the file to UTF-8") from None


def _lines(path: Path) -> Iterator[Row]:
    for number, text in _numbered(path):
        place = f"line {number}"
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield Row(place, {}, _no_json(f"{path}, {place}", error))
        else:
            yield _row(place, value, f"{path}, {place}")


def _json(path: Path) -> Iterator[Row]:
    """An array of records; an object that holds one; or JSON lines under another name."""
    if _holds_lines(path):
        yield from _lines(path)
        return
    with path.open("rb") as file:
        text = "".join(_decoded(line, path, number) for number, line in enumerate(file, 1))
    if not text.strip():
        return
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise _no_json(str(path), error) from None
    for number, record in enumerate(_records(value, path), 1):
        yield _row(f"record {number}", record, f"{path}, record {number}")


def _holds_lines(path: Path) -> bool:
    """Two lines, the first of them an object of its own."""
    first = [text for _, text in islice(_numbered(path), 2)]
    try:
        return len(first) == 2 and first[0].startswith("{") and isinstance(json.loads(first[0]), dict)
    except (ValueError, RecursionError):
        return False


def _records(value: Any, path: Path) -> list[Any]:
    if isinstance(value, list):
        return value
    lists = {
        key: items
        for key, items in (value.items() if isinstance(value, dict) else ())
        if isinstance(items, list) and any(isinstance(item, dict) for item in items)
    }
    if len(lists) == 1:
        return next(iter(lists.values()))
    what = f"lists of records under {', '.join(lists)}" if lists else "no list of records"
    raise UsageError(
        f"{path} holds {what}",
        "one is expected: an array, or an object with one array of records",
        "write one record per line (JSON lines)",
    )


def _row(place: str, value: Any, where: str) -> Row:
    if isinstance(value, dict):
        return Row(place, value)
    what = f"{where}: {json.dumps(value)[:60]}"
    return Row(place, {}, UsageError(what, "every record is an object with named fields", 'write {"question": ...}'))


def _no_json(where: str, error: Exception) -> UsageError:
    reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    do = "mend or remove the record; a torn last line means that the file was cut off"
    return UsageError(f"{where}: not JSON: {reason}", "every record is read as JSON", do)


def _blocks(path: Path) -> Iterator[Row]:
    """LogiQA's blocks of eight lines: a blank one, the right letter, context, question and four options."""
    with path.open("rb") as file:
        numbered = enumerate(file, 1)
        while block := list(islice(numbered, 8)):
            start = block[0][0]
            lines = [_decoded(line, path, number).strip("\ufeff\r\n ") for number, line in block]
            if not any(lines):
                continue
            if len(lines) < 8 or lines[0] or not all(lines[1:]):
                raise UsageError(
                    f"{path}, lines {start} to {start + len(lines) - 1}: no block of eight lines",
                    "a text file holds LogiQA's blocks: blank, letter, context, question, four options",
                    "mend the block, or convert the file to JSON lines",
                )
            yield Row(
                f"line {start}",
                {"answer": lines[1], "context": lines[2], "question": lines[3], "options": lines[4:]},
            )


# ---- tables ----------------------------------------------------------------------------------------------------------


def _table(path: Path) -> Iterator[Row]:
    """A CSV or TSV file whose first line names its columns; every cell is a text."""
    with path.open("rb") as file:
        lines = (_decoded(line, path, number) for number, line in enumerate(file, 1))
        rows = csv.reader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        try:
            columns = [name.strip() for name in next(rows, [])]
            if len(columns) and columns[0].startswith("\ufeff"):
                columns[0] = columns[0].removeprefix("\ufeff").strip('"')
            if len(set(columns)) < len(columns) or (columns and not all(columns)):
                what = f"{path}, line 1: its columns are {', '.join(columns)[:200]}"
                raise UsageError(what, "every column has a name of its own", "name the columns in the first line")
            for cells in rows:
                if cells:
                    yield _cells(path, rows.line_num, columns, cells)
        except csv.Error as error:
            where = f"{path}, line {rows.line_num}"
            raise UsageError(
                f"{where}: {error}", "it is read as CSV", "quote cells that hold quotes or breaks"
            ) from None


def _cells(path: Path, number: int, columns: list[str], cells: list[str]) -> Row:
    place = f"line {number}"
    if len(cells) == len(columns):
        return Row(place, dict(zip(columns, cells, strict=True)))
    what = f"{path}, {place}: {len(cells)} cells for {len(columns)} columns"
    return Row(place, {}, UsageError(what, "every row has a cell per column", "quote cells that hold commas"))


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    number = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                for data in batch.to_pylist():
                    number += 1
                    yield Row(f"row {number}", data)
    except pyarrow.ArrowException as error:
        where = f"{path}, after row {number}" if number else str(path)
        raise UsageError(f"{where}: {_reason(error)}", "it is read as Parquet", "check the file") from error


def _data_set(name: str, source: ProblemSource) -> Iterator[Row]:
    """A Hugging Face data set: from the hub, saved to disk, or a folder of data files."""
    try:
        for number, data in enumerate(_loaded(name, source), 1):
            yield Row(f"row {number}", dict(data))
    except UsageError:
        raise
    except Exception as error:  # whatever the library, its file systems and the network may raise
        what = "data set folder" if Path(name).is_dir() else "Hugging Face data set"
        raise UsageError(
            f"{name}: {type(error).__name__}: {_reason(error)}",
            f"it is neither a file nor a {what} that can be read (split {source.split or 'train'})",
            "check name, split and config; without a network give a local path, or HF_HUB_OFFLINE=1 to read the cache",
        ) from error


def _loaded(name: str, source: ProblemSource) -> Any:
    import datasets

    path, split = Path(name), source.split or "train"
    if (path / "dataset_dict.json").exists():
        splits = datasets.load_from_disk(name)
        if split not in splits:
            known = ", ".join(splits)
            raise UsageError(
                f"{name} has no split {split}", f"its splits are {known}", f"set problems.split to {known}"
            )
        return splits[split]
    if (path / "state.json").exists():
        return datasets.load_from_disk(name)
    # offline only what is in the cache can be had, and that is no stream
    streaming = path.is_dir() or not datasets.config.HF_HUB_OFFLINE
    return datasets.load_dataset(name, source.config, split=split, streaming=streaming)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:LONGEST_REASON]
