"""A provider that says nothing but 429: its agent is given up after a while, as one that is refused."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from errata.errors import EXIT_OTHER, AgentRefused
from tests.llm.provider import Provider, gateway, ok, request_of, status


class Time:
    """A clock that only sleeping moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.mark.parametrize("headers", [None, {"Retry-After": "60"}, {"Retry-After": "1e300"}])
async def test_nothing_but_429_is_a_refusal_in_the_end(tmp_path: Path, headers: dict[str, str] | None) -> None:
    time = Time()
    async with Provider(then=status(429, "slow down", headers=headers)) as provider:
        spec = provider.agent(give_up_after=600.0, retries=5)
        async with gateway(tmp_path, spec, clock=time, sleep=time.sleep) as ask:
            found = None
            for number in range(500):
                try:
                    await ask(request_of(spec, f"question {number}"))
                except AgentRefused as refused:
                    found = refused
                    break
            asked = len(provider.bodies)
            with pytest.raises(AgentRefused):
                await ask(request_of(spec, "another"))
    assert found is not None
    assert re.search(r"was refused: nothing but 429 for \d+ s .*slow down", found.found)
    assert found.exit_code == EXIT_OTHER
    assert 600 <= time.now < 20_000
    assert len(provider.bodies) == asked < 200


async def test_one_reply_in_between_starts_the_time_again(tmp_path: Path) -> None:
    time = Time()
    slow = [status(429, headers={"Retry-After": "200"})] * 2
    async with Provider(script=[*slow, ok(), *slow, ok(), *slow, ok()]) as provider:
        spec = provider.agent(give_up_after=600.0)
        async with gateway(tmp_path, spec, clock=time, sleep=time.sleep) as ask:
            for number in range(3):
                assert (await ask(request_of(spec, f"question {number}"))).reply == "42"
    assert time.now > 1000
