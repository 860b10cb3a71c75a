"""Replies that were paid for, kept on disk so that they are paid for once.

    key          -> the reply, its tokens and price, and who paid for it
    ledger RUN   -> what that run directory has paid, moved in the same transaction as the reply

One thread owns the database: it takes what has queued up and commits it together, and a reply is handed on only once
it is committed. The store outlives `kill -9`. A tampered or damaged reply counts as missing and cannot run code: rows
are compressed JSON and nothing else, within the database. A damaged ledger is added up again from the replies.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import zlib
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import diskcache
import orjson

from errata.config.hooks import check_hooks
from errata.errors import ErrataError
from errata.llm.budget import CallTotals, Ledger, Payment

BATCH = 256
"""Operations committed together at most."""
LARGEST = 256 * 2**20
"""Bytes a row may unpack to."""
LEDGER = "ledger "
PAYMENT = "payment"
"""Where a row says which run has paid for it, and what: as a ledger is added up again from them."""
_FAULTS = (sqlite3.Error, diskcache.Timeout, OSError)
_DAMAGE = (ValueError, TypeError, zlib.error)


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


class StoreError(ErrataError):
    """The response store cannot be read or written."""


class _Get(NamedTuple):
    key: str
    done: asyncio.Future[Any]


class _Put(NamedTuple):
    key: str
    row: dict[str, Any]
    payment: Payment
    done: asyncio.Future[Any]


class Store:
    """The response store in `directory`, opened for the run directory `run`. Raises StoreError."""

    def __init__(self, directory: Path, run: str) -> None:
        self.directory = directory
        self._run = run
        self._ledger_key = LEDGER + run
        self._queue: queue.SimpleQueue[_Get | _Put | None] = queue.SimpleQueue()
        opened: Future[tuple[Ledger, tuple[str, ...]]] = Future()
        self._thread = threading.Thread(target=self._serve, args=(opened,), name="errata-store", daemon=True)
        self._thread.start()
        self.paid, self.notes = opened.result()
        """What the run directory had paid when the store was opened; what was repaired, in words."""

    async def get(self, key: str) -> Any:
        """The row under `key`; None where there is none or what is there cannot be read."""
        done = asyncio.get_running_loop().create_future()
        self._queue.put(_Get(key, done))
        return await done

    async def put(self, key: str, row: dict[str, Any], payment: Payment) -> None:
        """Commits a paid reply and its payment. Raises StoreError where the disk does not take it."""
        done = asyncio.get_running_loop().create_future()
        self._queue.put(_Put(key, row, payment, done))
        await done

    def close(self) -> None:
        """Commits what is queued and closes the database."""
        self._queue.put(None)
        self._thread.join()

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _serve(self, opened: Future[tuple[Ledger, tuple[str, ...]]]) -> None:
        try:
            cache = _open(self.directory)
            opened.set_result(self._opening(cache))
        except BaseException as error:
            opened.set_exception(self._fault(error) if isinstance(error, _FAULTS) else error)
            return
        with cache:
            while batch := self._batch():
                _hand_back(self._work(cache, batch))

    def _opening(self, cache: Any) -> tuple[Ledger, tuple[str, ...]]:
        try:
            return _ledger(cache, self._ledger_key), ()
        except _DAMAGE:
            ledger, unreadable = _added_up(self.directory, self._run)
        cache.set(self._ledger_key, _ledger_row(ledger))
        paid = sum(tally.paid for tally in ledger.values())
        lost = f"; {unreadable} rows cannot be read, and what they cost is not counted" if unreadable else ""
        return ledger, (f"{self.directory}: the ledger was damaged, and added up again from {paid} replies{lost}",)

    def _batch(self) -> list[_Get | _Put]:
        """What has queued up, at least one operation; empty at the end."""
        first = self._queue.get()
        batch = [first] if first else []
        while batch and len(batch) < BATCH:
            try:
                operation = self._queue.get_nowait()
            except queue.Empty:
                break
            if operation is None:
                self._queue.put(None)  # for the next round
                break
            batch.append(operation)
        return batch

    def _work(self, cache: Any, batch: list[_Get | _Put]) -> list[tuple[asyncio.Future[Any], Any]]:
        results: list[tuple[asyncio.Future[Any], Any]] = []
        for operation in batch:
            if isinstance(operation, _Get):
                results.append((operation.done, self._read(cache, operation.key)))
        puts = [operation for operation in batch if isinstance(operation, _Put)]
        if puts:
            outcome = self._commit(cache, puts)
            results += [(operation.done, outcome) for operation in puts]
        return results

    def _read(self, cache: Any, key: str) -> Any:
        try:
            row = cache.get(key)
            if isinstance(row, dict):
                row.pop(PAYMENT, None)
            return row
        except sqlite3.Error as error:
            return self._fault(error)
        except Exception:  # whatever a damaged row raises
            return None

    def _commit(self, cache: Any, puts: list[_Put]) -> Exception | None:
        try:
            with cache.transact():
                for put in puts:
                    cache.set(put.key, {**put.row, PAYMENT: [self._run, *put.payment]})
                ledger = _ledger(cache, self._ledger_key)
                for put in puts:
                    ledger.setdefault((put.payment.agent, put.payment.stage), CallTotals()).pay(put.payment)
                cache.set(self._ledger_key, _ledger_row(ledger))
        except _FAULTS as error:
            return self._fault(error)
        except Exception as error:  # those who wait must hear of it
            return error
        return None

    def _fault(self, error: BaseException) -> StoreError:
        reason = "locked by another process" if isinstance(error, diskcache.Timeout) else str(error)
        # sqlite says DatabaseError itself of a file it cannot make sense of, and its heirs of what may pass
        broken = type(error) is sqlite3.DatabaseError
        return StoreError(
            f"the response store {self.directory}: {reason}",
            "a reply is used only once it is stored, so that it is never paid for twice",
            "move the folder away and run the same command again: settled problems stand in the log, only the calls of "
            "the others are paid for again"
            if broken
            else "free the disk or make it writable, then run the same command again",
        )


_SETTINGS = {
    "eviction_policy": "none",  # the defaults drop what was paid for once the store is large
    "size_limit": 2**62,
    "cull_limit": 0,
    "statistics": 0,
    "tag_index": 0,
    "sqlite_cache_size": 1024,  # pages: every row is read and written once, and memory must not grow with the run
    "sqlite_mmap_size": 0,
}


def _open(directory: Path) -> Any:
    check_hooks(diskcache.core, _CONSTANTS)
    check_hooks(diskcache.JSONDisk, _HOOKS)
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


def _ledger(cache: Any, key: str) -> Ledger:
    rows = cache.get(key) or []
    return {
        (str(agent), str(stage)): CallTotals(
            paid=int(paid),
            prompt_tokens=int(prompt),
            completion_tokens=int(completion),
            usd=float(usd),
            unpriced=int(unpriced),
        )
        for agent, stage, paid, prompt, completion, usd, unpriced in rows
    }


def _added_up(directory: Path, run: str) -> tuple[Ledger, int]:
    """The run's payments as the replies tell them, and the number of rows that tell nothing."""
    ledger: Ledger = {}
    unreadable = 0
    disk = JSONRows(str(directory))
    database = sqlite3.connect(directory / diskcache.core.DBNAME)
    try:
        for key, mode, value in database.execute("SELECT key, mode, value FROM Cache"):
            try:
                if disk.get(key, raw=True).startswith(LEDGER):
                    continue
                payer, *paid = disk.fetch(mode, None, value, read=False)[PAYMENT]
                payment = Payment(*paid)
                tally = CallTotals()
                tally.pay(payment)
            except (*_DAMAGE, KeyError, AttributeError):
                unreadable += 1
                continue
            if payer == run:
                ledger.setdefault((str(payment.agent), str(payment.stage)), CallTotals()).pay(payment)
    finally:
        database.close()
    return ledger, unreadable


def _ledger_row(ledger: Ledger) -> list[list[Any]]:
    return [
        [agent, stage, tally.paid, tally.prompt_tokens, tally.completion_tokens, tally.usd, tally.unpriced]
        for (agent, stage), tally in sorted(ledger.items())
    ]


def _hand_back(results: list[tuple[asyncio.Future[Any], Any]]) -> None:
    def resolve() -> None:
        for done, result in results:
            if done.done():
                continue
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)

    if results:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it everyone who waited
            results[0][0].get_loop().call_soon_threadsafe(resolve)
