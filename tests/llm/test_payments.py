"""Replies that are charged for and cannot be used: they count against the budget, as they say or as was reserved."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import zlib
from pathlib import Path

import pytest
from aiohttp import web

from errata.errors import BudgetExhausted
from errata.llm.budget import Budget
from errata.llm.payments import reservation_of
from errata.llm.spec import Price
from errata.llm.store import Store
from errata.records import Call
from tests.llm.provider import Act, Provider, body, drop, gateway, ok, request_of, stall, status

PRICE = Price(prompt=1, completion=2)


def without_choices(usage: object) -> Act:
    return body(json.dumps({"id": "c", "choices": [], "usage": usage}))


STATED = without_choices({"prompt_tokens": 100, "completion_tokens": 50})


async def stall_within_the_body(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b'{"choices": [')
    await asyncio.sleep(1.0)
    return response


UNUSABLE = {
    "html": body("<html>busy</html>", "text/html"),
    "cut off": body('{"choices": [{"mess'),
    "no choices": without_choices({"prompt_tokens": 10, "completion_tokens": 5}),
    "no text": ok("", role="wizard"),
    "connection lost": drop,
    "no reply": stall(1.0),
    "no end": stall_within_the_body,
}


@pytest.mark.parametrize("model", ["openai/stub", "litellm/openai/stub"])
@pytest.mark.parametrize("fault", UNUSABLE.values(), ids=UNUSABLE)
async def test_a_budget_of_calls_bounds_the_requests(tmp_path: Path, fault: Act, model: str) -> None:
    async with Provider(then=fault) as provider:
        stalls = fault in (UNUSABLE["no reply"], UNUSABLE["no end"])
        spec = provider.agent(model=model, timeout=0.3 if stalls else 60, retries=5)
        async with gateway(tmp_path, spec, budget=Budget(calls=10)) as ask:
            asked = (ask(request_of(spec, f"question {n}")) for n in range(20))
            results = await asyncio.gather(*asked, return_exceptions=True)
            spent = ask.spent.run
    assert any(isinstance(each, BudgetExhausted) for each in results)
    assert all(isinstance(each, BudgetExhausted | Call) for each in results)
    assert spent.paid == spent.lost == 10
    assert len(provider.bodies) <= 10 if stalls else len(provider.bodies) == 10  # a connection may be what stalls


@pytest.mark.parametrize("model", ["openai/stub", "litellm/openai/stub"])
async def test_what_the_reply_states_is_booked(tmp_path: Path, model: str) -> None:
    async with Provider(script=[STATED]) as provider:
        spec = provider.agent(model=model, price=PRICE)
        async with gateway(tmp_path, spec) as ask:
            assert (await ask(request_of(spec))).reply == "42"
            now = ask.spent.process
    assert (now.paid, now.lost, now.prompt_tokens, now.completion_tokens) == (2, 1, 110, 55)
    assert now.cost == pytest.approx((110 + 2 * 55) / 1e6)


@pytest.mark.parametrize("usage", [None, "much", {}, {"prompt_tokens": -5, "completion_tokens": 1e300}])
async def test_what_it_does_not_state_is_booked_as_reserved(tmp_path: Path, usage: object) -> None:
    async with Provider(script=[without_choices(usage)]) as provider:
        spec = provider.agent(price=PRICE)
        request = request_of(spec, parameters={"max_tokens": 100})
        async with gateway(tmp_path, spec) as ask:
            await ask(request)
            now, need = ask.spent.process, reservation_of(request, PRICE)
    assert now.tokens == 15 + need.tokens
    assert now.cost == pytest.approx(20e-6 + need.usd)


async def test_errors_with_their_status_cost_nothing(tmp_path: Path) -> None:
    async with Provider(script=[status(500), status(429), body('{"error": {"message": "upstream"}}')]) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            await ask(request_of(spec))
            assert (ask.spent.process.paid, ask.spent.process.lost) == (1, 0)


async def test_the_run_remembers_what_was_lost_also_with_a_damaged_ledger(tmp_path: Path) -> None:
    async with Provider(script=[STATED, STATED]) as provider:
        spec = provider.agent(price=PRICE)
        async with gateway(tmp_path, spec) as ask:
            await ask(request_of(spec))
            now = ask.spent.process
    again = Store(tmp_path / "calls", "run")
    again.close()
    database = sqlite3.connect(tmp_path / "calls" / "cache.db")
    keys = [key for (key,) in database.execute("select key from Cache")]
    ledger = next(key for key in keys if b"ledger" in zlib.decompress(key))
    database.execute("update Cache set value = ? where key = ?", (b"rubbish", ledger))
    database.commit()
    database.close()

    mended = Store(tmp_path / "calls", "run")
    mended.close()

    assert again.paid[("ada", "rationales")] == now
    assert mended.paid[("ada", "rationales")] == now
    assert "added up again from 3 replies" in mended.notes[0]
