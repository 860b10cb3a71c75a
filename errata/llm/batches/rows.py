"""Batches at a provider as the store keeps them: which calls each holds, so that no process loses or repeats one.

    batches          -> the names of all open batches
    batch NAME       -> one of them, written and on disk before it is sent, its id once the provider has said it

A batch's row goes when all its results have been read. Every function here works on the store's rows within one
transaction (`Store.transact`).
"""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from errata.config.processes import is_running
from errata.llm.budget import Payment
from errata.llm.ledgers import book, ledger_of, rows_of
from errata.llm.store_file import BATCHES, DAMAGE, LEDGER, PAYMENT
from errata.llm.stored_reply import result_of

INDEX = f"{BATCHES}es"
SENDING_S = 900.0
"""Seconds that a process elsewhere may take to send a batch."""


def new_name() -> str:
    """A name that no other batch has; it stands in no transcript and no export."""
    return f"errata-{secrets.token_hex(10)}"


@dataclass(frozen=True)
class BatchRow:
    """One batch: who sent it to whom, and the call behind each of its requests."""

    name: str
    run: str
    """The ledger that pays."""
    agent: str
    model: str
    api_base: str | None
    calls: tuple[tuple[str, str], ...]
    """Key and stage of each call; the n-th is the request NAME-n."""
    price: dict[str, float] | None = None
    """USD per 1M tokens, as when it was sent."""
    id: str | None = None
    """The provider's; None while it is not known whether the provider has it."""
    at: float = field(default_factory=time.time)
    """Seconds of the wall clock when it was sent."""
    host: str = field(default_factory=platform.node)
    pid: int = field(default_factory=os.getpid)

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.calls]

    def custom_id(self, place: int) -> str:
        return f"{self.name}-{place}"

    def place_of(self, custom_id: object) -> int | None:
        """The place of the call behind a request; None where it is no request of this batch."""
        name, _, place = custom_id.rpartition("-") if isinstance(custom_id, str) else ("", "", "")
        return int(place) if name == self.name and place.isdecimal() and int(place) < len(self.calls) else None

    def others_sending(self, now: float) -> bool:
        """Whether another process may be about to send it."""
        if self.host == platform.node():
            return self.pid != os.getpid() and is_running(self.pid) and now - self.at < SENDING_S
        return 0 <= now - self.at < SENDING_S


class Begun(NamedTuple):
    """What came of beginning a batch: nothing in the way, or calls that are stored or in another batch by now."""

    stored: dict[str, Any]
    """Rows of replies, by key."""
    elsewhere: dict[str, str]
    """Names of batches, by key."""


def row_of(value: Any) -> BatchRow | None:
    """The row that was stored; None where it is none."""
    try:
        calls = tuple((str(key), str(stage)) for key, stage in value["calls"])
        return BatchRow(**{**value, "calls": calls})
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def open_rows(cache: Any) -> dict[str, BatchRow]:
    """All open batches by name."""
    rows = {name: row_of(_read(cache, f"{BATCHES} {name}")) for name in _names(cache)}
    return {name: row for name, row in rows.items() if row is not None}


def read(cache: Any, name: str) -> BatchRow | None:
    return row_of(_read(cache, f"{BATCHES} {name}"))


def begin(cache: Any, row: BatchRow) -> Begun:
    """Writes the row unless one of its calls is stored or in another batch: then nothing is written."""
    inside = {key: name for name, other in open_rows(cache).items() for key in other.keys}
    elsewhere = {key: inside[key] for key in row.keys if key in inside}
    replies = {key: _read(cache, key) for key in row.keys if key not in elsewhere}
    stored = {key: reply for key, reply in replies.items() if result_of(_without_payment(reply)) is not None}
    if not stored and not elsewhere:
        cache.set(INDEX, [*_names(cache), row.name])
        _write(cache, row)
    return Begun({key: _without_payment(reply) for key, reply in stored.items()}, elsewhere)


def sending(cache: Any, row: BatchRow) -> BatchRow:
    """The row with the present moment as that of its sending."""
    now = replace(row, at=time.time(), host=platform.node(), pid=os.getpid())
    _write(cache, now)
    return now


def identified(cache: Any, row: BatchRow, batch: str) -> BatchRow:
    """The row with the provider's id."""
    known = replace(row, id=batch)
    _write(cache, known)
    return known


def collect(
    cache: Any, row: BatchRow, run: str, replies: Iterable[tuple[str, dict[str, Any], Payment]], *, last: bool
) -> Collection[str]:
    """Commits the replies that are not stored yet, with their payments; gives the keys of those.

    With the `last` of them the batch is forgotten.
    """
    ledger_key = LEDGER + run
    ledger = _ledger(cache, ledger_key)
    fresh = set()
    for key, reply, payment in replies:
        if result_of(_without_payment(_read(cache, key))) is not None:
            continue
        cache.set(key, {**reply, PAYMENT: [run, *payment]})
        book(ledger, payment)
        fresh.add(key)
    if fresh:
        cache.set(ledger_key, rows_of(ledger))
    if last:
        finish(cache, row.name)
    return fresh


def finish(cache: Any, name: str) -> None:
    """Forgets the batch: all its results have been read, or it was never created."""
    cache.set(INDEX, [each for each in _names(cache) if each != name])
    cache.delete(f"{BATCHES} {name}")


def _names(cache: Any) -> list[str]:
    names = _read(cache, INDEX)
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _write(cache: Any, row: BatchRow) -> None:
    cache.set(f"{BATCHES} {row.name}", asdict(row))


def _ledger(cache: Any, key: str) -> Any:
    try:
        return ledger_of(cache.get(key))
    except DAMAGE:
        return {}  # added up again from the replies when the store is opened


def _read(cache: Any, key: str) -> Any:
    try:
        return cache.get(key)
    except DAMAGE:
        return None


def _without_payment(row: Any) -> Any:
    return {name: value for name, value in row.items() if name != PAYMENT} if isinstance(row, dict) else row
