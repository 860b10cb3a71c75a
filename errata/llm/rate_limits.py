"""Limits that wait and never drop: requests and tokens per minute, calls in flight, by agent and over all.

Requests are spaced evenly, so that also a provider that looks at single seconds is content; tokens are counted from
the reservation until a minute after the reply. No window of 60 s holds more than the limit, and an agent that waits
for its own limit holds no place among the calls in flight.

A limit that nobody has named shows in the answers: where nearly all say 429 the agent pauses, longer each time, and
then one call at a time tries whether the provider is content, since many count also what they refuse.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext

from errata.llm.spec import AgentSpec

MINUTE = 61.2
"""Seconds that a minute's allowance is spread over: 2 % more, for what arrives later than it was sent."""
BURST = 0.5
"""Seconds of allowance that may be caught up on after a late wake-up; MINUTE covers it."""
LOOK = 0.1
"""Seconds between looks at the tokens of calls in flight."""

RECENT, MANY = 10, 8
"""Of so many last answers of an agent, how many must say 429 for it to pause; at random hardly ever so many do."""
LEAST = 0.001
"""Seconds slept at least, so that a remainder of rounding does not spin."""
LONGEST_ASKED = 3600.0
"""Seconds of a pause at most where the provider asks for more: then the calls have failed, and one tries again."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, MINUTE
"""Seconds of a pause; each is twice the one before, and the provider's Retry-After where that is longer."""

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class Limits:
    """The limits of all agents of a run."""

    def __init__(self, specs: Sequence[AgentSpec], concurrency: int, *, clock: Clock, sleep: Sleep) -> None:
        self._clock, self._sleep = clock, sleep
        self._all = asyncio.Semaphore(concurrency)
        self._lanes = {spec.name: _Lane(spec) for spec in specs}

    @asynccontextmanager
    async def slot(self, agent: str, tokens: int) -> AsyncIterator[Callable[[int], None]]:
        """A place for one request of `agent` that may take `tokens`; waits for it.

        Gives a function that takes the tokens really used. Without it the reservation stands, as a failed request
        may have been counted by the provider.
        """
        lane, taken = self._lanes[agent], tokens

        def settle(actual: int) -> None:
            nonlocal taken
            taken = actual
            lane.storm.over()

        async with lane.in_flight or nullcontext(), lane.storm.waited_out(self._clock, self._sleep):
            await self._enter(lane, tokens)
            try:
                yield settle
            finally:
                self._all.release()
                if lane.tokens:
                    lane.tokens.settle(self._clock(), tokens, taken)

    def refused(self, agent: str, retry_after: float | None) -> float:
        """The provider has answered a request of `agent` with 429; for how many seconds it has said nothing else."""
        now, storm = self._clock(), self._lanes[agent].storm
        storm.refused(now, retry_after or 0.0)
        return now - storm.since

    async def _enter(self, lane: _Lane, tokens: int) -> None:
        if not (lane.requests or lane.tokens):
            await self._all.acquire()
            return
        async with lane.turn:  # one call of the agent at a time waits, so that its allowance is taken when it is sent
            while (wait := lane.wait(self._clock(), tokens)) > 0:
                await self._sleep(wait)
            await self._all.acquire()
            lane.take(self._clock(), tokens)


class _Lane:
    """The limits of one agent."""

    def __init__(self, spec: AgentSpec) -> None:
        self.in_flight = asyncio.Semaphore(spec.concurrency) if spec.concurrency else None
        self.requests = _Requests(spec.rpm) if spec.rpm else None
        self.tokens = _Tokens(spec.tpm) if spec.tpm else None
        self.turn = asyncio.Lock()
        self.storm = _Storm()

    def wait(self, now: float, tokens: int) -> float:
        """Seconds until the next look, 0 when the request may go."""
        requests = self.requests.wait(now) if self.requests else 0.0
        return max(requests, self.tokens.wait(now, tokens) if self.tokens else 0.0)

    def take(self, now: float, tokens: int) -> None:
        if self.requests:
            self.requests.take(now)
        if self.tokens:
            self.tokens.take(tokens)


class _Storm:
    """The answers of one agent, and its pause while nearly all of them say 429."""

    def __init__(self) -> None:
        self._refused: deque[bool] = deque(maxlen=RECENT)
        self._raging = False
        self.since = float("inf")
        """When the first of the refusals came after which no request was served."""
        self._pause = 0.0
        self._until = float("-inf")
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def waited_out(self, clock: Clock, sleep: Sleep) -> AsyncIterator[None]:
        """Passes at once where there is no storm; else after the pause, one at a time."""
        if self._raging:
            async with self._turn:
                while self._raging and (wait := self._wait(clock())) > 0:
                    await sleep(max(wait, LEAST))
                if self._raging:
                    yield
                    return
        yield

    def _wait(self, now: float) -> float:
        self._until = min(self._until, now + self._pause)  # a clock that stepped back must not stall the run
        return self._until - now

    def refused(self, now: float, retry_after: float) -> None:
        self._refused.append(True)
        self.since = min(self.since, now)
        if now < self._until or not (self._raging or sum(self._refused) >= MANY):
            return  # sent before the pause began, or no storm
        if self._raging:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        else:  # half of what was needed last time
            self._pause = max(FIRST_PAUSE, self._pause / 2)
        self._raging = True
        self._pause = max(self._pause, min(retry_after, LONGEST_ASKED))
        self._until = now + self._pause

    def over(self) -> None:
        """A request was served."""
        self.since = float("inf")
        if self._raging:
            self._refused.clear()
        self._refused.append(False)
        self._raging, self._until = False, float("-inf")


class _Requests:
    """Evenly spaced requests: the generic cell rate algorithm."""

    def __init__(self, per_minute: int) -> None:
        self._interval = MINUTE / per_minute
        self._next = float("-inf")

    def wait(self, now: float) -> float:
        self._next = min(self._next, now + self._interval)  # a clock that stepped back must not stall the run
        return max(0.0, self._next - now)

    def take(self, now: float) -> None:
        self._next = max(self._next, now - BURST) + self._interval


class _Tokens:
    """A log of the last minute's tokens."""

    def __init__(self, per_minute: int) -> None:
        self._limit = per_minute
        self._held = 0
        self._log: deque[tuple[float, int]] = deque()
        self._logged = 0

    def wait(self, now: float, tokens: int) -> float:
        while self._log and self._log[0][0] + MINUTE <= now:  # as below, so that a wait of 0 means free
            self._logged -= self._log.popleft()[1]
        used = self._held + self._logged
        # a call larger than the whole allowance goes alone
        if used == 0 or used + tokens <= self._limit:
            return 0.0
        if not self._log:
            return LOOK
        wait = min(self._log[0][0] + MINUTE - now, MINUTE)
        return min(wait, LOOK) if self._held else wait

    def take(self, tokens: int) -> None:
        self._held += tokens

    def settle(self, now: float, reserved: int, actual: int) -> None:
        self._held -= reserved
        if self._log and self._log[-1][0] > now:  # a clock that stepped back: count the old entries from here
            self._log = deque([(now, self._logged)])
        self._log.append((now, actual))
        self._logged += actual
