"""The database of a response store: rows of compressed JSON and nothing else, opened so that it cannot be turned on us.

Whoever hands on a run directory may have written its database: no pickle is read, no file that a row names, no setting
that it holds, and nothing is written through a link.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import diskcache
import orjson

from errata.config.hooks import check_hooks
from errata.llm.budget import CallTotals, Ledger, Payment
from errata.llm.ledgers import book

LARGEST = 256 * 2**20
"""Bytes a row may unpack to."""
LEDGER = "ledger "
CLAIMS = "claims"
BATCHES = "batch"
"""What the keys of all rows about batches begin with."""
PAYMENT = "payment"
"""Where a row says which run has paid for it, and what: as a ledger is added up again from them."""
FAULTS = (sqlite3.Error, diskcache.Timeout, OSError)
DAMAGE = (ValueError, TypeError, zlib.error)
_MODE_RAW = 1
"""How diskcache marks a value of plain bytes inside the database; what an existing store holds cannot change."""
_CONSTANTS: dict[str, tuple[str, ...]] = {"DEFAULT_SETTINGS": (), "METADATA": (), "DBNAME": ()}
_HOOKS = {
    "get": ("key", "raw"),
    "store": ("value", "read", "key"),
    "fetch": ("mode", "filename", "value", "read"),
    "remove": ("file_path",),
}
"""Methods of JSONDisk that JSONRows overrides: one that is renamed would let pickles and foreign files in again."""


class JSONRows(diskcache.JSONDisk):  # type: ignore[misc]
    """Compressed JSON inside the database: no pickle (CVE-2025-69872), no files beside it to be pointed elsewhere."""

    def __init__(self, directory: str, **settings: Any) -> None:
        super().__init__(directory, **settings)
        self.put = lru_cache(maxsize=4096)(super().put)  # a call's key is compressed once, not at every look

    def get(self, key: Any, raw: bool) -> Any:
        if not raw:
            raise ValueError("pickled key refused")
        return super().get(key, raw)

    def store(self, value: Any, read: bool, key: Any = None) -> tuple[int, int, None, sqlite3.Binary]:
        return 0, _MODE_RAW, None, sqlite3.Binary(zlib.compress(orjson.dumps(value), self.compress_level))

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode != _MODE_RAW or not isinstance(value, bytes):
            raise ValueError("a row that is no compressed JSON was refused")
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(value, LARGEST)
        if not unpacker.eof:
            raise ValueError("a row that unpacks to too much or is cut off was refused")
        return orjson.loads(text)

    def remove(self, file_path: str) -> None:
        """Rows have no files; a row that claims one was tampered with."""


_SETTINGS = {
    "eviction_policy": "none",  # the defaults drop what was paid for once the store is large
    "size_limit": 2**62,
    "cull_limit": 0,
    "statistics": 0,
    "tag_index": 0,
    "sqlite_cache_size": 1024,  # pages: every row is read and written once, and memory must not grow with the run
    "sqlite_mmap_size": 0,
}


def open_store(directory: Path) -> Any:
    check_hooks(diskcache.core, _CONSTANTS)
    check_hooks(diskcache.JSONDisk, _HOOKS)
    check_hooks(diskcache.Cache, {"_sql": ()})
    _refuse_links(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    path = str(directory.absolute())
    if path != os.path.expandvars(path):  # the library would open another folder, wherever the variable leads
        raise OSError(f"its path holds a variable, {path}; give the run a name without $")
    _drop_foreign_settings(directory / "cache.db")
    return diskcache.Cache(path, disk=JSONRows, **_SETTINGS)


def _refuse_links(directory: Path) -> None:
    """Raises OSError where the folder or its database is a link or no plain file: others may have made it."""
    for path in (directory, *(directory / f"cache.db{end}" for end in ("", "-wal", "-shm", "-journal"))):
        if path.is_symlink() or (path != directory and path.exists() and not path.is_file()):
            raise OSError(
                f"{path} is a link or no plain file; replies are written to it; name another folder by `store:`"
            )


def _drop_foreign_settings(database: Path) -> None:
    """The library sets as attributes and pragmas whatever the database's table of settings holds."""
    if not database.exists():
        return
    core = diskcache.core
    ours = core.DEFAULT_SETTINGS | _SETTINGS
    with contextlib.closing(sqlite3.connect(database)) as opened, contextlib.suppress(sqlite3.OperationalError):
        settings = dict(opened.execute("select key, value from Settings"))
        if any(key not in core.METADATA and ours.get(key) != value for key, value in settings.items()):
            places = ", ".join("?" * len(core.METADATA))
            opened.execute(f"delete from Settings where key not in ({places})", [*core.METADATA])
            opened.commit()


def version_of(cache: Any) -> int:
    """A number that changes when another connection commits to the database, and never by what this one does."""
    return int(cache._sql("PRAGMA data_version").fetchone()[0])


def to_disk(directory: Path) -> None:
    """Waits until what is committed would outlive a loss of power."""
    with contextlib.suppress(FileNotFoundError), open(directory / "cache.db-wal", "rb") as log:
        os.fsync(log.fileno())


def added_up(directory: Path, run: str) -> tuple[Ledger, int]:
    """The run's payments as the replies tell them, and the number of rows that tell nothing."""
    ledger: Ledger = {}
    unreadable = 0
    disk = JSONRows(str(directory))
    database = sqlite3.connect(directory / diskcache.core.DBNAME)
    try:
        for key, mode, value in database.execute("SELECT key, mode, value FROM Cache"):
            try:
                if disk.get(key, raw=True).startswith((LEDGER, CLAIMS, BATCHES)):
                    continue
                payer, *paid = disk.fetch(mode, None, value, read=False)[PAYMENT]
                payment = Payment(*paid)
                CallTotals().pay(payment)  # which fails where they are no numbers
            except (*DAMAGE, KeyError, AttributeError):
                unreadable += 1
                continue
            if payer == run:
                book(ledger, payment._replace(agent=str(payment.agent), stage=str(payment.stage)))
    finally:
        database.close()
    return ledger, unreadable
