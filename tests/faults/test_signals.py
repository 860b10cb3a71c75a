"""Ctrl-C once, twice, three times, and SIGTERM: exit 130, everything accounted for, and the next run goes on."""

from __future__ import annotations

import asyncio
import signal
import time
import urllib.request
from pathlib import Path

import orjson
import pytest

from errata.llm.backends.simulated.server import serving
from tests.faults.harm import PROBLEMS, Came, Place, accounted, came_to, place

INT, TERM = signal.SIGINT, signal.SIGTERM


async def signalled(here: Place, signals: list[signal.Signals], latency: float) -> tuple[int, str, float]:
    """A child that gets the signals once it has asked for something: exit code, stderr, seconds to its end."""
    async with serving(latency=latency, port=here.port) as url:
        child = here.child("concurrency=3")
        await asyncio.to_thread(wait_for_a_request, url)
        started = time.monotonic()
        for each in signals:
            child.send_signal(each)
            await asyncio.sleep(0.3)
        _, stderr = await asyncio.to_thread(child.communicate, timeout=60)
        return child.returncode, stderr, time.monotonic() - started


@pytest.mark.parametrize("first", [INT, pytest.param(TERM, marks=pytest.mark.slow)], ids=["ctrl-c", "sigterm"])
async def test_once_it_drains(first: signal.Signals, unharmed: Came, tmp_path: Path) -> None:
    here = place(tmp_path)

    code, message, _ = await signalled(here, [first], latency=0.05)

    assert code == 130, message
    assert "draining" in message
    counts = accounted(here.run)
    assert 0 < counts["pending"] < PROBLEMS
    assert orjson.loads((here.run / "manifest.json").read_bytes())["problems"] == counts
    await here.ends_as(unharmed)
    assert came_to(here.run).paid == unharmed.paid  # what was in flight was not cut off


async def test_twice_it_stops_and_stores_what_is_on_its_way(unharmed: Came, tmp_path: Path) -> None:
    here = place(tmp_path)

    code, message, seconds = await signalled(here, [TERM, INT], latency=0.7)

    assert code == 130, message
    assert message.index("draining") < message.index("stopping")
    assert seconds < 10
    assert accounted(here.run)["pending"] == PROBLEMS
    await here.ends_as(unharmed)
    assert came_to(here.run).paid == unharmed.paid


async def test_three_times_it_waits_for_nothing(unharmed: Came, tmp_path: Path) -> None:
    """The replies take a minute and more: they are given up, what was stored is there."""
    here = place(tmp_path)
    assert (await here.lives("budget.calls=10")).exit_code == 4
    async with serving(latency=90, port=here.port) as url:
        child = here.child()
        await asyncio.to_thread(wait_for_a_request, url)
        started = time.monotonic()
        for each in (INT, INT, INT):
            child.send_signal(each)
            await asyncio.sleep(0.3)
        _, message = await asyncio.to_thread(child.communicate, timeout=60)

    assert child.returncode == 130, message
    assert "giving up" in message
    assert "Traceback" not in message
    assert time.monotonic() - started < 15
    assert accounted(here.run)["pending"] == PROBLEMS
    last = await here.ends_as(unharmed)
    assert last.spent["this_run"]["paid"] == unharmed.paid - 10


def wait_for_a_request(url: str) -> None:
    """Up to two minutes: on a busy machine the child alone takes more than half of one to start."""
    for _ in range(2_400):
        with urllib.request.urlopen(f"{url}/stats") as reply:
            if orjson.loads(reply.read())["requests"]:
                return
        time.sleep(0.05)
    raise AssertionError("nothing was ever asked")
