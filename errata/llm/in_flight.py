"""Calls under way: who asks for one that is being made joins it, and one that was sent runs to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from errata.llm.budget import Payment
from errata.llm.stored_reply import CallResult


@dataclass(slots=True)
class InFlightCall:
    """One call under way, with those who wait for it."""

    task: asyncio.Task[CallResult] | None = None
    waiting: int = 0
    sent: bool = False
    """The provider has it or its reply is being stored: it runs to its end."""
    reserved: bool = False
    """The budget holds what it may take."""
    payment: Payment | None = None
    stored: bool = False
    """Its reply is in the store, so that this process has no claim to give up."""


Make = Callable[[InFlightCall], Coroutine[Any, Any, CallResult]]


class InFlightCalls:
    """All calls under way, by key."""

    def __init__(self) -> None:
        self._calls: dict[str, InFlightCall] = {}
        self._tasks: set[asyncio.Task[CallResult]] = set()

    async def result(self, key: str, make: Make) -> tuple[CallResult, bool]:
        """The call's result, and whether it was under way already; else `make` makes it.

        A call that nobody waits for any more is cancelled unless it was sent.
        """
        call = self._calls.get(key)
        joined = call is not None
        if call is None:
            call = self._launch(key, make)
        return await self._await(key, call), joined

    async def drained(self) -> None:
        """Waits for all of them."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def abandon(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _launch(self, key: str, make: Make) -> InFlightCall:
        call = InFlightCall()
        task = call.task = asyncio.create_task(make(call))
        self._calls[key] = call
        self._tasks.add(task)

        def on_done(task: asyncio.Task[CallResult]) -> None:
            self._tasks.discard(task)
            if self._calls.get(key) is call:
                del self._calls[key]
            if not task.cancelled():
                task.exception()  # retrieved, also where everyone who waited was cancelled

        task.add_done_callback(on_done)
        return call

    async def _await(self, key: str, call: InFlightCall) -> CallResult:
        assert call.task is not None
        call.waiting += 1
        try:
            return await asyncio.shield(call.task)
        finally:
            call.waiting -= 1
            if not call.waiting and not call.sent and not call.task.done():
                del self._calls[key]
                call.task.cancel()
