"""Calls that wait to go out in a batch, and how they are divided into batches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from errata.llm.budget import Payment
from errata.llm.request import Reply, Request
from errata.llm.spec import Batching

OVERHEAD = 200
"""Bytes around a request in its batch."""


class Batched(NamedTuple):
    """A reply that came in a batch, its price in USD (None: unknown), and what this run has paid for it just now."""

    reply: Reply
    price: float | None
    payment: Payment | None


@dataclass(eq=False, slots=True)
class WaitingCall:
    """One call whose reply is to come in a batch."""

    key: str
    request: Request
    seed: int
    result: asyncio.Future[Batched]
    body: bytes = b""

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)


@dataclass
class Queue:
    """The calls of one agent that wait to be sent, by key."""

    calls: dict[str, WaitingCall] = field(default_factory=dict)

    def taken(self) -> list[WaitingCall]:
        """All of them; the queue is empty then."""
        calls, self.calls = list(self.calls.values()), {}
        return calls


def parts(calls: Iterable[WaitingCall], settings: Batching) -> Iterator[list[WaitingCall]]:
    """The calls in batches within the limits of number and size, in their order."""
    part: list[WaitingCall] = []
    size = 0
    for call in calls:
        more = len(call.body) + OVERHEAD
        if part and (len(part) >= settings.calls or size + more > settings.megabytes * 1e6):
            yield part
            part, size = [], 0
        part.append(call)
        size += more
    if part:
        yield part
