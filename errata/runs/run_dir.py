"""A run directory: one process's lock on it, its append-only log, its manifest.

    runs/NAME/  recipe.yaml  manifest.json  transcripts.jsonl        .lock .holder (who runs here)

A line enters the log by one write, so a killed process leaves at most one torn line, at the end; mend_log.py cuts it
off. Of several lines about one problem the last counts.
"""

from __future__ import annotations

import os
import shutil
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from errata.config.files import open_own, read_json, read_plain, write_whole
from errata.errors import ErrataError, UsageError
from errata.records import Outcome, Problem, to_json
from errata.runs.log_lines import (
    BLOCK,
    Seal,
    content_hash,
    entry_of,
    hash_of,
    intact_bytes,
    new_hash,
    seal_in,
)

OWN_LEDGER = "run"
"""Under which a run directory books its payments in a store of its own."""
MANY_REASONS = 200
"""Distinct reasons kept apart; later ones, should a provider put a request id in each message, count as OTHER."""
OTHER = "other reasons"


@dataclass(frozen=True, slots=True)
class RunDir:
    path: Path

    @property
    def log(self) -> Path:
        return self.path / "transcripts.jsonl"

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def calls(self) -> Path:
        return self.path / "calls"

    @property
    def manifest_file(self) -> Path:
        return self.path / "manifest.json"

    def manifest(self) -> dict[str, Any]:
        """What manifest.json holds; empty where it is missing or unreadable, for the log is what counts."""
        return read_json(self.manifest_file)

    def index(self) -> LogIndex:
        """Where the last line of each problem is, and which lines are damaged."""
        return index_log(self.log, seal_in(self.manifest()))

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        text = orjson.dumps(orjson.loads(to_json(manifest)), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        write_whole(self.manifest_file, text)


def is_run(path: str | Path) -> bool:
    """Whether a run has been here: a recipe alone may be anybody's."""
    run = RunDir(Path(path))
    return run.log.is_file() or run.manifest_file.is_file()


def find_run(path: str | Path) -> RunDir:
    """The run directory at `path`; UsageError where none is."""
    if not is_run(path):
        below = sorted(file.parent for file in Path(path).glob(f"runs/*/{RunDir(Path()).manifest_file}"))
        raise UsageError(
            f"{path} holds neither transcripts.jsonl nor manifest.json",
            "a run directory is expected",
            f"name the folder that `errata synth` wrote, {f'e.g. {below[0]}' if below else 'by default runs/NAME'}",
        )
    return RunDir(Path(path))


@contextmanager
def held(path: Path) -> Iterator[RunDir]:
    """The run directory, created where it is missing, locked for this process.

    What is refused before it has a manifest, and so before a call, leaves no directory that was not there. Raises
    UsageError as `locked` does.
    """
    fresh = [each for each in (path, *path.parents) if not each.exists()]
    with locked(path):
        try:
            yield RunDir(path)
        except BaseException:
            _leave_nothing(path, fresh)
            raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A folder, created where it is missing, for this process alone.

    Raises UsageError where another process holds it or it cannot be written. The lock dies with its process.
    """
    from filelock import FileLock, Timeout

    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        holder = _holder(path)
        raise UsageError(
            f"{path} is in use by process {holder}",
            "two writers in one run directory would pay for the same calls",
            f"wait for process {holder} or end it, or give this run another name: name=...",
        ) from None
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        with suppress(OSError):  # it only tells others who runs here
            descriptor = open_own(path / ".holder", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.write(descriptor, str(os.getpid()).encode())
            os.close(descriptor)
        yield
    finally:
        lock.release()


def _leave_nothing(path: Path, fresh: Sequence[Path]) -> None:
    """Removes a directory without a manifest that this process has made, and the empty ones it stands in."""
    if path not in fresh or RunDir(path).manifest_file.exists():
        return
    shutil.rmtree(path, ignore_errors=True)
    for each in fresh:
        with suppress(OSError):
            each.rmdir()


def unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{path} cannot be written: {error.strerror or error}",
        "a run needs a directory of its own for its log",
        "choose a folder that can be written: runs=... or name=...",
    )


def _holder(path: Path) -> str:
    with suppress(OSError):
        return read_plain(path / ".holder").decode("ascii").strip() or "unknown"
    return "unknown"


# ---- the log ---------------------------------------------------------------------------------------------------------


class Log:
    """The one writer of transcripts.jsonl. Raises UsageError where it cannot be opened for that."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._fd = open_own(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        except OSError as error:
            raise unwritable(path, error) from error
        self._size = os.fstat(self._fd).st_size
        self._hash = new_hash()
        for line in lines_of(path):
            self._hash.update(line)

    @property
    def seal(self) -> Seal:
        return Seal(self._size, self._hash.hexdigest())

    def append(self, line: bytes) -> None:
        """One line by one write. On a full disk the part written is taken back and ErrataError raised."""
        try:
            if os.write(self._fd, line) != len(line):
                raise OSError(28, "no space left")
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise self._fault(error) from error
        self._size += len(line)
        self._hash.update(line)

    def _fault(self, error: OSError) -> ErrataError:
        return ErrataError(
            f"{self._path} cannot be written: {error.strerror or error}",
            "without its log a run has no product",
            "make room, then run the same command again: paid replies are kept",
        )

    def sync(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise self._fault(error) from error

    def close(self) -> None:
        os.close(self._fd)


def id_hash(problem_id: str) -> int:
    """64 bits that stand for a problem's id."""
    return hash_of(problem_id.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True)
class LogIndex:
    """Where the last line of each problem is and how it ended: 30 bytes per problem, sorted by the id's hash."""

    hashes: np.ndarray[Any, np.dtype[np.uint64]]
    offsets: np.ndarray[Any, np.dtype[np.int64]]
    positions: np.ndarray[Any, np.dtype[np.uint32]]
    codes: np.ndarray[Any, np.dtype[np.uint16]]
    contents: np.ndarray[Any, np.dtype[np.uint64]]
    """Hashes of what was asked."""
    outcomes: tuple[Outcome, ...]
    """What the codes stand for."""
    lines: int
    damaged: tuple[int, ...]
    """Numbers, counted from 1, of whole lines that are no transcript; their problems count as pending."""
    torn: int
    """Bytes after the last newline."""

    def __len__(self) -> int:
        return len(self.hashes)

    def outcome(self, problem_id: str) -> Outcome | None:
        """How the problem ended; None where the log has no line of it."""
        place = self._place(problem_id)
        return None if place is None else self.outcomes[int(self.codes[place])]

    def has_changed(self, problem: Problem) -> bool:
        """Whether the log settled another question, gold answer or choices under the problem's id."""
        place = self._place(problem.id)
        return place is not None and int(self.contents[place]) != content_hash(problem)

    def _place(self, problem_id: str) -> int | None:
        wanted = np.uint64(id_hash(problem_id))
        place = int(np.searchsorted(self.hashes, wanted))
        return place if place < len(self.hashes) and self.hashes[place] == wanted else None

    def is_settled(self, problem_id: str) -> bool:
        """Whether the problem ended done or rejected; a failed one is tried again."""
        outcome = self.outcome(problem_id)
        return outcome is not None and outcome.status != "failed"

    def counts(self) -> list[tuple[Outcome, int]]:
        numbers = np.bincount(self.codes, minlength=len(self.outcomes))
        return [(outcome, int(number)) for outcome, number in zip(self.outcomes, numbers, strict=True) if number]

    def in_input_order(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Offsets of the last lines, by the problems' places in the input."""
        order: np.ndarray[Any, np.dtype[np.int64]] = self.offsets[np.lexsort((self.hashes, self.positions))]
        return order


def index_log(log: Path, seal: Seal | None = None) -> LogIndex:
    """Reads the log once, a line at a time; the part under an intact seal without looking at each line closely."""
    hashes, offsets, positions, codes, contents = array("Q"), array("q"), array("I"), array("H"), array("Q")
    known: dict[tuple[str, str | None], int] = {}
    damaged: list[int] = []
    offset = lines = torn = 0
    sealed = intact_bytes(log, seal)
    for line in lines_of(log):
        if not line.endswith(b"\n"):
            torn = len(line)
            break
        lines += 1
        entry = entry_of(line, sealed=offset < sealed)
        if entry is None:
            damaged.append(lines)
        else:
            ending = entry.ending
            if ending not in known and len(known) >= MANY_REASONS:
                ending = (ending[0], OTHER)
            hashes.append(id_hash(entry.problem_id))
            offsets.append(offset)
            positions.append(entry.position)
            codes.append(known.setdefault(ending, len(known)))
            contents.append(entry.content)
        offset += len(line)
    everything = np.frombuffer(hashes, np.uint64) if hashes else np.zeros(0, np.uint64)
    unique, from_the_end = np.unique(everything[::-1], return_index=True)
    last = len(everything) - 1 - from_the_end
    return LogIndex(
        unique,
        np.array(offsets, np.int64)[last],
        np.array(positions, np.uint32)[last],
        np.array(codes, np.uint16)[last],
        np.array(contents, np.uint64)[last],
        tuple(Outcome.model_validate({"status": status, "reason": reason}) for status, reason in known),
        lines,
        tuple(damaged),
        torn,
    )


def lines_of(log: Path) -> Iterator[bytes]:
    if log.is_file():
        with log.open("rb", buffering=BLOCK) as file:
            yield from file


def read_lines(log: Path, offsets: np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[bytes]:
    """The lines that start at `offsets`, in that order."""
    if len(offsets):
        with log.open("rb", buffering=1 << 16) as file:  # a far jump fills the buffer anew
            for offset in offsets:
                file.seek(int(offset))
                yield file.readline()
