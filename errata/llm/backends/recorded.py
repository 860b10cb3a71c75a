"""Replays what real models once replied, from files of a released data set."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import orjson

from errata.errors import UsageError
from errata.llm.request import Context, ProviderFailure, Reply, Request
from errata.llm.spec import AgentSpec, Recording


class Recorded:
    """The backend of `recorded/NAME`: free, neither stored nor counted as paid."""

    paid = False
    remote = False

    def __init__(self) -> None:
        self._files: dict[Path, _File] = {}
        self._indexes: dict[tuple[Path, str, str], dict[bytes, int]] = {}

    async def complete(self, request: Request, seed: int) -> Reply:
        spec, context = request.spec, request.context
        recording = next((known for name, known in spec.recorded.items() if name == request.verb), None)
        if recording is None:
            raise ProviderFailure(f"agent {spec.name} has no recording of the verb {request.verb}")
        row = self._row(recording, context)
        return Reply(text=_text(_value(row, _path(recording, context), recording), request.sample))

    def _row(self, recording: Recording, context: Context) -> Any:
        file, index = self._index(recording)
        wanted = context.question if recording.by == "question" else context.problem_id
        marks = _marks(wanted)
        number = next((index[mark] for mark in marks if mark in index), None)
        if number is None:
            raise ProviderFailure(
                f"{file.path}: no row whose {recording.match} is the {recording.by} of problem {context.problem_id}"
            )
        return file.row(number)

    def _index(self, recording: Recording) -> tuple[_File, dict[bytes, int]]:
        """The file and, for each mark of a row's match field, the first row that has it."""
        from errata.config.env import expand

        path = Path(expand(recording.file))
        key = (path, recording.match, recording.prefix)
        if path not in self._files:
            self._files[path] = _open(path)
        file = self._files[path]
        if key not in self._indexes:
            index: dict[bytes, int] = {}
            for number, row in enumerate(file):
                try:
                    matched = _dotted(row, recording.match)
                except (KeyError, IndexError, TypeError, ValueError):
                    raise UsageError(
                        f"{path}, record {number + 1}: no field {recording.match}",
                        "the recording is matched to the problems by it",
                        f"name a field every record has; this one has {', '.join(list(row)[:12])}"
                        if isinstance(row, dict)
                        else "make every record an object",
                    ) from None
                for mark in _marks(str(matched), recording.prefix):
                    index.setdefault(mark, number)
            self._indexes[key] = index
        return file, self._indexes[key]

    def fingerprint(self, spec: AgentSpec) -> str:
        """Hash of the agent's files. Raises UsageError where one is missing or not as the recording says."""
        files = sorted((verb, self._index(recording)[0].sha256) for verb, recording in spec.recorded.items())
        return hashlib.sha256(repr(files).encode()).hexdigest()

    def takes_schema(self, spec: AgentSpec) -> bool:
        return False

    async def close(self) -> None:
        self._files.clear()
        self._indexes.clear()


class _File(Protocol):
    """A file of records. Where it is read line by line only the offsets are kept, not the records."""

    path: Path
    sha256: str

    def row(self, number: int) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


class _Array:
    """One JSON array."""

    def __init__(self, path: Path, content: bytes | mmap.mmap, sha256: str) -> None:
        self.path, self.sha256 = path, sha256
        try:
            self._rows = _json(bytes(content))
        except ValueError as error:
            raise UsageError(f"{path}: not JSON: {error}", "recorded replies are read from it") from error

    def row(self, number: int) -> Any:
        return self._rows[number]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)


class _Lines:
    """One JSON object per line."""

    def __init__(self, path: Path, content: mmap.mmap, sha256: str) -> None:
        self.path, self.sha256, self._content = path, sha256, content
        self._spans: list[tuple[int, int]] = []
        start = 0
        while start < len(content):
            end = content.find(b"\n", start)
            end = len(content) if end < 0 else end
            if content[start:end].strip():
                self._spans.append((start, end))
            start = end + 1

    def row(self, number: int) -> Any:
        start, end = self._spans[number]
        try:
            return _json(self._content[start:end])
        except ValueError as error:
            raise UsageError(
                f"{self.path}, record {number + 1}: not JSON: {error}", "recorded replies are read from it"
            ) from error

    def __iter__(self) -> Iterator[Any]:
        return (self.row(number) for number in range(len(self._spans)))


def _open(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{path}: {reason}", "recorded replies are read from it", "check the recipe's path") from error
    except ValueError:  # an empty file cannot be mapped
        raise UsageError(f"{path} is empty", "recorded replies are read from it", "check the recipe's path") from None
    sha256 = hashlib.sha256(content).hexdigest()
    first = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return _Array(path, content, sha256) if first == b"[" else _Lines(path, content, sha256)


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)  # takes lone surrogates and NaN as well


def _marks(text: str, prefix: str = "") -> tuple[bytes, bytes]:
    """What is compared, hashed to save memory: the text without `prefix` at its start, then also without white space.

    The exact text goes first: MATH has questions that differ from one another in white space alone.
    """
    exact = text.strip().removeprefix(prefix.strip()).strip()
    bare = "".join(text.split()).removeprefix("".join(prefix.split()))
    return _hash("exact " + exact), _hash("bare " + bare)


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _dotted(row: Any, path: str) -> Any:
    for part in path.split("."):
        row = row[int(part)] if isinstance(row, list) else row[part]
    return row


def _path(recording: Recording, context: Context) -> str:
    """Where in the row the reply stands; verdicts are recorded by the author they judge."""
    if isinstance(recording.reply, str):
        return recording.reply.replace("{author}", context.author or "")
    path = recording.reply.get(context.author or "")
    if path is None:
        raise ProviderFailure(f"{recording.file}: no path for the author {context.author}")
    return path


def _value(row: Any, path: str, recording: Recording) -> Any:
    try:
        value = _dotted(row, path)
    except (KeyError, IndexError, TypeError, ValueError):
        value = None
    if value is None:
        raise ProviderFailure(f"{recording.file}: the problem's row has no field {path}")
    return value


def _text(value: Any, sample: int) -> str:
    """The reply itself; a number is a bare verdict and is given back as a model would write it, `[n]`."""
    samples = value if isinstance(value, list) else [value]
    if sample >= len(samples):
        raise ProviderFailure(f"no recorded sample {sample + 1} of {len(samples)}")
    match samples[sample]:
        case str(text):
            return text
        case bool() | None | dict() | list():
            raise ProviderFailure(f"recorded sample {sample + 1} is neither text nor a number")
        case number:
            return f"[{int(number) if number == int(number) else number}]"
