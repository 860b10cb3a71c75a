"""What providers do not take of a request, over real HTTP: left out from then on, remembered and said."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from errata.agents.parse_reply import SCORE_SCHEMA
from errata.llm.declined import for_manifest, refused_in
from errata.llm.spec import AgentSpec
from tests.llm.provider import Provider, gateway, ok, request_of, status

NO_TEMPERATURE = status(400, "Unsupported value: 'temperature' does not support 0.8 with this model.")
WARM = {"temperature": 0.8, "top_p": 0.9, "max_tokens": 64}


async def test_sampling_keys_are_left_out_once_refused_and_that_is_remembered_and_said(tmp_path: Path) -> None:
    async with Provider(script=[NO_TEMPERATURE], then=ok()) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            calls = [await ask(request_of(spec, text, parameters=WARM)) for text in ("first", "second")]
            notes, refused, spent = ask.notes, ask.spent.refused, ask.spent.process
        assert [body.get("temperature") for body in provider.bodies] == [0.8, None, None]
        assert ["top_p" in body for body in provider.bodies] == [True, False, False]
        assert {body["max_tokens"] for body in provider.bodies} == {64}
        async with gateway(tmp_path, spec, refused=refused_in(for_manifest(refused))) as later:
            again = await later(request_of(spec, "second", parameters=WARM))
        assert len(provider.bodies) == 3, "the reply was in the store, and no temperature was offered again"
    assert again == calls[1]
    assert (spent.paid, spent.failed) == (2, 0)
    assert all("temperature" not in call.parameters and call.parameters["max_tokens"] == 64 for call in calls)
    assert [note for note in notes if "ada does not take the temperature" in note and "0.8" in note]


async def test_calls_in_flight_when_a_temperature_is_refused_are_made_without_it(tmp_path: Path) -> None:
    async with Provider(script=[NO_TEMPERATURE] * 8, then=ok(), latency=0.02) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            calls = await asyncio.gather(*(ask(request_of(spec, f"{n // 2}", parameters=WARM)) for n in range(16)))
            assert (ask.spent.process.paid, ask.spent.process.failed) == (8, 0)
    assert not any(call.failure for call in calls)


async def test_a_provider_may_take_neither_schema_nor_temperature(tmp_path: Path) -> None:
    no_schema = status(400, "response_format is not supported")
    async with Provider(script=[no_schema, NO_TEMPERATURE], then=ok("Score: 4")) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec, schema=SCORE_SCHEMA, parameters=WARM))
            assert {part: list(agents) for part, agents in ask.spent.refused.items()} == {
                "schema": ["ada"],
                "sampling": ["ada"],
            }
    assert (call.reply, len(provider.bodies)) == ("Score: 4", 3)


@pytest.mark.parametrize("parameters", [{}, {"max_tokens": 64}])
async def test_where_no_sampling_key_was_sent_the_refusal_stays_what_it_was(
    tmp_path: Path, parameters: dict[str, int]
) -> None:
    async with Provider(then=NO_TEMPERATURE) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec, parameters=parameters))
            assert ask.spent.refused["sampling"] == {}
    assert (call.failure or "").startswith("400: Unsupported value")
    assert len(provider.bodies) == 1


async def test_what_litellm_knows_to_be_refused_is_not_sent_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    message = {
        "id": "m", "type": "message", "role": "assistant", "model": "claude-haiku-5-5", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "42"}], "usage": {"input_tokens": 3, "output_tokens": 1},
    }  # fmt: skip
    async with Provider(then=lambda _: web.json_response(message)) as provider:
        base = provider.base.removesuffix("/v1")
        spec = AgentSpec(name="ada", model="anthropic/claude-haiku-5-5", api_base=base)
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec, parameters=WARM))
            assert list(ask.spent.refused["sampling"]) == ["ada"]
    assert call.reply == "42"
    assert not any(key in body for body in provider.bodies for key in ("temperature", "top_p"))


@pytest.mark.parametrize("held", [None, 7, ["ada"], "ada"])
def test_a_manifest_that_holds_no_refusals_breaks_nothing(held: object) -> None:
    nothing = {"schema": {}, "sampling": {}}
    assert refused_in({"schemas_refused": held, "sampling_refused": held}) == refused_in({}) == nothing
    assert refused_in({"schemas_refused": {"ada": 400}})["schema"] == {"ada": "400"}
