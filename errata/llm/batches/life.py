"""The life of one batch: sent once, found again after a kill, looked at until it has ended, its results stored.

row on disk -> sent -> its id on disk -> looked at -> results stored as they are read -> row forgotten
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from errata.llm.batches import rows
from errata.llm.batches.api import BatchState, Item
from errata.llm.batches.rows import BatchRow
from errata.llm.batches.sent import GROUP, LONGEST_PAUSE_S, SentBatch, price_in, reads
from errata.llm.batches.waiting import Batched, WaitingCall
from errata.llm.budget import Payment
from errata.llm.rate_limits import Sleep
from errata.llm.request import ProviderFailure, Reply
from errata.llm.retries import RateLimited
from errata.llm.store import PILOT, Store
from errata.llm.stored_reply import row_of

PATIENCE = 60
"""Failures in a row of looks at a batch; it goes on at the provider meanwhile."""
KEPT_S = 30 * 86_400.0
"""Seconds that a provider keeps results for; a batch that it does not know and that is older is gone."""


@dataclass
class BatchLife:
    """What all batches of a run share on their way.

    clean: what is done to a reply before it is stored. on_orphan: hears of a payment for a reply that nobody waits for.
    ids: those of all batches of this process. forget: takes a batch out of this process's books. again: takes calls
    whose batch was never created.
    """

    store: Store
    clean: Callable[[Reply], Reply]
    on_orphan: Callable[[Payment], None]
    sleep: Sleep
    ids: Callable[[], frozenset[str]]
    forget: Callable[[SentBatch], None]
    again: Callable[[Sequence[WaitingCall]], None]
    creations: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, batch: SentBatch) -> None:
        """From its row to its results. What fails on the way fails the calls that wait; who asks again goes on here."""
        try:
            if await self._at_provider(batch):
                await self._read(batch, await self._ended(batch))
        except Exception as error:  # those who wait must hear of it
            batch.fail(error)

    async def _at_provider(self, batch: SentBatch) -> bool:
        """Sees to it that the provider has the batch; False where it does not and its requests are not known here."""
        if batch.row.id is None and batch.maybe_sent:
            batch.row = await self._look_up(batch)
        if batch.row.id is not None:
            return True
        if batch.items is None:
            await self._forget(batch)
            self.again(batch.taken())
            return False
        creation = asyncio.create_task(self._create(batch, batch.items))
        self.creations.add(creation)
        creation.add_done_callback(self.creations.discard)
        try:
            await asyncio.shield(creation)
        except ProviderFailure as failure:
            if not failure.transient:  # it was refused: nothing is there to be found
                await self._forget(batch)
            raise
        return True

    async def _create(self, batch: SentBatch, items: Sequence[Item]) -> None:
        prepared = await batch.api.prepare(batch.row.name, items)
        batch.row = await self.store.transact(partial(rows.sending, row=batch.row))
        batch.maybe_sent = True
        try:
            name = await batch.api.create(batch.row.name, items, prepared)
        except ProviderFailure as failure:
            batch.maybe_sent = failure.transient and not failure.unreached and not isinstance(failure, RateLimited)
            raise
        batch.row = await self.store.transact(partial(rows.identified, row=batch.row, batch=name))

    async def _look_up(self, batch: SentBatch) -> BatchRow:
        """The row with the id of a batch that may have been sent, found at the provider; without where it was not."""
        while True:
            row: BatchRow | None = await self.store.transact(partial(rows.read, name=batch.row.name))
            if row is None or row.id is not None:  # another process has got further
                return row or batch.row
            batch_id = await batch.api.find(row, self.ids())
            if batch_id is not None and batch_id != "later":
                identified: BatchRow = await self.store.transact(partial(rows.identified, row=row, batch=batch_id))
                return identified
            now = time.time()
            fresh = row.others_sending(now) or 0 <= now - row.at < batch.settings.grace_s
            if batch_id is None and not fresh:
                return row
            await self.sleep(min(batch.settings.poll_s, max(batch.settings.grace_s / 4, 0.01)))

    async def _ended(self, batch: SentBatch) -> BatchState:
        """Looks at the batch until it has ended."""
        failures = 0
        while True:
            try:
                state = await batch.api.look(batch.row.id or "")
            except ProviderFailure as failure:
                if failure.message.startswith("404") and time.time() - batch.row.at > KEPT_S:
                    return BatchState(ended=True, missing=ProviderFailure("the batch is gone", transient=True))
                failures += 1
                if not failure.transient or failures > PATIENCE:
                    raise
                await self.sleep(max(failure.retry_after or 0.0, min(2.0**failures, LONGEST_PAUSE_S)))
                continue
            failures, batch.done = 0, state.done
            if state.ended:
                return state
            await self.sleep(batch.settings.poll_s)

    async def _read(self, batch: SentBatch, state: BatchState) -> None:
        """Stores all results. Those that are missing though the batch has ended are looked for more than once."""
        async for again in reads(self.sleep):
            try:
                rest = await self._read_once(batch, state)
            except ProviderFailure as failure:
                if not (failure.transient and again):
                    raise
                continue
            complete = len(batch.read) + len(rest) == len(batch.row.calls)
            last = bool(complete or state.missing or not again)
            await self._commit(batch, rest, last=last)
            if last:
                break
        batch.fail_each(state.missing or ProviderFailure("its batch has no result for it", transient=True, billed=True))

    async def _read_once(self, batch: SentBatch, state: BatchState) -> Sequence[tuple[int, Reply]]:
        """Reads the results from the first to the last; gives those that are not committed yet."""
        group: dict[int, Reply] = {}
        async with aclosing(batch.api.results(batch.row.id or "", state)) as lines:
            async for line in lines:
                place = batch.row.place_of(line.get("custom_id"))
                if place is None or place in batch.read or place in group:
                    continue
                if (reply := await self._reply(batch, place, line)) is not None:
                    group[place] = reply
                if len(group) >= GROUP:
                    await self._commit(batch, [*group.items()])
                    group = {}
        return [*group.items()]

    async def _reply(self, batch: SentBatch, place: int, line: dict[str, Any]) -> Reply | None:
        """The reply in a line of results; None where it holds a failure, which is kept for whoever waits."""
        key = batch.row.calls[place][0]
        call = batch.waiting.get(key)
        try:
            return self.clean(await batch.api.reply(line, call.request if call else None, call.seed if call else 0))
        except ProviderFailure as failure:
            batch.failed[key] = failure
            batch.read.add(place)
            return None

    async def _commit(self, batch: SentBatch, group: Sequence[tuple[int, Reply]], *, last: bool = False) -> None:
        """Stores replies with their payments, and gives them to those who wait; with the last the row goes."""
        price, payer = price_in(batch.row), self.payer(batch.row)
        paid = [(batch.row.calls[place][0], reply, batch.payment(place, reply, price)) for place, reply in group]
        entries = [(key, row_of(reply, usd), payment) for key, reply, (usd, payment) in paid]
        fresh = await self.store.transact(partial(rows.collect, row=batch.row, run=payer, replies=entries, last=last))
        batch.read.update(place for place, _ in group)
        if last:
            self.forget(batch)
        for key, reply, (usd, payment) in paid:
            mine = payment if key in fresh and payer == self.store.run else None
            call = batch.waiting.pop(key, None)
            if call is not None and not call.result.done():
                call.result.set_result(Batched(reply, usd, mine))
            elif mine is not None:
                self.on_orphan(mine)

    async def _forget(self, batch: SentBatch) -> None:
        await self.store.transact(partial(rows.finish, name=batch.row.name))
        self.forget(batch)

    def payer(self, row: BatchRow) -> str:
        """The ledger that pays; what a pilot has sent, the run pays that takes it up."""
        return self.store.run if row.run == self.store.run + PILOT else row.run
