"""Replies that were paid for, kept on disk so that they are paid for once.

    key          -> the reply, its tokens and price, and who paid for it
    lost ...     -> a reply that could not be used, and who paid for it
    ledger RUN   -> what that run directory has paid, moved in the same transaction as the reply
    claims       -> which process makes which calls at the moment (errata.llm.claims)
    batch ...    -> the calls that a provider has in a batch (errata.llm.batches.rows)

One thread owns the database: it takes what has queued up and commits it together, and a reply is handed on only once
it is committed. The store outlives `kill -9`; several processes may use it at once. A tampered or damaged reply counts
as missing and cannot run code. A damaged ledger is added up again from the replies.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import diskcache

from errata.errors import ErrataError
from errata.llm.budget import Ledger, Payment, total
from errata.llm.claims import RENEW_S, Claims, short, taken
from errata.llm.ledgers import book, ledger_of, missing_from, rows_of
from errata.llm.store_file import CLAIMS, DAMAGE, FAULTS, LEDGER, PAYMENT, added_up, open_store, to_disk, version_of
from errata.llm.stored_reply import result_of

BATCH = 256
"""Operations committed together at most."""
LOOK_S = 0.1
"""Seconds after which a process that is alone on a store looks whether it still is: so long the next one waits."""
PILOT = " pilot"
"""Behind a run's name: the ledger of what its pilots have paid before it began."""
LOST = "lost "


class StoreError(ErrataError):
    """The response store cannot be read or written."""


class Claimed(NamedTuple):
    """What came of claiming a call: the stored row, or whether the call is ours to make; else another makes it."""

    row: Any
    ours: bool


class _Get(NamedTuple):
    key: str
    done: asyncio.Future[Any]


class _Claim(NamedTuple):
    key: str
    done: asyncio.Future[Any]


class _Put(NamedTuple):
    key: str
    row: dict[str, Any]
    payment: Payment
    done: asyncio.Future[Any]


class _Release(NamedTuple):
    key: str


class _Transact(NamedTuple):
    work: Callable[[Any], Any]
    done: asyncio.Future[Any]


_Operation = _Get | _Claim | _Put | _Release | _Transact


