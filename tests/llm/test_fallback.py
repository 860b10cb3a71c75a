"""Stand-ins over real HTTP: when they speak, what is logged, stored and counted of it, and when they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from errata.errors import AgentRefused
from errata.llm.request import Context
from errata.llm.spec import Agents, AgentSpec
from tests.llm.provider import Act, Provider, body, gateway, ok, request_of, soon, status


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def cast(one: Provider, two: Provider, **of_ada: Any) -> tuple[AgentSpec, AgentSpec]:
    ada = one.agent("ada", fallback="ben", retries=2, **of_ada)
    return ada, two.agent("ben", model="openai/other", extra={"top_k": 5}, temperature=0.1)


@pytest.mark.parametrize("fault", [status(401), status(404), status(500), status(429), body("<html>"), body("{}")])
async def test_another_speaks_where_the_asked_one_is_refused_or_out(tmp_path: Path, fault: Act) -> None:
    async with Provider(then=fault) as one, Provider(then=ok("from ben")) as two:
        ada, ben = cast(one, two, extra={"frequency": 1})
        async with gateway(tmp_path, ada, ben) as ask:
            call = await ask(request_of(ada, parameters={"temperature": 0.7, "max_tokens": 9, "frequency": 1}))

            assert (call.agent, call.fallback, call.reply) == ("ada", "ben", "from ben")
            assert (call.model, call.served, call.failure) == ("openai/other", "served-model", None)
            assert ask.spent.by_agent()["ben"].paid == 1
            assert ask.spent.fallbacks == {("ada", "ben"): 1}
    sent = two.bodies[0]
    assert (sent["temperature"], sent["max_tokens"], sent["top_k"]) == (0.1, 9, 5)  # ben's own where it has any
    assert "frequency" not in sent
    assert sent["seed"] == one.bodies[0]["seed"] == call.parameters["seed"]


async def test_a_bad_request_is_no_outage(tmp_path: Path) -> None:
    async with Provider(then=status(400, "too long")) as one, Provider() as two:
        ada, ben = cast(one, two)
        async with gateway(tmp_path, ada, ben) as ask:
            call = await ask(request_of(ada))
    assert (call.failure, call.fallback) == ("400: too long", None)
    assert two.bodies == []


async def test_an_agent_that_was_out_rests_and_is_tried_again(tmp_path: Path) -> None:
    clock = Clock()
    async with Provider(then=status(500)) as one, Provider(then=ok("from ben")) as two:
        ada, ben = cast(one, two)
        async with gateway(tmp_path, ada, ben, clock=clock) as ask:
            for number in range(5):
                await ask(request_of(ada, f"{number}?"))
            assert len(one.bodies) == 3  # the first call with its two retries; then ada rests
            clock.now += 61
            await ask(request_of(ada, "after its rest?"))
            assert len(one.bodies) == 4  # tried without retries
            one.then = ok("from ada")
            clock.now += 61
            again = [await ask(request_of(ada, f"again {number}?")) for number in range(3)]
    assert [(call.reply, call.fallback) for call in again] == [("from ada", None)] * 3
    assert len(two.bodies) == 6


@pytest.mark.parametrize("jump", [-10_000.0, 10_000.0])
async def test_a_clock_that_jumps_does_not_send_an_agent_to_sleep(tmp_path: Path, jump: float) -> None:
    clock = Clock()
    async with Provider(script=[status(500)] * 3, then=ok("from ada")) as one, Provider() as two:
        ada, ben = cast(one, two)
        async with gateway(tmp_path, ada, ben, clock=clock) as ask:
            await ask(request_of(ada))
            clock.now += jump
            call = await ask(request_of(ada, "later?"))
    assert call.reply == "from ada"


async def test_what_a_stand_in_said_is_not_paid_again_when_the_asked_one_is_back(tmp_path: Path) -> None:
    async with Provider(then=status(401)) as one, Provider(then=ok("from ben")) as two:
        ada, ben = cast(one, two)
        async with gateway(tmp_path, ada, ben) as ask:
            first = await ask(request_of(ada))
        one.then = ok("from ada")
        async with gateway(tmp_path, ada, ben) as ask:
            assert await ask(request_of(ada)) == first
            assert (ask.spent.process.paid, ask.spent.process.cached) == (0, 1)
            other = await ask(request_of(ada, "something else?"))
    assert (other.reply, other.fallback) == ("from ada", None)


async def test_ben_himself_is_not_taken_for_ben_in_adas_place(tmp_path: Path) -> None:
    async with Provider(then=status(401)) as one, Provider() as two:
        ada, ben = cast(one, two)
        async with gateway(tmp_path, ada, ben) as ask:
            in_place, own = await ask(request_of(ada)), await ask(request_of(ben))
    assert in_place.id != own.id
    assert len(two.bodies) == 2
    assert two.bodies[0]["seed"] != two.bodies[1]["seed"]


async def test_the_last_in_the_line_decides(tmp_path: Path) -> None:
    async with Provider(then=status(401, "no ada")) as one, Provider(then=status(403, "no ben")) as two:
        ada, ben = cast(one, two)
        async with gateway(tmp_path, ada, ben) as ask:
            with pytest.raises(AgentRefused, match="no ben"):
                await ask(request_of(ada))
        two.then = status(500, "ben is out")
        async with gateway(tmp_path, ada, ben) as ask:
            call = await ask(request_of(ada))
    assert (call.agent, call.fallback, call.failure) == ("ada", "ben", "500: ben is out")


async def test_nobody_scores_what_is_their_own_in_anothers_name(tmp_path: Path) -> None:
    async with Provider(then=status(401)) as one, Provider() as two:
        ada, ben = cast(one, two)
        async with gateway(tmp_path, ada, ben) as ask:
            for context in (Context("p", "q", "r", "ben"), Context("p", "q", "r", "cyd", "ben")):
                with pytest.raises(AgentRefused):
                    await ask(request_of(ada, verb="score", stage="peer_review", context=context))
            about_another = await ask(request_of(ada, verb="score", context=Context("p", "q", "r", "cyd")))
    assert about_another.fallback == "ben"
    assert len(two.bodies) == 1


async def test_the_stand_ins_own_limits_hold(tmp_path: Path) -> None:
    async with Provider(then=status(401)) as one, Provider(latency=0.02) as two:
        ada, ben = cast(one, two)
        ben = ben.model_copy(update={"concurrency": 1})
        async with gateway(tmp_path, ada, ben, sleep=soon) as ask:
            import asyncio

            await asyncio.gather(*(ask(request_of(ada, f"{number}?")) for number in range(6)))
    assert two.most_in_flight == 1


def spec(name: str, **settings: Any) -> AgentSpec:
    return AgentSpec(name=name, model="openai/x", **settings)


@pytest.mark.parametrize(
    ("teachers", "standby", "said"),
    [
        ([spec("ada", fallback="bin")], [], "no agent is named bin"),
        ([spec("ada", fallback="ada")], [], "ada -> ada lead in a circle"),
        ([spec("ada", fallback="ben"), spec("ben", fallback="ada")], [], "ada -> ben -> ada lead in a circle"),
        ([spec("ada", fallback="ada2")], [spec("ada2"), spec("ada2")], "two agents are named ada2"),
        ([spec("ada"), spec("ben")], [spec("ben")], "ben stands in agents.standby"),
    ],
)
def test_lines_that_lead_nowhere_are_refused(teachers: list[AgentSpec], standby: list[AgentSpec], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Agents(teachers=tuple(teachers), standby=tuple(standby))
