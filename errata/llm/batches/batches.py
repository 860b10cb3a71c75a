"""The batches of a run: calls wait until no graph asks for more, go out together, and are answered as results are read.

    call -> waits with others -> row of the batch on disk -> the batch's life (life.py) -> reply

A process that dies at any of these moments leaves the row: the next one that needs one of its calls finds the batch at
the provider, by its id or by its name, and reads it. Nothing is sent again unless the provider does not have it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from errata.llm.batches import rows
from errata.llm.batches.api import BatchApi, Item
from errata.llm.batches.life import BatchLife
from errata.llm.batches.progress import BatchProgress
from errata.llm.batches.rows import BatchRow
from errata.llm.batches.sent import SentBatch
from errata.llm.batches.waiting import Batched, Queue, WaitingCall, parts
from errata.llm.budget import Payment
from errata.llm.endpoint import api_base_of
from errata.llm.rate_limits import Clock, Sleep
from errata.llm.request import Backend, ProviderFailure, Reply, Request
from errata.llm.spec import AgentSpec, Batching, Price
from errata.llm.store import Store
from errata.llm.stored_reply import result_of, without_user

if TYPE_CHECKING:
    import aiohttp

LONGEST_WAIT_S = 300.0
"""Seconds after which calls are sent although others are still on their way."""


class Batches:
    """All batches of a gateway.

    Args:
        prices: of each agent in batches.
        backend: of an agent, for single calls.
        clean: what is done to a reply before it is stored.
        on_orphan: hears of a payment for a reply that nobody waits for.
    """

    def __init__(
        self,
        specs: Sequence[AgentSpec],
        store: Store,
        *,
        prices: Mapping[str, Price | None],
        backend: Callable[[AgentSpec], Backend],
        clean: Callable[[Reply], Reply],
        on_orphan: Callable[[Payment], None],
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._store, self._prices, self._backend = store, prices, backend
        self._clock, self._sleep = clock, sleep
        self._life = BatchLife(store, clean, on_orphan, sleep, self._ids, self._forget, self._again)
        self._apis: dict[str, BatchApi] = {}
        self._session: aiohttp.ClientSession | None = None
        self._queues: dict[str, Queue] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._inside: dict[str, SentBatch] = {}
        """The batch that holds a call, by the call's key."""
        self._sent: dict[str, SentBatch] = {}
        self._last_asked = clock()
        self.live = 0
        """Single calls on their way, whose replies may let a graph ask for more."""

    def hold(self, spec: AgentSpec, key: str) -> bool:
        """Whether the call's reply is to come in a batch: the agent's calls go out so, or this one already did."""
        return spec.batch is not None or key in self._inside

    async def load(self) -> None:
        """Takes up the batches that the store knows; those of this run are read, whoever asks for them."""
        for name, row in (await self._store.transact(rows.open_rows)).items():
            spec = self._specs.get(row.agent)
            base = without_user(api_base_of(spec)) if spec else None
            if name in self._sent or spec is None or (spec.model, base) != (row.model, row.api_base):
                continue
            batch = self._hold(SentBatch(row, spec, self._api(spec), self._clock(), maybe_sent=True))
            if self._life.payer(row) == self._store.run:
                self._start(batch)

    async def result(self, key: str, request: Request, seed: int) -> Batched:
        """The reply, once its batch has come back. Raises ProviderFailure, and StoreError."""
        call = WaitingCall(key, request, seed, asyncio.get_running_loop().create_future())
        self._take(call)
        try:
            return await call.result
        except asyncio.CancelledError:
            self._drop(call)
            raise

    def progress(self) -> BatchProgress:
        now = self._clock()
        waiting = sum(len(queue.calls) for queue in self._queues.values())
        return BatchProgress(waiting, [batch.progress(now) for batch in self._sent.values()])

    def abandon(self) -> None:
        """Gives up batches that are just being sent: the next run finds out whether they were."""
        for creation in self._life.creations:
            creation.cancel()

    async def close(self) -> None:
        """Lets go of all batches, which stay at their providers; one that is just being sent is sent."""
        tasks = [*self._senders.values(), *(batch.task for batch in self._sent.values() if batch.task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._life.creations, return_exceptions=True)
        for api in self._apis.values():
            await api.close()
        self._apis.clear()
        if self._session is not None:
            await self._session.close()
        self._session = None

    # ---- calls that wait ---------------------------------------------------------------------------------------------

    def _take(self, call: WaitingCall) -> None:
        batch, spec = self._inside.get(call.key), call.request.spec
        if batch is not None:
            batch.waiting[call.key] = call
            self._start(batch)
        elif spec.batch is None:  # it was to be in a batch that was never created: it is asked alone
            call.fail(ProviderFailure("its batch was never created", transient=True))
        else:
            self._last_asked = self._clock()
            self._queues.setdefault(spec.name, Queue()).calls[call.key] = call
            sender = self._senders.get(spec.name)
            if sender is None or sender.done():
                self._senders[spec.name] = asyncio.create_task(self._send(spec, spec.batch))

    def _drop(self, call: WaitingCall) -> None:
        batch = self._inside.get(call.key)
        for calls in (self._queues.get(call.request.spec.name, Queue()).calls, batch.waiting if batch else {}):
            if calls.get(call.key) is call:
                del calls[call.key]

    async def _send(self, spec: AgentSpec, settings: Batching) -> None:
        """Sends the agent's calls that wait, as long as there are any."""
        queue, api = self._queues[spec.name], self._api(spec)
        while queue.calls:
            await self._quiet(queue, settings)
            ready = []
            taken = queue.taken()
            try:
                for call in taken:
                    if not call.result.done():
                        call.body = await api.body(call.request, call.seed)
                        ready.append(call)
                ready.sort(key=lambda call: call.key)  # the same calls make the same batch
                for part in parts(ready, settings):
                    await self._begin(spec, part)
            except Exception as error:  # those who wait must hear of it
                for call in taken:
                    if call.key not in self._inside:
                        call.fail(error)

    async def _quiet(self, queue: Queue, settings: Batching) -> None:
        """Waits until nobody has asked for a while and no single call is on its way, or there is enough for a batch."""
        since = self._clock()
        while len(queue.calls) < settings.calls:
            now = self._clock()
            calm = now - self._last_asked >= settings.quiet_s and not self.live
            if calm or now - since >= LONGEST_WAIT_S:
                return
            await self._sleep(min(max(settings.quiet_s / 4, 0.01), 0.5))

    async def _begin(self, spec: AgentSpec, part: Sequence[WaitingCall]) -> None:
        """Writes the batch's row and starts it; calls that another process has got further with are left to that."""
        calls = [call for call in part if not call.result.done()]
        while calls:
            price = self._prices[spec.name]
            row = BatchRow(
                name=rows.new_name(),
                run=self._store.run,
                agent=spec.name,
                model=spec.model,
                api_base=without_user(api_base_of(spec)),
                calls=tuple((call.key, call.request.stage) for call in calls),
                price=price.model_dump(exclude_none=True) if price else None,
            )
            begun: rows.Begun = await self._store.transact(partial(rows.begin, row=row))
            if not begun.stored and not begun.elsewhere:
                batch = SentBatch(row, spec, self._api(spec), self._clock())
                batch.items = [Item(row.custom_id(place), call.body) for place, call in enumerate(calls)]
                batch.waiting = {call.key: call for call in calls}
                self._start(self._hold(batch))
                return
            await self._leave(calls, begun)
            calls = [call for call in calls if call.key not in begun.stored and call.key not in begun.elsewhere]

    async def _leave(self, calls: Sequence[WaitingCall], begun: rows.Begun) -> None:
        await self.load()
        for call in calls:
            stored = result_of(begun.stored.get(call.key))
            if stored is not None and stored.reply is not None and not call.result.done():
                call.result.set_result(Batched(stored.reply, stored.price, None))
            elif call.key in begun.elsewhere:
                self._take(call)

    # ---- batches -----------------------------------------------------------------------------------------------------

    def _hold(self, batch: SentBatch) -> SentBatch:
        self._sent[batch.row.name] = batch
        self._inside |= dict.fromkeys(batch.row.keys, batch)
        return batch

    def _start(self, batch: SentBatch) -> None:
        if batch.task is None or batch.task.done():
            batch.task = asyncio.create_task(self._life.run(batch))

    def _forget(self, batch: SentBatch) -> None:
        self._sent.pop(batch.row.name, None)
        for key in batch.row.keys:
            if self._inside.get(key) is batch:
                del self._inside[key]

    def _again(self, calls: Sequence[WaitingCall]) -> None:
        for call in calls:
            self._take(call)

    def _ids(self) -> frozenset[str]:
        return frozenset(batch.row.id for batch in self._sent.values() if batch.row.id)

    def _api(self, spec: AgentSpec) -> BatchApi:
        if spec.name not in self._apis:
            if self._session is None:
                from errata.llm.backends.sessions import new_session

                self._session = new_session()
            self._apis[spec.name] = _api_of(spec, self._backend(spec), self._session)
        return self._apis[spec.name]


def _api_of(spec: AgentSpec, backend: Any, session: aiohttp.ClientSession) -> BatchApi:
    if spec.model.startswith("openai/"):
        from errata.llm.batches.openai_api import OpenAIBatches

        return OpenAIBatches(spec, backend, session)
    from errata.llm.batches.anthropic_api import AnthropicBatches

    return AnthropicBatches(spec, backend, session)
