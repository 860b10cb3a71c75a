"""What `errata compare` and `errata report` are given, read: eval directories, JSON lines, and logs of other tools.

    DIRECTORY of errata eval    FILE.jsonl with `id` and `correct`      as they are
    *.eval  *.json              inspect_ai
    samples_*.jsonl             lm-evaluation-harness
    details_*.parquet           lighteval
    any folder of those         all of them
    ARM=PATH                    under the name of this arm

Nothing of a file is executed, and each is read within bounds (foreign/bounded.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from errata.evals.foreign import inspect_log, lighteval, lm_eval
from errata.evals.foreign.arms import Labelled, log_notes, to_evals
from errata.evals.foreign.join import joined
from errata.evals.foreign.log import Log
from errata.evals.results import ITEMS, Eval, read_eval

Reader = Callable[[Path, Sequence[str]], Log]
PATTERNS = ("*.eval", "samples_*.jsonl", "details_*.parquet")


class Given(NamedTuple):
    """A path and the arm that it was given for, if one was named."""

    label: str | None
    path: Path


def read_evals(sources: Sequence[str | Path | Eval], metrics: Sequence[str] = ()) -> tuple[list[Eval], list[str]]:
    """The evals, and notes on how other tools' files were read and joined.

    Args:
        metrics: the scores to read other tools' files by, each file by the first that it has; by default its first one.

    Where a file is another tool's, only the items that all have are kept. UsageError where there are none, and for what
    cannot be read.
    """
    own: list[tuple[int, Eval]] = []
    logs: list[tuple[int, Labelled]] = []
    seeds: Counter[str | None] = Counter()
    for place, source in enumerate(sources):
        if isinstance(source, Eval):
            own.append((place, source))
            continue
        label, path = given(source)
        files = foreign_files(path)
        logs += [(place, Labelled(label, reader(file, metrics))) for file, reader in files]
        if not files:
            own.append((place, _seed_of(read_eval(path), label, seeds[label])))
            seeds[label] += 1
    if not logs:
        return [each for _, each in own], []
    evals = _in_given_order(own, logs)
    read, notes = joined(evals)
    if len({each.manifest.label for each in read}) == 1 and len(read) > 1:
        notes = [f"all files are seeds of one arm, {read[0].manifest.label}; name arms as ARM=FILE", *notes]
    return read, [*log_notes([each.log for _, each in logs]), *notes]


def given(source: str | Path) -> Given:
    """`ARM=PATH`, or a path alone; one that is there is no arm."""
    text = str(source)
    label, equals, path = text.partition("=")
    if not equals or not label or Path(text).exists():
        return Given(None, Path(text))
    return Given(label, Path(path))


def foreign_files(path: Path) -> list[tuple[Path, Reader]]:
    """The logs of other tools at this path, each with its reader; none where it is errata's own or missing."""
    if path.is_dir():
        if (path / ITEMS).is_file():
            return []
        files = sorted(file for pattern in PATTERNS for file in path.rglob(pattern) if file.is_file())
    else:
        files = [path] if path.is_file() else []
    return [(file, reader) for file in files if (reader := reader_of(file))]


def reader_of(file: Path) -> Reader | None:
    """By the file's type; of JSON lines those with lm-eval's fields."""
    match file.suffix.lower():
        case ".eval":
            return inspect_log.read_eval_log
        case ".json" if inspect_log.is_json(file):
            return inspect_log.read_json_log
        case ".parquet":
            return lighteval.read_details
        case ".jsonl" if file.name != ITEMS and lm_eval.is_samples(file):
            return lm_eval.read_samples
    return None


def _in_given_order(own: Sequence[tuple[int, Eval]], logs: Sequence[tuple[int, Labelled]]) -> list[Eval]:
    """errata's own beside the arms of other tools', each where it was named first."""
    place_of = {log.source.path: place for place, (_, log) in reversed(logs)}
    foreign = [(place_of[each.path], each) for each in to_evals([each for _, each in logs])]
    return [each for _, each in sorted([*own, *foreign], key=lambda each: each[0])]


def _seed_of(one: Eval, label: str | None, before: int) -> Eval:
    """The eval under the name of its arm; where it does not say which seed it is, the next one of that arm."""
    if label is None:
        return one
    seed = {} if one.replicate is not None else {"replicate": before}
    return replace(one, manifest=one.manifest.model_copy(update={"label": label, **seed}))
