"""Files of ours: opened where nobody can have them lead elsewhere, and replaced whole."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from errata.config.processes import is_running
from errata.errors import ErrataError


def open_own(path: Path, flags: int) -> int:
    """A descriptor of a plain file of ours, which is created where it is missing and `flags` say so.

    A run directory may come from somebody else: a link in it would have us write elsewhere, a FIFO wait for ever.
    Raises OSError for either.
    """
    return _plain(os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644))


def read_plain(path: Path) -> bytes:
    """What a plain file holds, also one that a link leads to.

    Raises OSError where it is anything else: a FIFO that somebody has put there would be waited for.
    """
    with os.fdopen(_plain(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)), "rb") as file:
        return file.read()


def read_tail(path: Path, most: int) -> bytes:
    """The last bytes of a plain file, at most so many, from the beginning of a line.

    Raises OSError where it is none, or a link.
    """
    with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - most))
        text = file.read(most)
    return text.partition(b"\n")[2] if start else text


def read_json(path: Path) -> dict[str, Any]:
    """The JSON mapping in a plain file; empty where there is none, or one that cannot be read."""
    try:
        value = orjson.loads(read_plain(path))
    except (OSError, orjson.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def content_hash(file: Path) -> str:
    """sha256 of a file's content. Raises OSError."""
    stat = file.stat()
    return _hash_of(file.resolve(), stat.st_size, stat.st_mtime_ns)


@cache
def _hash_of(file: Path, size: int, mtime_ns: int) -> str:
    """Read once in a process as long as size and time of change stay what they are."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _plain(descriptor: int) -> int:
    """The descriptor, where it is one of a plain file; else it is closed and OSError raised."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no plain file")
    return descriptor


def draft_of(path: Path) -> Path:
    """Where this process writes the file before it is put in place; drafts that killed processes left are removed.

    Its name begins with a dot and ends in .tmp, so that nobody takes it for data.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        owner = left.name.removesuffix(".tmp").rpartition(".")[2]
        if owner.isdecimal() and not is_running(int(owner)):
            left.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def write_whole(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Replaces the file at `path` with `data` at once: a reader sees the old or the new text, never a part."""
    draft = draft_of(path)
    try:
        with os.fdopen(open_own(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as out:
            out.writelines([data] if isinstance(data, bytes) else data)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(path)
    except OSError as error:
        raise ErrataError(f"{path} cannot be written: {error.strerror or error}", do="free space or rights") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
