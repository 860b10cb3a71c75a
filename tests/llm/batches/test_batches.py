"""Calls in batches over real HTTP: one batch a wave, every fate of a batch, nothing paid twice and nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from errata.errors import AgentRefused, BudgetExhausted, UsageError
from errata.llm.backends.simulated.batch_desk import BATCH_FAULTS, BatchFaults
from errata.llm.backends.simulated.server import Faults, serving
from errata.llm.budget import Budget
from errata.llm.gateway import Gateway
from errata.llm.spec import Agents, AgentSpec, Price, check_spec
from errata.records import Call
from tests.llm.provider import gateway, request_of, soon

QUICK = {"poll_s": 1, "quiet_s": 0.03, "grace_s": 0}


def agent(url: str, kind: str = "openai", name: str = "ada", **settings: Any) -> AgentSpec:
    base = url if kind == "openai" else url.removesuffix("/v1")
    given = {"batch": QUICK, "price": Price(prompt=2, completion=4), "retries": 4}
    return AgentSpec.model_validate(
        {"name": name, "model": f"{kind}/{name}", "api_base": base, **given, **settings}, from_attributes=True
    )


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")


async def stats(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/stats") as response:
        counted: dict[str, Any] = await response.json()
        return counted


async def ask_all(ask: Gateway, spec: AgentSpec, number: int = 6) -> list[Call]:
    return await asyncio.gather(*(ask(request_of(spec, f"What is {n} times 7?")) for n in range(number)))


def replies(calls: list[Call]) -> list[str | None]:
    return [call.reply for call in calls]


@asynccontextmanager
async def held_up(store: Path, spec: AgentSpec, number: int = 6) -> AsyncIterator[list[asyncio.Task[Call]]]:
    """A run whose calls are at the provider; it leaves without them."""
    async with gateway(store, spec) as ask:
        tasks = [asyncio.create_task(ask(request_of(spec, f"What is {n} times 7?"))) for n in range(number)]
        while not any(batch.id for batch in ask.batches.progress().open):
            await soon(1)
        yield tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_a_wave_goes_out_as_one_batch_at_half_the_price(tmp_path: Path, kind: str) -> None:
    async with serving(batches=BatchFaults(delay=0.05)) as url:
        alone = agent(url, kind, batch=False, price=Price(prompt=1, completion=2))
        async with gateway(tmp_path / "live", alone) as ask:
            one_by_one = await ask_all(ask, alone)
        spec = agent(url, kind)
        async with gateway(tmp_path, spec) as ask:
            calls = await ask_all(ask, spec)
            paid = ask.spent.run
        assert (await stats(url))["batches"] == 1
        async with gateway(tmp_path, spec) as ask:
            assert await ask_all(ask, spec) == calls
            assert (ask.spent.process.cached, ask.spent.process.paid) == (6, 0)
    assert calls == one_by_one  # the same lines in the log, but for the price, which is that of half
    assert (paid.paid, paid.usd) == (6, pytest.approx(sum(call.price_usd or 0 for call in calls)))
    assert paid.usd > 0


FATES = [(kind, fate) for kind in ("openai", "anthropic") for fate in BATCH_FAULTS]
FAULTS = [(kind, fault) for kind in ("openai", "anthropic") for fault in ("500", "429", "503", "drop", "cut", "html")]
FEW = {("openai", "expired"), ("openai", "garbled"), ("anthropic", "partial"), ("openai", "drop"), ("anthropic", "cut")}


def mostly_slow(cases: list[tuple[str, str]]) -> Any:
    """A few of the cases, and all of them in the slow tests."""
    return [case if case in FEW else pytest.param(*case, marks=pytest.mark.slow) for case in cases]


@pytest.mark.parametrize(("kind", "fate"), mostly_slow(FATES))
async def test_what_a_batch_has_not_answered_is_asked_again(tmp_path: Path, kind: str, fate: str) -> None:
    async with serving(batches=BatchFaults(rate=1, kinds=(fate,), attempts=1)) as url:
        spec = agent(url, kind)
        async with gateway(tmp_path, spec) as ask:
            calls = await ask_all(ask, spec, 12)
            lost = ask.spent.run.lost
            assert not ask.batches.progress()
        counted = await stats(url)
    assert None not in replies(calls) or (kind, fate) == ("anthropic", "failed")
    if (kind, fate) == ("anthropic", "failed"):  # where single requests are refused: their fault
        assert all("not taken up" in (call.failure or "") for call in calls)
    elif fate != "garbled":
        assert set(counted["by_content"].values()) == {1}
        assert lost == 0
    else:  # the provider has answered and charged
        assert lost == sum(number - 1 for number in counted["by_content"].values()) > 0


async def test_asking_again_is_bounded(tmp_path: Path) -> None:
    async with serving(batches=BatchFaults(rate=1, kinds=("failed",))) as url:
        spec = agent(url, retries=2)
        async with gateway(tmp_path, spec) as ask:
            calls = await ask_all(ask, spec)
        assert (await stats(url))["batches"] <= 3 * 6
    assert all("token_limit_exceeded" in (call.failure or "") for call in calls)


@pytest.mark.parametrize(("kind", "fault"), mostly_slow(FAULTS))
async def test_failing_requests_about_a_batch_lose_and_repeat_nothing(tmp_path: Path, kind: str, fault: str) -> None:
    async with serving(Faults(rate=0.6, kinds=(fault,), attempts=2, retry_after=0.01, seed=3)) as url:
        spec = agent(url, kind, retries=6)
        async with gateway(tmp_path, spec) as ask:
            calls = await ask_all(ask, spec)
        counted = await stats(url)
    assert None not in replies(calls)
    assert (counted["batches"], set(counted["by_content"].values())) == (1, {1})


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_who_leaves_finds_the_batch_again(tmp_path: Path, kind: str) -> None:
    async with serving(batches=BatchFaults(delay=0.3)) as url:
        spec = agent(url, kind)
        async with held_up(tmp_path, spec) as tasks:
            assert not any(task.done() for task in tasks)
        live = spec.model_copy(update={"batch": None})  # also where the recipe says something else by now
        async with gateway(tmp_path, live) as ask:
            assert None not in replies(await ask_all(ask, live))
            assert ask.spent.run.paid == 6
        counted = await stats(url)
    assert (counted["batches"], set(counted["by_content"].values())) == (1, {1})


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("lost", [True, False])
async def test_a_kill_between_sending_and_the_id_is_made_good(
    tmp_path: Path, kind: str, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies with the batch sent and its id not heard (or with the batch never sent)."""
    async with serving(batches=BatchFaults(delay=0.2)) as url:
        spec = agent(url, kind)
        async with gateway(tmp_path, spec) as ask:
            asked = [asyncio.create_task(ask(request_of(spec, f"What is {n} times 7?"))) for n in range(6)]
            died = asyncio.Event()
            stuck = asyncio.Event()

            async def dies(*_: Any) -> None:
                died.set()
                await stuck.wait()

            api = ask.batches._api(spec)
            create = api.create

            async def creates_and_dies(*given: Any) -> str:
                if not lost:
                    await create(*given)
                await dies()
                raise AssertionError

            monkeypatch.setattr(api, "create", creates_and_dies)
            await died.wait()
            for task in (*asked, *ask.batches._life.creations):
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        async with gateway(tmp_path, spec) as ask:
            assert None not in replies(await ask_all(ask, spec))
        counted = await stats(url)
    assert (counted["batches"], set(counted["by_content"].values())) == (1, {1})


