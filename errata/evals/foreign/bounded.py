"""Files of strangers, read within bounds: members of a zip, JSON, lines. Nothing is unpacked to disk or executed."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import orjson

from errata.errors import UsageError

LARGEST_PART = 256 * 2**20
"""Bytes of one member, line or JSON file when unpacked."""
LARGEST_WHOLE = 16 * 2**30
"""Bytes of all members together."""
MOST_PARTS = 1_000_000
ZSTANDARD = 93
"""Zstandard in a zip, as inspect_ai packs today and zipfile reads only from Python 3.14 on."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")


class Zip:
    """An opened zip file whose members are read one at a time. UsageError for what is none, damaged or too large."""

    def __init__(self, path: Path, largest_part: int = LARGEST_PART, largest_whole: int = LARGEST_WHOLE) -> None:
        self.path, self._largest_part, self._left = path, largest_part, largest_whole
        try:
            self._file = path.open("rb")
            self._zip = ZipFile(self._file)
        except (OSError, BadZipFile, ValueError, NotImplementedError) as error:
            raise self._damaged(str(error)) from error
        self._members = {info.filename: info for info in self._zip.infolist()}
        if len(self._members) > MOST_PARTS:
            raise self._damaged(f"{len(self._members):,} members")

    def __enter__(self) -> Zip:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    @property
    def names(self) -> list[str]:
        return list(self._members)

    def json(self, name: str) -> Any:
        """One member as JSON."""
        data = self._read(self._members[name])
        try:
            return loads(data)
        except ValueError as error:
            raise self._damaged(f"{name}: {error}") from error

    def _read(self, info: ZipInfo) -> bytes:
        most = min(self._largest_part, self._left)
        if info.compress_size > most:
            raise self._too_large(info, most)
        try:
            with self._opened(info) as member:
                data = member.read(most + 1)
        except Exception as error:  # whatever zipfile and the decompressors raise on damaged bytes
            raise self._damaged(f"{info.filename}: {error}") from error
        if len(data) > most:
            raise self._too_large(info, most)
        if zlib.crc32(data) != info.CRC:
            raise self._damaged(f"{info.filename}: wrong checksum")
        self._left -= len(data)
        return data

    def _opened(self, info: ZipInfo) -> IO[bytes]:
        if info.compress_type in (ZIP_STORED, ZIP_DEFLATED):
            return self._zip.open(info)
        if info.compress_type != ZSTANDARD:
            raise BadZipFile(f"packed by method {info.compress_type}")
        from zstandard import ZstdDecompressor

        return ZstdDecompressor().stream_reader(io.BytesIO(self._packed(info)))

    def _packed(self, info: ZipInfo) -> bytes:
        self._file.seek(info.header_offset)
        mark, name, extra = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
        if mark != b"PK\x03\x04":
            raise BadZipFile("no member stands where the directory says")
        self._file.seek(name + extra, io.SEEK_CUR)
        return self._file.read(info.compress_size)

    def _too_large(self, info: ZipInfo, most: int) -> UsageError:
        return UsageError(
            f"{self.path}: {info.filename} unpacks to more than {most:,} bytes",
            "a log is read within bounds, so that no file fills the memory",
            "check where the file comes from",
        )

    def _damaged(self, reason: str) -> UsageError:
        return UsageError(
            f"{self.path}: {reason}",
            "it is read as an .eval log, a zip file of JSON",
            "fetch the file again; a log that is still being written is read when it is closed",
        )


def loads(data: bytes) -> Any:
    """JSON, with NaN as Python writes it. ValueError for what is none, or nested too deeply."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def json_file(path: Path, most: int = LARGEST_WHOLE // 16) -> Any:
    """A whole JSON file. UsageError for one that is none or too large."""
    try:
        if path.stat().st_size > most:
            raise ValueError(f"more than {most:,} bytes")
        return loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}", "it is read as JSON", "check the file") from error


def json_lines(path: Path, most: int = LARGEST_PART) -> Iterator[tuple[int, Any]]:
    """The lines of a JSONL file with their numbers. UsageError names the line that is none or too long."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(most + 1):
                number += 1
                if len(line) > most:
                    raise ValueError(f"more than {most:,} bytes")
                if line.strip():
                    yield number, loads(line)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path}, line {number + 1 if isinstance(error, OSError) else number}: {error}",
            "results are read from JSON lines",
            "mend the line",
        ) from error
