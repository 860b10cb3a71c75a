"""Prompt tokens that a provider reads from its cache: counted, priced, stored and logged, and no word where there are
none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from errata.llm.prices import cost, price_of
from errata.llm.request import Reply
from errata.llm.spec import AgentSpec, Price
from errata.llm.stored_reply import result_of, row_of
from errata.records import Call
from tests.llm.provider import Provider, completion, gateway, request_of

PRICE = Price(prompt=10, completion=20, cached=1, cache_write=12.5)


def with_cache(**details: int) -> web.Response:
    usage = {"prompt_tokens": 1000, "completion_tokens": 5, "total_tokens": 1005, "prompt_tokens_details": details}
    return web.json_response(completion() | {"usage": usage})


@pytest.mark.parametrize("model", ["openai/stub", "litellm/openai/stub"])
async def test_openais_count_is_priced_stored_and_logged(tmp_path: Path, model: str) -> None:
    async with Provider(then=lambda request: with_cache(cached_tokens=800)) as provider:
        spec = provider.agent(model=model, price=PRICE)
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec))
        async with gateway(tmp_path, spec) as ask:
            assert await ask(request_of(spec)) == call  # as it was stored
            paid = ask.spent.run.usd
    assert (call.prompt_tokens, call.cached_tokens, call.cache_write_tokens) == (1000, 800, 0)
    assert call.price_usd == paid == pytest.approx((200 * 10 + 800 * 1 + 5 * 20) / 1e6)


async def test_anthropics_counts_are_priced_stored_and_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    usage = {
        "input_tokens": 100,
        "cache_read_input_tokens": 500,
        "cache_creation_input_tokens": 400,
        "output_tokens": 5,
    }

    async def answer(request: web.Request) -> web.Response:
        said: dict[str, Any] = {"content": [{"type": "text", "text": "42"}], "stop_reason": "end_turn", "usage": usage}
        return web.json_response(said | {"id": "m", "type": "message", "role": "assistant", "model": "claude"})

    app = web.Application()
    app.router.add_post("/v1/messages", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        spec = AgentSpec(name="ada", model="anthropic/claude-x", api_base=base, price=PRICE)
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec))
    finally:
        await runner.cleanup()
    assert call.reply == "42"
    assert (call.prompt_tokens, call.cached_tokens, call.cache_write_tokens) == (1000, 500, 400)
    assert call.price_usd == pytest.approx((100 * 10 + 500 * 1 + 400 * 12.5 + 5 * 20) / 1e6)


def test_without_a_cache_rows_and_lines_are_what_they_were() -> None:
    reply = Reply("42", prompt_tokens=10, completion_tokens=5)
    assert set(row_of(reply, 0.1)) == {
        *("text", "reasoning", "finish_reason", "served", "prompt_tokens", "completion_tokens", "price_usd")
    }
    call = Call(id="c", agent="a", verb="v", prompt="p", prompt_hash="h", model="m", messages=())
    assert "cached_tokens" not in call.model_dump_json()
    assert "cache_write_tokens" not in call.model_dump_json()
    cached = row_of(Reply("42", prompt_tokens=10, completion_tokens=5, cached_tokens=8), 0.1)
    back = result_of(cached)
    assert back is not None
    assert back.reply is not None
    assert back.reply.cached_tokens == 8
    assert result_of(cached | {"cached_tokens": "8"}) is None


def test_the_table_knows_the_rates_and_a_price_without_them_asks_the_usual() -> None:
    listed = price_of(AgentSpec(name="a", model="anthropic/claude-sonnet-4-5"))
    assert listed is not None
    assert (listed.prompt, listed.cached, listed.cache_write) == pytest.approx((3.0, 0.3, 3.75))
    assert cost(Price(prompt=10, completion=20), 1000, 0, cached=800, written=100) == cost(PRICE, 1000, 0)
    assert cost(PRICE, 10, 0, cached=99) == pytest.approx(10e-6)  # no provider is believed more than it counts
