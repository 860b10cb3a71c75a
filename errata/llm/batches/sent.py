"""One batch that has a row in the store: who waits for its results, and how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from errata.llm.batches.api import BatchApi, Item
from errata.llm.batches.progress import OpenBatch
from errata.llm.batches.rows import BatchRow
from errata.llm.batches.waiting import WaitingCall
from errata.llm.budget import Payment
from errata.llm.payments import payment_of, reservation_of
from errata.llm.prices import cost
from errata.llm.rate_limits import Sleep
from errata.llm.request import ProviderFailure, Reply
from errata.llm.spec import AgentSpec, Batching, Price

GROUP = 256
"""Replies that are committed together."""
LONGEST_PAUSE_S = 60.0
READS = 5
"""Times that results are read while some are missing."""


@dataclass(eq=False)
class SentBatch:
    """A batch of one agent, from its row to its last result."""

    row: BatchRow
    spec: AgentSpec
    api: BatchApi
    began: float
    items: Sequence[Item] | None = None
    """Its requests; None in a process that has not made them."""
    maybe_sent: bool = False
    """The provider may have it, although its id is not known."""
    waiting: dict[str, WaitingCall] = field(default_factory=dict)
    read: set[int] = field(default_factory=set)
    """Places of the requests whose results have been read."""
    failed: dict[str, ProviderFailure] = field(default_factory=dict)
    done: int = 0
    failures: int = 0
    """Times that it did not get further."""
    task: asyncio.Task[None] | None = None

    @property
    def settings(self) -> Batching:
        return self.spec.batch or Batching()

    def progress(self, now: float) -> OpenBatch:
        done = max(self.done, len(self.read))
        return OpenBatch(self.spec.name, self.row.id, len(self.row.calls), done, now - self.began)

    def payment(self, place: int, reply: Reply, price: Price | None) -> tuple[float | None, Payment]:
        """The reply's price and what is booked for it."""
        key, stage = self.row.calls[place]
        if (call := self.waiting.get(key)) is not None:
            return payment_of(call.request, reply, price, reservation_of(call.request, price))
        tokens = (reply.prompt_tokens, reply.completion_tokens)
        usd = cost(price, *tokens, reply.cached_tokens, reply.cache_write_tokens) if price else None
        return usd, Payment(self.spec.name, stage, *tokens, usd or 0.0, priced=usd is not None)

    def taken(self) -> list[WaitingCall]:
        """Those who wait; nobody does then."""
        calls, self.waiting = list(self.waiting.values()), {}
        return calls

    def fail(self, error: Exception) -> None:
        """Fails those who wait, each with an error of its own where it is the provider's."""
        self.failures += 1
        wait = min(2.0**self.failures, LONGEST_PAUSE_S)
        for call in self.taken():
            call.fail(_copied(error, wait) if isinstance(error, ProviderFailure) else error)

    def fail_each(self, otherwise: ProviderFailure) -> None:
        """Fails those who wait with what their results say, or with what became of requests without one."""
        for call in self.taken():
            call.fail(_copied(self.failed.get(call.key, otherwise), 0.0))


def _copied(failure: ProviderFailure, wait: float) -> ProviderFailure:
    """The same failure, to be tried again after the same `wait` by all whom it meets, so that they share a batch."""
    copy = failure.__class__.__new__(failure.__class__)
    copy.__dict__.update(failure.__dict__)
    copy.args = failure.args
    copy.retry_after = max(failure.retry_after or 0.0, wait)
    return copy


def price_in(row: BatchRow) -> Price | None:
    return Price(**row.price) if row.price is not None else None


async def reads(sleep: Sleep) -> AsyncIterator[bool]:
    """One turn for each time that results may be read, with a pause between; whether there is another."""
    for turn in range(READS):
        yield turn + 1 < READS
        await sleep(float(2**turn))
