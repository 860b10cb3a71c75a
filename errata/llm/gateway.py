"""Where every call to a model goes through: paid for once, within budget and limits, logged.

    store -> join a call in flight -> budget -> retries ( limits -> backend -> store ) -> fallbacks
                                                        ( or a batch, which stores it )

The gateway owns its calls: a graph that is cancelled stops waiting, while a call that was sent runs to its end and its
reply is stored. A call that nobody waits for and that was not sent yet is given up, as is one that costs nothing to
take back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Self

from errata.errors import AgentRefused
from errata.llm.backends.open_backends import OpenBackends
from errata.llm.batches.batches import Batches
from errata.llm.batches.waiting import Batched
from errata.llm.budget import Budget, BudgetGuard, Ledger, Payment, Reservation
from errata.llm.call_key import call_key, seed_of
from errata.llm.callbacks import with_callbacks
from errata.llm.declined import Declined, Refused
from errata.llm.fallback import Fallbacks
from errata.llm.in_flight import InFlightCall, InFlightCalls
from errata.llm.payments import payment_of, payment_of_lost, reservation_of
from errata.llm.preflight import check
from errata.llm.prices import price_notes, price_of
from errata.llm.rate_limits import Clock, Limits, Sleep
from errata.llm.refusals import Refusals, give_up
from errata.llm.reply_counts import too_short
from errata.llm.request import Backend, ProviderFailure, Reply, Request
from errata.llm.retries import RateLimited, repeated
from errata.llm.spec import Agents, AgentSpec
from errata.llm.spent import Spent
from errata.llm.store import Store, StoreError
from errata.llm.stored_reply import (
    CallResult,
    call_of,
    cleaned,
    keys_in,
    public,
    result_of,
    row_of,
    secrets_of,
)
from errata.llm.structured import logged_format
from errata.llm.tracing import annotate_call, traced_call
from errata.llm.unknown_prompts import unknown_prompt_notes
from errata.records import Call

FIRST_LOOK_S, LONGEST_LOOK_S = 0.05, 1.0
"""Seconds between looks at a call that another process makes, doubled each time."""


class Gateway:
    """Implements errata.llm.request.Ask. Open it with `Gateway.open` and `async with`."""

    def __init__(
        self,
        agents: Agents,
        *,
        seed: int,
        budget: Budget,
        concurrency: int,
        store: Store,
        clock: Clock,
        sleep: Sleep,
        declined: Declined,
    ) -> None:
        specs = agents.everyone
        self._seed, self._sleep, self._store, self._clock = seed, sleep, store, clock
        self._prices = {spec.name: price_of(spec) for spec in specs}
        self._backends = OpenBackends()
        self._fingerprints = {spec.name: self._backends.of(spec).fingerprint(spec) for spec in specs}
        self._limits = Limits(specs, concurrency, clock=clock, sleep=sleep)
        self._fallbacks = Fallbacks(specs, clock)
        self._declined = declined
        self._budget = BudgetGuard(budget, store.paid)
        self._in_flight = InFlightCalls()
        self._notes = (*store.notes, *price_notes(specs))
        self._broken: StoreError | None = None
        secrets = secrets_of(specs)
        self._refusals, self._keys = Refusals(secrets), keys_in(secrets)
        self.batches = Batches(
            specs,
            store,
            prices=self._prices,
            backend=self._backends.of,
            clean=partial(cleaned, keys=self._keys),
            on_orphan=self._book_orphan,
            clock=clock,
            sleep=sleep,
        )
        self.spent = Spent(before=store.paid, refused=declined.refused)

    @classmethod
    def open(
        cls,
        agents: Agents,
        *,
        seed: int,
        budget: Budget,
        concurrency: int,
        store: Path,
        ledger: str,
        known: Ledger | None = None,
        anew: bool = False,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        refused: Refused | None = None,
    ) -> Self:
        """A gateway over the response store in `store`, counting payments for the run directory named `ledger`.

        Args:
            known: what the run directory itself says that it has paid; the store may have been lost.
            anew: the run directory is new, and what the store knows under its name was paid by another.
            refused: what the agents' providers did not take of requests in earlier runs.

        Raises UsageError for a model string without a provider, a dollar budget over an unknown price, a recording
        that cannot be read; StoreError where the store cannot be opened. No call is made.
        """
        check(agents, budget)
        opened = Store(store, ledger, known=known, anew=anew)
        try:
            return cls(
                agents,
                seed=seed,
                budget=budget,
                concurrency=concurrency,
                store=opened,
                clock=clock,
                sleep=sleep,
                declined=Declined(refused or {}),
            )
        except BaseException:
            opened.close()
            raise

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know: a store that was repaired, missing prices, unknown prompts."""
        return (
            *self._notes,
            *self._declined.notes(),
            *too_short(self.spent.replies).values(),
            *unknown_prompt_notes(self.spent.unknown_prompts),
        )

    @property
    def refused(self) -> dict[str, AgentRefused]:
        """The refusals so far, by agent: also those of agents in whose place a fallback has answered."""
        return dict(self._refusals.refused)

    async def __aenter__(self) -> Self:
        await self.batches.load()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Waits for calls in flight, so that every paid reply is committed, and closes backends and store.

        Batches stay at their providers, to be read by the next who needs their replies.
        """
        try:
            await self._in_flight.drained()
            await self.batches.close()
            await self._backends.close()
        finally:
            self._store.close()  # also when waiting was cut short: what has come in is committed

    def abandon(self) -> None:
        """Gives up what is on its way: replies that have not come yet are paid and lost."""
        self._in_flight.abandon()
        self.batches.abandon()

    async def __call__(self, request: Request) -> Call:
        return await traced_call(request, partial(self._call, request))

    async def _call(self, request: Request) -> Call:
        backend = self._backends.of(request.spec)
        if not backend.paid:
            return call_of(request, await self._replay(backend, request), {})
        if request.spec.fallback is None:
            request, result = await self._first_reply(request)
        else:
            request, result = await self._fallbacks.first_result(request, self._is_stored, self._first_reply)
        annotate_call(stored=result.stored)
        parameters = public(request.parameters) | logged_format(request)
        if "seed" not in request.spec.extra:
            parameters["seed"] = seed_of(self._seed, request)
        return call_of(request, result, parameters)

    async def _first_reply(self, request: Request) -> tuple[Request, CallResult]:
        """The request as it was made and its result: without what its provider does not take."""
        while True:
            settled = self._settled(request)
            result = await self._result(settled)
            if result.declined is None:
                return settled, result
            self._declined.leave_out(result.declined, request.spec.name, result.failure or "")

    async def _is_stored(self, request: Request) -> bool:
        return result_of(await self._store.get(self._key(self._settled(request)))) is not None

    def _settled(self, request: Request) -> Request:
        return self._declined.settled(request, self._backends.of(request.spec))

    async def _result(self, request: Request) -> CallResult:
        key = self._key(request)
        result, joined = await self._in_flight.result(key, partial(self._complete, key, request))
        if joined:
            self.spent.count(request, result)
        return result._replace(stored=True) if joined else result

    # ---- calls under way ---------------------------------------------------------------------------------------------

    async def _complete(self, key: str, request: Request, in_flight: InFlightCall) -> CallResult:
        """One call, from the store or the provider; counted here, since whoever asked may be gone."""
        try:
            result = await self._stored(key)
            if result is not None:
                in_flight.stored = True
                self.spent.count(request, result)
                return result
            return await self._paid_call(key, request, in_flight)
        finally:
            if not in_flight.stored:
                self._store.release(key)

    async def _stored(self, key: str) -> CallResult | None:
        """The stored reply; None once the call is ours to make. One that another process makes is waited for."""
        wait = FIRST_LOOK_S
        while True:
            claimed = await self._store.claim(key)
            result = result_of(claimed.row)
            if result is not None:
                return result._replace(stored=True)
            if claimed.ours:
                return None
            await self._sleep(wait)
            wait = min(2 * wait, LONGEST_LOOK_S)
            await self.batches.load()  # it may have been left in a batch

    async def _paid_call(self, key: str, request: Request, in_flight: InFlightCall) -> CallResult:
        self._check_open(request.spec)
        need = reservation_of(request, self._prices[request.spec.name])
        try:
            attempt = partial(self._attempt, in_flight, key, request, need)
            return await repeated(attempt, request.spec.retries, key, self._sleep)
        except ProviderFailure as failure:
            declined = self._declined.part_of(request, failure)
            result = self._refusals.result(request.spec, failure)._replace(declined=declined)
            self.spent.count(request, result)
            return result
        finally:
            if in_flight.reserved:
                self._budget.settle(request.stage, need, in_flight.payment)

    async def _attempt(self, in_flight: InFlightCall, key: str, request: Request, need: Reservation) -> CallResult:
        """Asks once and commits the reply. Its place is free only then: a kill loses no more calls than are places."""
        if not in_flight.reserved:
            await self._budget.reserve(request.stage, need)
            in_flight.reserved = True
        if self.batches.hold(request.spec, key):
            return await self._in_batch(in_flight, key, request, need)
        async with self._limits.slot(request.spec.name, need.tokens) as settle:
            self._check_open(request.spec)
            self._budget.check(request.stage, need)
            if not in_flight.waiting:  # it failed while everyone who waited was cancelled
                raise asyncio.CancelledError
            began = self._clock()
            reply = await self._sent(self._backends.of(request.spec), in_flight, request, need)
            in_flight.sent = True
            settle(reply.prompt_tokens + reply.completion_tokens or need.tokens)
            price, in_flight.payment = payment_of(request, reply, self._prices[request.spec.name], need)
            self.spent.pay(request, reply, in_flight.payment, self._clock() - began)
            await self._commit(self._store.put(key, row_of(reply, price), in_flight.payment))
            in_flight.stored = True
            return CallResult(reply, price)

    async def _sent(self, backend: Backend, in_flight: InFlightCall, request: Request, need: Reservation) -> Reply:
        """Asks the provider. A reply that is billed and of no use is booked before its failure is raised."""
        in_flight.sent = backend.remote
        self.batches.live += 1
        try:
            return await self._ask(backend, request)
        except BaseException as error:
            if isinstance(error, ProviderFailure) and error.billed:
                in_flight.reserved = False
                await self._book_lost(request, error, need)
            in_flight.sent = False
            if isinstance(error, RateLimited):
                give_up(request.spec, self._limits.refused(request.spec.name, error.retry_after), error)
            raise
        finally:
            self.batches.live -= 1

    async def _in_batch(self, in_flight: InFlightCall, key: str, request: Request, need: Reservation) -> CallResult:
        """Waits for the reply from a batch, where it has been stored; whoever gives up leaves the batch as it is."""
        self._check_open(request.spec)
        self._budget.check(request.stage, need)
        began, came = self._clock(), list[Batched]()

        async def reply() -> Reply:
            came.append(await self.batches.result(key, request, seed_of(self._seed, request)))
            return came[-1].reply

        try:
            await self._asked_of(request, reply)
        except ProviderFailure as failure:
            if failure.billed:
                in_flight.reserved = False
                await self._book_lost(request, failure, need)
            raise
        except StoreError as error:
            self._broken = error
            raise
        batched = came[-1]
        result = CallResult(batched.reply, batched.price)
        if batched.payment is None:  # another run has paid
            self.spent.count(request, result)
        else:
            in_flight.payment = batched.payment
            self.spent.pay(request, batched.reply, batched.payment, self._clock() - began)
        return result

    def _book_orphan(self, payment: Payment) -> None:
        self.spent.pay_orphan(payment)
        self._budget.book(payment)

    async def _book_lost(self, request: Request, failure: ProviderFailure, need: Reservation) -> None:
        """Books a reply that cannot be used at once: it may be tried again, within the budget."""
        payment = payment_of_lost(request, failure, self._prices[request.spec.name], need)
        self.spent.at(request).pay(payment)
        self._budget.settle(request.stage, need, payment)
        await self._commit(self._store.pay(payment))

    async def _commit(self, commit: Awaitable[None]) -> None:
        try:
            await commit
        except StoreError as error:
            self._broken = error  # later calls would be paid and lost as well
            raise

    async def _replay(self, backend: Backend, request: Request) -> CallResult:
        try:
            return CallResult(await self._ask(backend, request))
        except ProviderFailure as failure:
            result = self._refusals.result(request.spec, failure)
            self.spent.count(request, result)
            return result

    async def _ask(self, backend: Backend, request: Request) -> Reply:
        return await self._asked_of(request, partial(backend.complete, request, seed_of(self._seed, request)))

    async def _asked_of(self, request: Request, call: Callable[[], Awaitable[Reply]]) -> Reply:
        try:
            reply = await with_callbacks(request, call)
        except ProviderFailure as failure:
            if not failure.unreached:
                self._refusals.reached(request.spec)
            raise
        self._refusals.reached(request.spec)
        if reply.unknown_prompt:
            self.spent.unknown_prompts[request.prompt] += 1
        return cleaned(reply, self._keys)

    # ---- parts -------------------------------------------------------------------------------------------------------

    def _key(self, request: Request) -> str:
        return call_key(self._seed, request, self._fingerprints[request.spec.name])

    def _check_open(self, spec: AgentSpec) -> None:
        if self._broken:
            raise self._broken.with_traceback(None)
        self._refusals.check(spec)