class Store:
    """The response store in `directory`, opened for the run directory `run`. Raises StoreError.

    Args:
        known: what the run directory itself says that it has paid; what the store lacks of it is counted too.
        anew: the run directory is new: what stands under its name was paid by another that is gone.
    """

    def __init__(self, directory: Path, run: str, *, known: Ledger | None = None, anew: bool = False) -> None:
        self.directory = directory
        self.run = run
        self._ledger_key = LEDGER + run
        self._known, self._anew = known or {}, anew
        self._claims = Claims()
        self._queue: queue.SimpleQueue[_Operation | None] = queue.SimpleQueue()
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

    async def claim(self, key: str) -> Claimed:
        """The stored row, or the claim of the call for this process, held until `put` or `release`."""
        done = asyncio.get_running_loop().create_future()
        self._queue.put(_Claim(key, done))
        claimed: Claimed = await done
        return claimed

    def release(self, key: str) -> None:
        """Gives up a claim; nothing happens where there is none."""
        self._queue.put(_Release(key))

    async def put(self, key: str, row: dict[str, Any], payment: Payment) -> None:
        """Commits a paid reply and its payment. Raises StoreError where the disk does not take it."""
        done = asyncio.get_running_loop().create_future()
        self._queue.put(_Put(key, row, payment, done))
        await done

    async def pay(self, payment: Payment) -> None:
        """Commits the payment of a reply that could not be used. Raises StoreError."""
        await self.put(LOST + secrets.token_hex(8), {}, payment)

    async def transact(self, work: Callable[[Any], Any]) -> Any:
        """What `work` makes of the rows, in one transaction that is on disk before this returns. Raises StoreError."""
        done = asyncio.get_running_loop().create_future()
        self._queue.put(_Transact(work, done))
        return await done

    def close(self) -> None:
        """Commits what is queued and closes the database."""
        self._queue.put(None)
        self._thread.join()

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _serve(self, opened: Future[tuple[Ledger, tuple[str, ...]]]) -> None:
        try:
            cache = open_store(self.directory)
            opened.set_result(self._opening(cache))
        except BaseException as error:
            opened.set_exception(self._fault(error) if isinstance(error, FAULTS) else error)
            return
        with cache:
            while (batch := self._batch()) is not None:
                _hand_back(self._work(cache, batch))
            if self._claims.written is not None:
                self._leave(cache)

    def _batch(self) -> list[_Operation] | None:
        """What has queued up; nothing where it is time to look after the claims, None at the end."""
        try:
            first = self._queue.get(timeout=self._patience)
        except queue.Empty:
            return []
        if first is None:
            return None
        batch = [first]
        while len(batch) < BATCH:
            try:
                operation = self._queue.get_nowait()
            except queue.Empty:
                break
            if operation is None:
                self._queue.put(None)  # for the next round
                break
            batch.append(operation)
        return batch

    @property
    def _patience(self) -> float | None:
        """Seconds until the claims want a look; None where this process is not among those who claim."""
        if self._claims.written is None:
            return None
        return LOOK_S if self._claims.alone else RENEW_S

    def _work(self, cache: Any, batch: list[_Operation]) -> list[tuple[asyncio.Future[Any], Any]]:
        results: list[tuple[asyncio.Future[Any], Any]] = []
        puts = [operation for operation in batch if isinstance(operation, _Put)]
        if puts:
            outcome = self._commit(cache, puts)
            results += [(operation.done, outcome) for operation in puts]
        results += [(each.done, self._read(cache, each.key)) for each in batch if isinstance(each, _Get)]
        results += [(each.done, self._transact(cache, each.work)) for each in batch if isinstance(each, _Transact)]
        wanted, released = _in_turn(batch)
        changed = not self._claims.held.isdisjoint(released)
        self._claims.held -= released
        return results + self._claim(cache, wanted, changed=changed)

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
                    cache.set(put.key, {**put.row, PAYMENT: [self.run, *put.payment]})
                ledger = ledger_of(cache.get(self._ledger_key))
                for put in puts:
                    book(ledger, put.payment)
                cache.set(self._ledger_key, rows_of(ledger))
        except FAULTS as error:
            return self._fault(error)
        except Exception as error:  # those who wait must hear of it
            return error
        # the row of claims may name them a while longer: who finds a reply does not look there
        self._claims.held -= {short(put.key) for put in puts}
        return None

    def _transact(self, cache: Any, work: Callable[[Any], Any]) -> Any:
        try:
            with cache.transact():
                result = work(cache)
            to_disk(self.directory)
        except Exception as error:  # those who wait must hear of it
            return self._fault(error) if isinstance(error, FAULTS) else error
        return result

    # ---- claims ----

    def _claim(self, cache: Any, wanted: list[_Claim], *, changed: bool) -> list[tuple[asyncio.Future[Any], Any]]:
        """Rows of those that are stored; the others are claimed, together, where nobody else has."""
        claims = self._claims
        if not (wanted or changed or claims.alone or claims.due(time.time())):
            return []
        try:
            if self._is_alone_still(cache):
                return [(each.done, self._granted(cache, each.key, set())) for each in wanted]
            with cache.transact():  # nobody else can put or claim meanwhile
                return self._claim_beside_others(cache, wanted)
        except Exception as error:  # those who wait must hear of it
            claims.written = None  # what the row says of this process is not known
            fault = self._fault(error) if isinstance(error, FAULTS) else error
            return [(each.done, fault) for each in wanted]

    def _is_alone_still(self, cache: Any) -> bool:
        claims = self._claims
        return claims.alone and not claims.due(time.time()) and version_of(cache) == claims.version

    def _claim_beside_others(self, cache: Any, wanted: list[_Claim]) -> list[tuple[asyncio.Future[Any], Any]]:
        claims, now = self._claims, time.time()
        claims.version = version_of(cache)
        others = claims.others(self._claims_row(cache), now)
        theirs = taken(others)
        results = [(each.done, self._granted(cache, each.key, theirs)) for each in wanted]
        if claims.outdated(others, now):
            cache.set(CLAIMS, claims.row(others, now))
        return results

    def _granted(self, cache: Any, key: str, theirs: set[str] | None) -> Any:
        """The stored row, or the claim where nobody else has it; no claim where others' claims are not known."""
        row = self._read(cache, key)
        if isinstance(row, Exception) or result_of(row) is not None:
            return row if isinstance(row, Exception) else Claimed(row, ours=False)
        ours = theirs is not None and short(key) not in theirs
        if ours:
            self._claims.held.add(short(key))
        return Claimed(None, ours)

    def _leave(self, cache: Any) -> None:
        """Takes this process out of the row of claims."""
        with contextlib.suppress(*FAULTS), cache.transact():  # else its lease runs out
            if others := self._claims.others(self._claims_row(cache), time.time()):
                cache.set(CLAIMS, others)
            else:
                cache.delete(CLAIMS)

    def _claims_row(self, cache: Any) -> Any:
        row = self._read(cache, CLAIMS)
        return None if isinstance(row, Exception) else row

    # ---- the ledger ----

    def _opening(self, cache: Any) -> tuple[Ledger, tuple[str, ...]]:
        with cache.transact():
            ledger, notes = self._stored_ledger(cache)
            missing = missing_from(ledger, self._known)
            if missing:
                there = total(ledger.values()).paid
                ledger |= missing
                cache.set(self._ledger_key, rows_of(ledger))
                notes.append(self._short_of(there, total(ledger.values()).paid))
        return ledger, tuple(notes)

    def _stored_ledger(self, cache: Any) -> tuple[Ledger, list[str]]:
        try:
            ledger = ledger_of(cache.get(self._ledger_key))
        except DAMAGE:
            ledger, unreadable = added_up(self.directory, self.run)
            cache.set(self._ledger_key, rows_of(ledger))
            paid = total(ledger.values()).paid
            lost = f"; {unreadable} rows cannot be read, and what they cost is not counted" if unreadable else ""
            return ledger, [f"{self.directory}: the ledger was damaged, and added up again from {paid} replies{lost}"]
        return (self._begun(cache), []) if self._anew else (ledger, [])

    def _begun(self, cache: Any) -> Ledger:
        """The ledger of a run that begins: what its pilots have paid, and nothing of an earlier run of its name."""
        pilots: Ledger = {}
        with contextlib.suppress(*DAMAGE):
            pilots = ledger_of(cache.get(self._ledger_key + PILOT))
        cache.delete(self._ledger_key + PILOT)
        cache.set(self._ledger_key, rows_of(pilots))
        return pilots

    def _short_of(self, there: int, paid: int) -> str:
        return (
            f"{self.directory} knows {there} paid calls of this run, its manifest {paid}: {paid} count against the "
            "budget; replies that are not there are paid for again where they are needed"
        )

    def _fault(self, error: BaseException) -> StoreError:
        reason = "locked by another process" if isinstance(error, diskcache.Timeout) else str(error)
        # sqlite says DatabaseError itself of a file it cannot make sense of, and its heirs of what may pass
        broken = type(error) is sqlite3.DatabaseError
        return StoreError(
            f"the response store {self.directory}: {reason}",
            "a reply is used only once it is stored, so that it is never paid for twice",
            "move the folder away and run the same command again: settled problems stand in the log, the calls of the "
            "others are paid for again, and what was paid goes on counting against the budget (manifest.json has it)"
            if broken
            else "free the disk or make it writable, then run the same command again",
        )


def _in_turn(batch: list[_Operation]) -> tuple[list[_Claim], set[str]]:
    """The claims that are wanted, and the calls that are released. One given up before it was granted is neither."""
    wanted: dict[str, _Claim] = {}
    released: set[str] = set()
    for operation in batch:
        if isinstance(operation, _Claim):
            wanted[operation.key] = operation
        elif isinstance(operation, _Release) and wanted.pop(operation.key, None) is None:
            released.add(short(operation.key))
    return list(wanted.values()), released


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
