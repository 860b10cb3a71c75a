"""Lines of a log: which are transcripts, what the index keeps of them, and where damaged ones are put.

A run seals its log in the manifest: so many bytes with this hash. A sealed part that is as it was is not looked at
closely again; else each line is read as a transcript, so that every verb finds the same ones damaged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from errata.records import Problem, Transcript, canonical

BLOCK = 1 << 20
DAMAGED = "transcripts.damaged.jsonl"
"""Beside the log: its lines that were no transcripts, as they were."""
MOST_NUMBERS = 10
"""Line numbers that a message names."""


class Entry(NamedTuple):
    """What the index keeps of a line. `ending` is the outcome's status and reason."""

    problem_id: str
    position: int
    ending: tuple[str, str | None]
    content: int


class Seal(NamedTuple):
    """The first `bytes` of a log have this hash."""

    bytes: int
    blake2b: str


def seal_in(manifest: Mapping[str, Any]) -> Seal | None:
    """The seal that a manifest holds, None where it holds none."""
    sealed = manifest.get("log")
    with suppress(TypeError, KeyError, ValueError):
        return Seal(int(sealed["bytes"]), str(sealed["blake2b"]))  # type: ignore[index]
    return None


def new_hash() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=20)


def intact_bytes(log: Path, seal: Seal | None) -> int:
    """How much of the log is as it was sealed: all of the sealed part, or nothing."""
    if seal is None or not log.is_file():
        return 0
    digest, left = new_hash(), seal.bytes
    with log.open("rb") as file:
        while left > 0 and (block := file.read(min(BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return seal.bytes if left == 0 and digest.hexdigest() == seal.blake2b else 0


def entry_of(line: bytes, *, sealed: bool) -> Entry | None:
    """What the index keeps of a line; None where it is no transcript of this version."""
    try:
        value = orjson.loads(line)
        problem, outcome = value["problem"], value["outcome"]
        ending = (outcome["status"], outcome["reason"])
        known = ending[0] in ("done", "rejected", "failed") and isinstance(ending[1], str | None)
        position = int(problem["position"])
        if not (known and 0 <= position < 2**32):
            return None
        if not sealed:
            Transcript.from_line(line)
        return Entry(str(problem["id"]), position, ending, _hash_of(problem))
    except (orjson.JSONDecodeError, ValidationError, KeyError, TypeError, ValueError, OverflowError):
        return None


def content_hash(problem: Problem) -> int:
    """64 bits that stand for what is asked: question, golds, kind and choices."""
    return _hash_of(problem.model_dump())


def _hash_of(problem: Mapping[str, Any]) -> int:
    parts = [problem["question"], problem["answer"], problem["kind"], list(problem["choices"])]
    return hash_of(canonical([*parts, list(problem.get("answers", ()))]))


def hash_of(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())


def split(lines: Iterable[bytes], damaged: Iterable[int]) -> Iterator[tuple[bytes, bool]]:
    """Each line with whether it is damaged; `damaged` are numbers counted from 1, in order."""
    numbers = iter(damaged)
    following = next(numbers, None)
    for number, line in enumerate(lines, 1):
        bad = number == following
        if bad:
            following = next(numbers, None)
        yield line, bad


def in_words(log: Path, damaged: tuple[int, ...]) -> str:
    """Where the damaged lines are: `runs/demo/transcripts.jsonl, lines 3, 7`."""
    numbers = ", ".join(map(str, damaged[:MOST_NUMBERS])) + ", ..." * (len(damaged) > MOST_NUMBERS)
    return f"{log}, line{'s' * (len(damaged) > 1)} {numbers}"


def damage_note(log: Path, damaged: tuple[int, ...]) -> str:
    """What every verb that reads a log says of its damaged lines."""
    return (
        f"{in_words(log, damaged)}: no transcript, not counted; the next `errata synth` sets it aside in {DAMAGED} "
        "and runs the problem again"
    )
