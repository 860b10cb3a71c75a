"""Limits under an injected clock: no window of a minute holds more than allowed, and nothing is dropped."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errata.llm.rate_limits import MANY, Limits
from errata.llm.spec import AgentSpec
from errata.records import draw


class Time:
    """A clock that stands still until everyone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._numbers = count()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._numbers), woken))
        await woken.wait()

    async def run(self, *work: asyncio.Task[None]) -> None:
        """Lets time pass until the work is done."""
        while not all(task.done() for task in work):
            for _ in range(20):
                await asyncio.sleep(0)
            if self._sleepers:
                at, _, woken = heapq.heappop(self._sleepers)
                self.now = max(self.now, at)
                woken.set()
        await asyncio.gather(*work)


def agent(name: str = "ada", **limits: int | None) -> AgentSpec:
    return AgentSpec(name=name, model="openai/x", **limits)


def fullest(events: list[tuple[float, int]], window: float = 60.0) -> int:
    """The most that any window, both ends included, holds."""
    return max(
        (sum(n for at, n in events if start <= at <= start + window) for start, _ in events),
        default=0,
    )


async def sent(
    spec: AgentSpec, calls: list[tuple[float, int, int]], latency: float
) -> tuple[list[tuple[float, int]], list[tuple[float, int]]]:
    """Runs calls (start, reserved, actual tokens); gives requests and tokens by when they were sent and answered."""
    time = Time()
    limits = Limits([spec], 1000, clock=time.clock, sleep=time.sleep)
    requests: list[tuple[float, int]] = []
    answers: list[tuple[float, int]] = []

    async def call(start: float, reserved: int, actual: int) -> None:
        await time.sleep(start)
        async with limits.slot(spec.name, reserved) as settle:
            requests.append((time.now, 1))
            await time.sleep(latency)
            settle(actual)
            answers.append((time.now, actual))

    await time.run(*(asyncio.create_task(call(*one)) for one in calls))
    return requests, answers


@settings(max_examples=30, deadline=None)
@given(
    rpm=st.integers(1, 400),
    starts=st.lists(st.floats(0, 100), min_size=1, max_size=60),
    latency=st.floats(0, 30),
)
def test_no_minute_holds_more_requests_than_allowed(rpm: int, starts: list[float], latency: float) -> None:
    requests, _ = asyncio.run(sent(agent(rpm=rpm), [(start, 1, 1) for start in starts], latency))
    assert len(requests) == len(starts)
    assert fullest(requests) <= rpm


@settings(max_examples=30, deadline=None)
@given(
    tpm=st.integers(100, 2000),
    calls=st.lists(st.tuples(st.floats(0, 100), st.integers(1, 100), st.floats(0, 1)), min_size=1, max_size=40),
    latency=st.floats(0, 30),
)
def test_no_minute_holds_more_tokens_than_allowed(
    tpm: int, calls: list[tuple[float, int, float]], latency: float
) -> None:
    asked = [(start, reserved, int(share * reserved)) for start, reserved, share in calls]
    requests, answers = asyncio.run(sent(agent(tpm=tpm), asked, latency))
    assert len(requests) == len(asked)
    assert fullest(answers) <= tpm


async def test_the_allowance_is_used() -> None:
    requests, _ = await sent(agent(rpm=120), [(0, 1, 1)] * 360, 1.0)
    assert requests[-1][0] - requests[0][0] < 3 * 61.2


async def test_requests_are_spaced_evenly() -> None:
    requests, _ = await sent(agent(rpm=60), [(0, 1, 1)] * 30, 0.0)
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(requests)]
    assert min(gaps) > 0.5
    assert max(gaps) < 1.1


async def test_a_call_larger_than_the_allowance_goes_alone() -> None:
    requests, _ = await sent(agent(tpm=100), [(0, 10, 10), (1, 500, 500), (2, 10, 10)], 1.0)
    assert len(requests) == 3
    assert requests[1][0] - requests[0][0] > 60
    assert requests[2][0] - requests[1][0] > 60


