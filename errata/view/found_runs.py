"""The run directories in a folder, and what stands in one while it is written.

    folder --> run directories, by their place in it --> RunNow: counts, cost, the newest transcripts, failures

The log is read from its end, a bounded number of bytes; counts are the manifest's, which is a few seconds old while a
run is on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from errata.config.files import read_tail
from errata.records import Transcript
from errata.runs.in_use import is_on
from errata.runs.run_dir import RunDir

DEEPEST = 4
"""Folders below the one that is looked into."""
TAIL_BYTES = 4 << 20
"""Read from the end of a log."""
NEWEST = 20
"""Transcripts that are shown."""
MOST_CHARS = 300
"""Of a question or a failure."""


@dataclass(frozen=True)
class Newest:
    """One problem's end, as a line of a list."""

    id: str
    question: str
    status: str
    reason: str | None
    written: int
    """Rationales."""
    right: int
    failures: tuple[str, ...]
    """What providers said in place of replies."""


@dataclass(frozen=True)
class RunNow:
    """What stands in a run directory now.

    name: the run's; place: its folder below the one that is looked into. usd is None where a price is unknown.
    """

    name: str
    place: str
    stages: tuple[str, ...]
    running: bool
    total: int
    done: int
    rejected: int
    failed: int
    pending: int
    paid: int
    cached: int
    lost: int
    usd: float | None
    changed: float
    """Seconds since the epoch."""
    version: str
    """Another one whenever log, manifest or evals are others."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_runs(folder: Path) -> dict[str, RunDir]:
    """The run directories in a folder, by their place in it; the folder itself, where it is one, as its name.

    Links are not followed: what is shown lies in the folder.
    """
    return {place: RunDir(path) for place, path in folders_in(folder, _has_manifest).items()}


def folders_in(folder: Path, is_one: Callable[[Path], bool]) -> dict[str, Path]:
    """The folders of a kind, by their place in a folder; that itself, where it is one, as its name.

    Links are not followed, and what lies in one of the kind is not looked into.
    """
    root = folder.resolve()
    if is_one(root):
        return {root.name: root}
    return {str(path.relative_to(root)): path for path in _below(root, 0, is_one)}


def _below(folder: Path, depth: int, is_one: Callable[[Path], bool]) -> Iterator[Path]:
    try:
        inside = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in inside:
        if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
            continue
        path = folder / entry.name
        if is_one(path):
            yield path
        elif depth < DEEPEST:
            yield from _below(path, depth + 1, is_one)


def written(path: Path) -> float:
    """When a file was last written, in seconds since the epoch; 0 where there is none."""
    with suppress(OSError):
        return path.lstat().st_mtime
    return 0.0


def _has_manifest(path: Path) -> bool:
    """Whether it is the folder of a run; evals have a manifest too, and no stages."""
    return "stages" in RunDir(path).manifest()


def run_now(place: str, run: RunDir) -> RunNow:
    """What the manifest says; numbers that a damaged one does not hold are 0."""
    manifest = run.manifest()
    problems, spent = _mapping(manifest.get("problems")), _mapping(_mapping(manifest.get("spent")).get("all_runs"))
    counts = {name: _count(problems.get(name)) for name in ("total", "done", "rejected", "failed", "pending")}
    stages = manifest.get("stages")
    usd = spent.get("usd")
    return RunNow(
        name=str(manifest.get("name") or run.path.name),
        place=place,
        stages=tuple(str(_mapping(each).get("name")) for each in stages) if isinstance(stages, list) else (),
        running=is_on(run),
        **counts,
        paid=_count(spent.get("paid")),
        cached=_count(spent.get("cached")),
        lost=_count(spent.get("lost")),
        usd=float(usd) if isinstance(usd, int | float) else None,
        changed=max((written(path) for path in (run.log, run.manifest_file)), default=0.0),
        version=version_of(run),
    )


def version_of(run: RunDir) -> str:
    """Changes with log, manifest and evals; reads none of them."""
    evals = run.path / "evals"
    files = [run.log, run.manifest_file, *sorted(evals.glob("*/manifest.json") if evals.is_dir() else ())]
    return "-".join(f"{written(path):.3f}.{_size(path)}" for path in files)


def newest(run: RunDir, most: int = NEWEST) -> list[Newest]:
    """The last transcripts of the log, the newest first; lines that are none, and half ones, are passed over."""
    transcripts: list[Newest] = []
    for line in reversed(_tail(run.log).split(b"\n")):
        if len(transcripts) == most:
            break
        with suppress(ValueError):
            if line.strip():
                transcripts.append(_newest(Transcript.from_line(line)))
    return transcripts


def _newest(transcript: Transcript) -> Newest:
    problem, rationales = transcript.problem, transcript.rationales
    failures = dict.fromkeys(f"{call.agent}: {call.failure}"[:MOST_CHARS] for call in transcript.calls if call.failure)
    return Newest(
        id=problem.id,
        question=problem.question[:MOST_CHARS],
        status=transcript.outcome.status,
        reason=transcript.outcome.reason,
        written=len(rationales),
        right=sum(bool(each.correct) for each in rationales),
        failures=tuple(failures),
    )


def _tail(log: Path) -> bytes:
    """The last bytes of a log, from the beginning of a line; nothing where there is no plain file."""
    try:
        return read_tail(log, TAIL_BYTES)
    except OSError:
        return b""


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    if isinstance(value, dict):  # rejected and failed are told by their reasons
        return sum(_count(each) for each in value.values())
    return value if isinstance(value, int) else 0


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
