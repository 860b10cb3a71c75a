"""Where rows come from: a run directory, an exported .jsonl file, a saved data set or a hub id.

A run's rows are compiled as an export of it would write them, so that both train the same.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from errata.config.env import expand
from errata.config.hub_ids import is_hub_id, nearly_here
from errata.data.contamination import EvalSet
from errata.data.readers import KNOWN
from errata.data.source import ProblemSource
from errata.errors import NothingToLearn, UsageError, did_you_mean
from errata.exports.compile import ExportCounts, Selection, compile_rows, eval_sets_of, no_row
from errata.exports.format import Format
from errata.exports.formats import check_columns
from errata.exports.logs import Log, open_logs
from errata.exports.sequences import LabeledSequence, SourceRow
from errata.exports.transcript_view import ALL, Options
from errata.records import canonical, draw, to_json
from errata.runs.run_dir import is_run


class LoadedRow(NamedTuple):
    """A row with the format that it is read in."""

    row: SourceRow
    form: Format

    def sequences(self) -> Iterable[LabeledSequence]:
        """What is trained on. Raises UsageError naming the row's place."""
        if self.form.sequences is None:
            raise UsageError(
                f"{self.row.place}: rows of the format {self.form.name}",
                "they are for other trainers: no student of errata learns from them",
                "take another format of the run",
            )
        return self.form.sequences(self.row)


class Overlap(NamedTuple):
    """Problems of runs that stand in an evaluation set of their recipes: learned all the same, and left out.

    `learned` is None where no set was looked at: none is named, or one of them would have to be fetched.
    """

    learned: int | None = None
    left_out: int = 0

    def counts(self) -> dict[str, int]:
        """As what is left out of a training: `{"in an evaluation set": 120}`."""
        return {"in an evaluation set": self.left_out} if self.left_out else {}


@dataclass(frozen=True)
class LoadedRows:
    """The rows of one or more sources, with what the manifest says of them."""

    rows: list[LoadedRow]
    name: str
    sha256: str
    overlap: Overlap


class Where(NamedTuple):
    """How rows are read: of runs in `form`, by the options; of anything else in `stated`, or by default in `form`."""

    form: Format
    stated: Format | None = None
    options: Options = ALL
    config: str | None = None
    """Configuration of a hub data set."""
    split: str = "train"
    """Split of a hub data set."""
    per_problem: int | None = None
    """So many rows of a problem at most, drawn by hash; None: all."""
    most: int | None = None
    """So many rows at most of those, drawn by hash; None: all."""
    seed: int = 0
    """Of these draws."""
    exclude_overlap: bool = False
    """Leave out the problems of a run that stand in an evaluation set of its recipe."""


def read(names: Sequence[str], where: Where) -> LoadedRows:
    """The rows of all sources in the order given.

    Raises UsageError: a source that cannot be read or holds no row, a row of another format, or a file where the
    options ask for a run.
    """
    if not names:
        raise UsageError("no --dataset_name", "there is nothing to learn from", "name a run directory or a data set")
    sources = [_read(name, where) for name in names]
    rows = drawn_per_problem([row for loaded, _ in sources for row in loaded], where.per_problem, where.seed)
    rows = drawn(rows, where.most, where.seed)
    if not rows:
        raise NothingToLearn(f"no row in {', '.join(names)}", "there is nothing to learn from", "name another data set")
    content = hashlib.sha256()
    for each in rows:
        content.update(canonical(each.row.data) + b"\n")
    return LoadedRows(rows, ", ".join(names), content.hexdigest(), total([overlap for _, overlap in sources]))


def total(overlaps: Collection[Overlap]) -> Overlap:
    """The overlap of several sources as one."""
    learned = [each.learned for each in overlaps if each.learned is not None]
    return Overlap(sum(learned) if learned else None, sum(each.left_out for each in overlaps))


def drawn(rows: list[LoadedRow], most: int | None, seed: int) -> list[LoadedRow]:
    """So many of the rows at most, in their order; those of the least hashes, so that fewer are a part of more.

    Raises UsageError where there shall be none.
    """
    if most is None:
        return rows
    _refuse_none("max_rows", most)
    return [rows[place] for place in sorted(_by_hash(rows, seed)[:most])]


def drawn_per_problem(rows: list[LoadedRow], most: int | None, seed: int) -> list[LoadedRow]:
    """So many rows of each problem at most, in their order; those of the least hashes: fewer are a part of more.

    Raises UsageError where there shall be none, or a row holds all the rationales of its problem.
    """
    if most is None:
        return rows
    _refuse_none("max_per_problem", most)
    if several := next((each for each in rows if "completions" in each.row.data), None):
        raise UsageError(
            f"--max_per_problem with {several.row.place}",
            "such a row holds all the rationales of its problem, and rows are what is limited",
            "set `keep` in the diversity filter of the recipe's rationales, or leave it out",
        )
    taken, staying = Counter[str](), []
    for place in _by_hash(rows, seed):
        taken[problem := rows[place].row.problem_key] += 1
        if taken[problem] <= most:
            staying.append(place)
    return [rows[place] for place in sorted(staying)]


