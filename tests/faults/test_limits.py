"""Rate limits over HTTP, under a server that punishes excess: its minute and the run's clock go twenty times faster."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from errata.llm.backends.simulated.server import Faults, serving
from errata.runs.runner import synthesize
from tests.faults.harm import Came, came_to, place
from tests.llm.provider import Provider, gateway, request_of

FASTER = 20
TEACHERS = range(3)


def clock() -> float:
    return time.monotonic() * FASTER


async def sleep(seconds: float) -> None:
    await asyncio.sleep(seconds / FASTER)


def punishing(**limits: int) -> Faults:
    return Faults(period=60 / FASTER, retry_after=0.5, **limits)  # type: ignore[arg-type]


async def met(url: str) -> dict[str, int]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/stats") as reply:
        fates: dict[str, int] = (await reply.json())["fates"]
        return fates


@pytest.mark.parametrize(
    ("limit", "share"), [("rpm", 25), pytest.param("tpm", 4_000, marks=pytest.mark.slow)], ids=["requests", "tokens"]
)
async def test_a_minutes_allowance_is_kept(limit: str, share: int, unharmed: Came, tmp_path: Path) -> None:
    """Late arrivals of a busy machine aside: 60 ms are the server's 2 % here."""
    here = place(tmp_path)
    limits = [f"agents.teachers.{number}.{limit}={share}" for number in TEACHERS]

    async with serving(punishing(**{limit: share}), port=here.port) as url:
        summary = await synthesize(here.recipe(*limits), clock=clock, sleep=sleep)
        fates = await met(url)

    assert summary.exit_code == 0
    assert came_to(here.run) == unharmed
    assert fates.get("excess", 0) <= 3


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "share"), [("rpm", 25), ("tpm", 4_000)])
async def test_a_limit_that_nobody_has_named_is_found_out(
    limit: str, share: int, unharmed: Came, tmp_path: Path
) -> None:
    """Nothing fails, and few requests are refused; the same server does refuse what exceeds its limit."""
    here = place(tmp_path)

    async with serving(punishing(**{limit: share}), port=here.port) as url:
        summary = await synthesize(here.recipe(), clock=clock, sleep=sleep)
        refused = (await met(url))["excess"]

    assert summary.exit_code == 0
    assert came_to(here.run) == unharmed
    assert 15 < refused < 250


async def test_one_teachers_limit_does_not_hold_up_another(tmp_path: Path) -> None:
    """Two places in all, and ten calls of the slow one ask first."""
    done: list[tuple[str, float]] = []
    async with Provider(latency=0.01) as provider:
        slow, quick = provider.agent("slow", rpm=30), provider.agent("quick")
        async with gateway(tmp_path, slow, quick, concurrency=2, clock=clock, sleep=sleep) as ask:
            started = time.monotonic()

            async def one(spec: Any, number: int) -> None:
                await ask(request_of(spec, f"{number}?"))
                done.append((spec.name, time.monotonic() - started))

            await asyncio.gather(*(one(slow, n) for n in range(10)), *(one(quick, n) for n in range(30)))

    last = {name: max(at for who, at in done if who == name) for name in ("slow", "quick")}
    assert [name for name, _ in done[:25]].count("quick") >= 20
    assert last["slow"] > 9 * 2 / FASTER  # a request each two seconds of its clock
    assert last["quick"] < last["slow"] or last["quick"] < 2