async def test_two_processes_worth_of_gateways_share_a_batch_and_pay_once(tmp_path: Path) -> None:
    async with serving(batches=BatchFaults(delay=0.3)) as url:
        spec = agent(url)
        async with held_up(tmp_path, spec):
            pass
        async with gateway(tmp_path, spec) as ask, gateway(tmp_path, spec, ledger="other") as other:
            mine, others = await asyncio.gather(ask_all(ask, spec, 3), ask_all(other, spec, 6))
            assert other.spent.process.paid == 0  # whoever reads it, the run that has sent it pays
        assert replies(mine) == replies(others)[:3]
        assert set((await stats(url))["by_content"].values()) == {1}
        async with gateway(tmp_path, spec) as ask, gateway(tmp_path, spec, ledger="other") as other:
            assert (ask.spent.run.paid, other.spent.run.paid) == (6, 0)


async def test_limits_of_number_and_size_split_a_wave(tmp_path: Path) -> None:
    async with serving() as url:
        few = agent(url, batch=QUICK | {"calls": 4})
        async with gateway(tmp_path / "few", few) as ask:
            assert None not in replies(await ask_all(ask, few, 10))
        assert (await stats(url))["batches"] == 3
    async with serving() as url:
        small = agent(url, batch=QUICK | {"megabytes": 0.001})
        async with gateway(tmp_path / "small", small) as ask:
            assert None not in replies(await ask_all(ask, small, 9))
        assert 3 <= (await stats(url))["batches"] < 9


async def test_live_and_batched_agents_go_together(tmp_path: Path) -> None:
    async with serving(latency=0.1, batches=BatchFaults(delay=0.05)) as url:
        both = agent(url), agent(url, name="ben", batch=False)
        async with gateway(tmp_path, *both) as ask:
            calls, live = await asyncio.gather(ask_all(ask, both[0]), ask_all(ask, both[1]))
        counted = await stats(url)
    assert None not in replies([*calls, *live])
    assert (counted["batches"], counted["requests"]) == (1, 12)


async def test_the_budget_holds_with_batches_at_their_price(tmp_path: Path) -> None:
    async with serving() as url:
        spec = agent(url)
        async with gateway(tmp_path, spec, budget=Budget(calls=4)) as ask:
            ended = await asyncio.gather(
                *(ask(request_of(spec, f"What is {n} times 7?")) for n in range(6)), return_exceptions=True
            )
            assert sum(isinstance(each, BudgetExhausted) for each in ended) == 2
            assert ask.spent.run.paid == 4
        assert (await stats(url))["requests"] == 4


async def test_a_refused_key_refuses_the_agent(tmp_path: Path) -> None:
    async with serving(Faults(rate=1, kinds=("500",))) as url:
        spec = agent(url, retries=1)
        async with gateway(tmp_path, spec) as ask:
            calls = await ask_all(ask, spec)
        assert all("fault 500" in (call.failure or "") for call in calls)
        nobody = agent(url, api_key_env="NO_SUCH_KEY")
        async with gateway(tmp_path, nobody) as ask:
            with pytest.raises(AgentRefused, match="NO_SUCH_KEY"):
                await ask(request_of(nobody))


def test_batch_is_for_those_who_have_one() -> None:
    assert agent("http://h/v1", batch=False).batch is None
    with pytest.raises(UsageError, match="batch is set for gemini/x"):
        check_spec(AgentSpec.model_validate({"name": "a", "model": "gemini/x", "batch": True}))
    check_spec(AgentSpec.model_validate({"name": "a", "model": "litellm/anthropic/x", "batch": True}))


async def test_a_gateway_without_batches_makes_none(tmp_path: Path) -> None:
    spec = AgentSpec(name="ada", model="simulated/ada")
    async with Gateway.open(
        Agents(teachers=(spec,)), seed=1, budget=Budget(), concurrency=4, store=tmp_path, ledger="r", sleep=soon
    ) as ask:
        await ask(request_of(spec))
        assert not ask.batches.progress()
