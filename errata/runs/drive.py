"""The driver of synthesis and of evals: workers over a stream of work, the stop signal, ticks, exit codes.

    work --iterator--> workers --one at a time each--> done
                          |
                          +-> a first stop, or an error: no new work begins, what is in flight ends
                          +-> a second stop: workers are cut off, what they held stays pending

What is done with one piece of work is passed in. It raises ErrataError for what concerns all of the work; what concerns
its own piece alone it has to settle itself.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from errata.errors import (
    EXIT_BUDGET,
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_OTHER,
    EXIT_SOME_FAILED,
    EXIT_USAGE,
    BudgetExhausted,
    ErrataError,
)
from errata.runs.counters import Snapshot, StopSignal, Watch

TICK_S = 0.5
"""Seconds between two snapshots shown."""
SAVE_EVERY_S = 5.0
"""Seconds between two refreshed manifests."""
PRECEDENCE = (EXIT_INTERRUPTED, EXIT_BUDGET, EXIT_OTHER, EXIT_USAGE, EXIT_SOME_FAILED)
"""Which exit code stands where several apply."""

T = TypeVar("T")


@dataclass
class Driver:
    """Runs workers until the work is done, a stop is requested or an error concerns all of it.

    `errors` holds what ended it early; work may be driven in several parts, one after the other.
    """

    stop: StopSignal
    errors: list[ErrataError] = field(default_factory=list)

    @property
    def draining(self) -> bool:
        """Whether no new work begins."""
        return bool(self.stop.requests or self.errors)

    async def drive(self, work: Iterable[T], settle: Callable[[T], Awaitable[None]], workers: int) -> None:
        """Settles each piece of the work once, `workers` at a time, begun in its order.

        ErrataError of the work's own iterator or of `settle` goes to `errors`; any other exception is raised when all
        workers have ended.
        """
        todo = iter(work)
        tasks = [asyncio.create_task(self._work(todo, settle)) for _ in range(workers)]
        stopper = asyncio.create_task(self._cut_off(tasks))
        try:
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result
        finally:
            stopper.cancel()

    async def _work(self, todo: Iterator[T], settle: Callable[[T], Awaitable[None]]) -> None:
        while not self.draining:
            try:
                await settle(next(todo))
            except StopIteration:
                return
            except ErrataError as error:
                self.errors.append(error)

    async def _cut_off(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        await self.stop.stopped.wait()
        for task in tasks:
            task.cancel()

    def exit_code(self, failed: int) -> int:
        """The exit code of all that has happened; `failed` pieces of work failed on their own."""
        codes = {error.exit_code for error in self.errors}
        if self.stop.requests:
            codes.add(EXIT_INTERRUPTED)
        if failed:
            codes.add(EXIT_SOME_FAILED)
        return next((code for code in PRECEDENCE if code in codes), EXIT_DONE)

    def error(self) -> ErrataError | None:
        """The first budget reached, else the first other error."""
        budgets = (error for error in self.errors if isinstance(error, BudgetExhausted))
        return next(budgets, next(iter(self.errors), None))


@asynccontextmanager
async def ticking(
    watch: Watch | None, snapshot: Callable[[], Snapshot], save: Callable[[], Awaitable[None]] | None = None
) -> AsyncIterator[None]:
    """Shows a snapshot every TICK_S and saves every SAVE_EVERY_S as long as this holds, and shows the last one."""
    over = asyncio.Event()
    ticker = asyncio.create_task(_tick(over, watch, snapshot, save))
    try:
        yield
    finally:
        over.set()
        await ticker


async def _tick(
    over: asyncio.Event,
    watch: Watch | None,
    snapshot: Callable[[], Snapshot],
    save: Callable[[], Awaitable[None]] | None,
) -> None:
    last_save = time.monotonic()
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), TICK_S)
        if watch:
            watch(snapshot())
        if over.is_set():
            return
        if save and time.monotonic() - last_save >= SAVE_EVERY_S:
            await save()
            last_save = time.monotonic()


def run_anywhere(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of `work`, with or without an event loop running in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    results: list[T] = []
    errors: list[BaseException] = []

    def inside() -> None:
        try:
            results.append(asyncio.run(work()))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=copy_context().run, args=(inside,))  # with the caller's tracing, for one
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