async def test_unused_tokens_are_given_back() -> None:
    requests, _ = await sent(agent(tpm=1000), [(n, 800, 10) for n in range(20)], 0.5)
    assert requests[-1][0] - requests[0][0] < 30


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
async def test_a_clock_that_jumps_stalls_nothing(jump: float) -> None:
    time = Time()
    spec = agent(rpm=60, tpm=10_000)
    limits = Limits([spec], 10, clock=time.clock, sleep=time.sleep)
    began: list[float] = []

    async def call(n: int) -> None:
        async with limits.slot(spec.name, 100):
            if n == 5:
                time.now += jump
            began.append(time.now)

    await time.run(*(asyncio.create_task(call(n)) for n in range(20)))
    assert len(began) == 20
    assert began[-1] - began[6] < 120


async def test_one_agents_limit_does_not_hold_up_another() -> None:
    time = Time()
    slow, quick = agent("slow", rpm=1), agent("quick")
    limits = Limits([slow, quick], 2, clock=time.clock, sleep=time.sleep)
    done: list[tuple[str, float]] = []

    async def call(name: str) -> None:
        async with limits.slot(name, 1):
            await time.sleep(0.01)
            done.append((name, time.now))

    names = ["slow"] * 5 + ["quick"] * 50
    await time.run(*(asyncio.create_task(call(name)) for name in names))
    assert len(done) == 55
    assert max(at for name, at in done if name == "quick") < 1002


async def test_a_cancelled_wait_gives_its_place_back() -> None:
    spec = agent(concurrency=1, rpm=60_000)
    limits = Limits([spec], 1, clock=asyncio.get_running_loop().time, sleep=asyncio.sleep)

    async def call(seconds: float) -> None:
        async with limits.slot(spec.name, 1):
            await asyncio.sleep(seconds)

    first = asyncio.create_task(call(0.05))
    waiting = [asyncio.create_task(call(0)) for _ in range(5)]
    await asyncio.sleep(0.01)
    for task in waiting:
        task.cancel()
    await first
    await asyncio.wait_for(call(0), 1)


async def served_by(allowed: Callable[[float], bool], calls: int, retry_after: float) -> tuple[int, float]:
    """All calls until each is served by a provider that says which moments it allows: requests and seconds taken."""
    time = Time()
    spec = agent()
    limits = Limits([spec], 32, clock=time.clock, sleep=time.sleep)
    sent = 0

    async def call(number: int) -> None:
        nonlocal sent
        while True:
            async with limits.slot(spec.name, 1) as settle:
                sent += 1
                await time.sleep(0.05)
                if allowed(time.now):
                    settle(1)
                    return
                limits.refused(spec.name, retry_after)
            await time.sleep(retry_after + number * 0.001)

    began = time.now
    await time.run(*(asyncio.create_task(call(number)) for number in range(calls)))
    return sent, time.now - began


async def test_a_limit_that_shows_in_the_answers_alone_is_waited_out() -> None:
    """The provider counts what it refuses, and asks for a second where a minute is needed."""
    seen: deque[float] = deque()

    def allowed(now: float) -> bool:
        seen.append(now)
        while seen[0] <= now - 60:
            seen.popleft()
        return len(seen) <= 20

    sent, took = await served_by(allowed, 100, retry_after=1.0)

    assert sent < 4 * 100  # without pauses every place asks once a second: thousands
    assert took < 15 * 60  # five minutes at best


async def test_refusals_here_and_there_make_nobody_pause() -> None:
    """A third of the requests at random: they cost their own wait and hold up no other."""
    numbers = count()

    sent, took = await served_by(lambda _: draw("refused", next(numbers)) > 0.3, 2_000, retry_after=1.0)

    assert sent < 1.6 * 2_000
    # without pauses: 2,000 calls by 32 places and 50 ms, and some seconds for those refused several times over
    assert took < 2_000 / 32 * 0.05 / 0.7 + 12


async def test_an_outage_that_ends_ends_the_pause() -> None:
    sent, took = await served_by(lambda now: now > 1300, 50, retry_after=0.1)

    assert sent < 50 * 4
    assert 300 < took < 300 + 70


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
async def test_a_clock_that_jumps_ends_no_pause_in_a_stall(jump: float) -> None:
    time = Time()
    spec = agent()
    limits = Limits([spec], 10, clock=time.clock, sleep=time.sleep)
    for _ in range(MANY):
        async with limits.slot(spec.name, 1):
            limits.refused(spec.name, None)
    time.now += jump
    began = time.now

    async def call() -> None:
        async with limits.slot(spec.name, 1) as settle:
            settle(1)

    await time.run(*(asyncio.create_task(call()) for _ in range(5)))

    assert time.now - began <= 61.2