def _refuse_none(flag: str, most: int) -> None:
    if most < 1:
        raise UsageError(f"--{flag} {most}", "there would be nothing to learn from", "write 1 or more, or leave it out")


def _by_hash(rows: Sequence[LoadedRow], seed: int) -> list[int]:
    """The places of the rows in the order of their hashes."""
    return sorted(range(len(rows)), key=lambda place: (draw(seed, "row", rows[place].row.data), place))


def _read(name: str, where: Where) -> tuple[list[LoadedRow], Overlap]:
    if is_run(name):
        return _of_run(name, where)
    if where.options != ALL or where.exclude_overlap:
        raise UsageError(
            f"{name} is no run directory",
            f"these options choose from logs: {', '.join(each.name for each in fields(Options))}, exclude_overlap",
            "name the run directory, or export it with these options",
        )
    return list(_of_data(name, where)), Overlap()


def _of_run(name: str, where: Where) -> tuple[list[LoadedRow], Overlap]:
    """The rows that an export would write, as a file of them would hold them, and the run's overlap."""
    logs, counts = open_logs([name], where.form, where.options), ExportCounts()
    student = logs[0].source.recipe.agents.student
    system = student.system if student else None
    eval_sets = _eval_sets(logs, where.exclude_overlap)
    selection = Selection(where.options, False, eval_sets, where.exclude_overlap)
    rows = [
        LoadedRow(SourceRow(f"{name}, {where.form.name} line {number}", orjson.loads(to_json(row)), system), where.form)
        for number, row in enumerate(compile_rows(logs, where.form, selection, counts), 1)
    ]
    if not counts.rows:
        raise no_row(logs, where.form, counts)
    return rows, Overlap(counts.overlapping if eval_sets else None, counts.excluded)


def _eval_sets(logs: Sequence[Log], exclude_overlap: bool) -> tuple[EvalSet, ...]:
    """Those that the runs' recipes name; where they are for a note alone, they are read if all are files here.

    A note shall not ask the hub, nor wait for what a stranger's recipe names.
    """
    if exclude_overlap:
        return eval_sets_of(logs, (), True)
    try:
        here = all(_is_here(each) for log in logs for each in log.source.recipe.eval_sets)
        return eval_sets_of(logs, (), False) if here else ()
    except (UsageError, OSError, ValueError):  # a folder of others, a name that is none
        return ()


def _is_here(source: ProblemSource) -> bool:
    """Whether problems can be read without any network: from a file, or of the classroom."""
    own = source.source == "classroom" or Path(expand(source.source)).is_file()
    return own and all(_is_here(each) for each in source.exclude)


def _of_data(name: str, where: Where) -> Iterator[LoadedRow]:
    form = where.stated or where.form
    for place, data in _data_of(name, where):
        check_columns(place, data, form, stated=where.stated is not None)
        yield LoadedRow(SourceRow(place, data), form)


def _data_of(name: str, where: Where) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row with its place."""
    path = Path(name).expanduser()
    if path.is_file():
        return rows_of_file(path)
    if path.suffix in (".jsonl", ".json") or ("/" in name and not path.is_dir() and not is_hub_id(name, files=KNOWN)):
        slip = nearly_here(name)
        beside = [slip] if slip else [str(each) for each in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UsageError(
            f"no run and no file {name}", "rows are read from it", did_you_mean(str(path), beside, "check the path")
        )
    return _of_data_set(name, where)


def rows_of_file(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The JSON lines of a file, each with its place. Raises UsageError."""
    if path.suffix not in (".jsonl", ".ndjson", ".json"):
        raise UsageError(f"{path}: files of type {path.suffix or 'none'}", "rows are JSON lines", "export it as .jsonl")
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{path}, line {number}", _mapping(line, f"{path}, line {number}")
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


def _of_data_set(name: str, where: Where) -> Iterator[tuple[str, dict[str, Any]]]:
    import datasets

    try:
        if (Path(name) / "state.json").is_file():
            rows = datasets.load_from_disk(name)
        else:
            rows = datasets.load_dataset(name, where.config, split=where.split)
    except Exception as error:  # the hub, its cache and every builder have errors of their own
        raise UsageError(
            f"the data set {name} cannot be opened: {type(error).__name__}: {error}"[:500],
            "it is no run directory, no .jsonl file and no data set of the hub that can be reached",
            "check the name; a private data set needs HF_TOKEN",
        ) from error
    for number, row in enumerate(rows, 1):
        yield f"{name}, row {number}", row
