"""Providers that fail: over real HTTP, every problem accounted for, and in the end what an unharmed run gives."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from errata.errors import AgentRefused
from errata.llm.backends.simulated.server import Faults
from tests.faults.harm import Came, accounted, came_to, place

PASSING = ("429", "429-bare", "500", "503", "drop", "cut", "malformed", "html", "no_choices", "empty_choices")


@pytest.mark.parametrize("kind", PASSING)
async def test_a_third_of_the_calls_fail_and_nothing_is_missing(kind: str, unharmed: Came, tmp_path: Any) -> None:
    here = place(tmp_path)

    summary = await here.lives(faults=Faults(rate=0.3, kinds=(kind,), retry_after=0.5))

    assert summary.exit_code == 0
    assert accounted(here.run)["done"] == len(unharmed.lines)
    assert came_to(here.run) == unharmed  # also: not one call more was paid


async def test_stalls_past_the_timeout_are_tried_again(unharmed: Came, tmp_path: Any) -> None:
    here = place(tmp_path)
    timeouts = [f"agents.{agent}.timeout=1.5" for agent in ("teachers.0", "teachers.1", "teachers.2", "student")]

    summary = await here.lives(*timeouts, faults=Faults(rate=0.03, kinds=("stall",), attempts=1))

    assert summary.exit_code == 0
    assert came_to(here.run).lines == unharmed.lines


async def test_a_burst_of_5xx_shorter_than_the_patience_passes(unharmed: Came, tmp_path: Any) -> None:
    here = place(tmp_path)

    summary = await here.lives(faults=Faults(rate=1, kinds=("500", "503"), attempts=3))

    assert summary.exit_code == 0
    assert came_to(here.run) == unharmed


async def test_a_longer_outage_fails_the_problems_and_the_next_run_mends_them(unharmed: Came, tmp_path: Any) -> None:
    here = place(tmp_path)

    summary = await here.lives(faults=Faults(rate=1, kinds=("500", "503")))

    assert summary.exit_code == 3
    counts = accounted(here.run)
    assert sum(counts["failed"].values()) == len(unharmed.lines)
    assert all("fault 50" in reason for reason in counts["failed"])
    await here.ends_as(unharmed)


async def test_an_outage_that_ends_within_the_warm_up_leaves_no_mark(unharmed: Came, tmp_path: Any) -> None:
    """Its problems are tried again before any other is shown their pairs."""
    here = place(tmp_path)
    none = [f"agents.{agent}.retries=0" for agent in ("teachers.0", "teachers.1", "teachers.2", "student")]

    # the exam's calls alone fail once: three later stages are asked of problems that got through
    first = await here.lives(*none, faults=Faults(rate=1, kinds=("503",), attempts=1))

    accounted(here.run)
    assert first.exit_code == 3
    await here.ends_as(unharmed)


async def test_a_provider_that_turns_to_401_drains_and_loses_nothing(unharmed: Came, tmp_path: Any) -> None:
    here = place(tmp_path)

    summary = await here.lives("concurrency=2", faults=Faults(refuse_after=unharmed.paid // 2))

    assert summary.exit_code == 1
    assert isinstance(summary.error, AgentRefused)
    assert "401: this key has been revoked" in str(summary.error)
    counts = accounted(here.run)
    assert counts["pending"] > 0
    assert counts["failed"] == {}
    assert summary.spent["all_runs"]["paid"] == unharmed.paid // 2
    await here.ends_as(unharmed)
    assert came_to(here.run).paid == unharmed.paid


async def test_a_name_that_does_not_resolve_is_told_and_nothing_fails(
    unharmed: Came, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = place(tmp_path, host="faculty.invalid")

    summary = await here.lives()

    assert summary.exit_code == 1
    assert isinstance(summary.error, AgentRefused)
    assert f"could not be reached: no connection: ClientConnectorDNSError: Cannot connect to host {here.host}" in str(
        summary.error
    )
    assert accounted(here.run)["pending"] == len(unharmed.lines)

    real = socket.getaddrinfo
    messages = lambda host, *rest, **how: real("127.0.0.1" if host == here.host else host, *rest, **how)  # noqa: E731
    monkeypatch.setattr(socket, "getaddrinfo", messages)
    await here.ends_as(unharmed)


async def test_a_clock_that_jumps_stalls_no_run(unharmed: Came, tmp_path: Any) -> None:
    """The limits' clock leaps an hour forwards or backwards at every tenth look."""
    here = place(tmp_path)
    limits = [f"agents.teachers.{n}.{key}={value}" for n in range(3) for key, value in (("rpm", 60000), ("tpm", 9**9))]
    looks = 0
    jumped = 0.0

    def clock() -> float:
        nonlocal looks, jumped
        looks += 1
        if looks % 10 == 0:
            jumped += 3600.0 if (looks // 10) % 3 else -7200.0
        return asyncio.get_running_loop().time() + jumped

    summary = await asyncio.wait_for(here.lives(*limits, clock=clock), 60)

    assert summary.exit_code == 0
    assert looks > 100
    assert came_to(here.run) == unharmed
