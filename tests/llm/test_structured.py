"""JSON schemas of replies over real HTTP: when one is sent, stored and logged, and what a refusal of it changes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from errata.agents.parse_reply import KINDS_SCHEMA, SCORE_SCHEMA, read_kinds, read_score
from errata.errors import AgentRefused
from errata.llm.spec import AgentSpec
from tests.llm.provider import Act, Provider, gateway, ok, request_of, status

REFUSAL = status(400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.")
SENT = {"type": "json_schema", "json_schema": {"name": "score", "strict": True, "schema": SCORE_SCHEMA}}


def review_of(spec: AgentSpec, text: str = "Judge it.", **settings: Any) -> Any:
    return request_of(spec, text, verb="score", schema=SCORE_SCHEMA, **settings)


async def test_a_schema_is_sent_shown_logged_and_part_of_the_key(tmp_path: Path) -> None:
    async with Provider(then=ok('{"review": "It holds.", "score": 4}')) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            call = await ask(review_of(spec))
            again = await ask(review_of(spec))
            plain = await ask(request_of(spec, "Judge it.", verb="score"))
    structured, bare = provider.bodies
    assert structured["response_format"] == SENT
    assert structured["messages"][0]["content"] == (
        "Judge it.\n\nWrite it as one JSON object and nothing else, with the members review, score."
    )
    assert "response_format" not in bare
    assert read_score(call.reply or "") == 4
    assert call.parameters["response_format"].startswith("score ")
    assert call.messages[0].content == structured["messages"][0]["content"]
    assert again == call
    assert "response_format" not in plain.parameters


async def test_another_schema_of_the_same_words_is_another_call(tmp_path: Path) -> None:
    schemas = [{"type": "object", "properties": {"n": {"type": "integer", "maximum": most}}} for most in (5, 9)]
    async with Provider(then=ok('{"n": 4}')) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            for schema in (*schemas, *schemas):
                await ask(request_of(spec, schema=schema))
    assert [body["response_format"]["json_schema"]["schema"] for body in provider.bodies] == schemas


@pytest.mark.parametrize(
    ("spec", "sent"),
    [
        ({"structured": "off"}, None),
        ({"structured": False}, None),  # as YAML reads a bare off
        ({"extra": {"response_format": {"type": "json_object"}}}, {"type": "json_object"}),
    ],
)
async def test_where_no_schema_is_sent_the_key_is_that_of_a_call_without_one(
    tmp_path: Path, spec: dict[str, Any], sent: dict[str, Any] | None
) -> None:
    async with Provider(then=ok("It holds.\nScore: 4")) as provider:
        ada = provider.agent(**spec)
        async with gateway(tmp_path, ada) as ask:
            call = await ask(review_of(ada, parameters=dict(ada.extra)))
            bare = await ask(request_of(ada, "Judge it.", verb="score", parameters=dict(ada.extra)))
    assert len(provider.bodies) == 1
    assert provider.bodies[0].get("response_format") == sent
    assert provider.bodies[0]["messages"][0]["content"] == "Judge it."
    assert call == bare


@pytest.mark.parametrize("refusal", [REFUSAL, status(422, "extra fields not permitted", loc=["response_format"])])
async def test_a_provider_that_refuses_is_asked_for_the_line_from_then_on(tmp_path: Path, refusal: Act) -> None:
    async with Provider(script=[refusal], then=ok("It holds.\nScore: 4")) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            calls = [await ask(review_of(spec, text)) for text in ("first", "second", "third")]
            notes, refused, spent = ask.notes, ask.spent.refused["schema"], ask.spent.process
        assert ["response_format" in body for body in provider.bodies] == [True, False, False, False]
        async with gateway(tmp_path, spec, refused={"schema": refused}) as later:
            await later(review_of(spec, "third"))
        assert len(provider.bodies) == 4
    assert [read_score(call.reply or "") for call in calls] == [4, 4, 4]
    assert [call.messages[0].content for call in calls] == ["first", "second", "third"]
    assert list(refused) == ["ada"]
    assert [note for note in notes if "ada takes no JSON schema" in note]
    assert (spent.paid, spent.failed) == (3, 0)


async def test_calls_in_flight_when_a_schema_is_refused_are_made_without_it(tmp_path: Path) -> None:
    async with Provider(script=[REFUSAL] * 8, then=ok("It holds.\nScore: 4"), latency=0.02) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            texts = [f"{place // 2}" for place in range(16)]  # every call twice, so that one joins the other
            calls = await asyncio.gather(*(ask(review_of(spec, text)) for text in texts))
            assert (ask.spent.process.paid, ask.spent.process.failed) == (8, 0)
    assert {read_score(call.reply or "") for call in calls} == {4}


async def test_another_refusal_stays_what_it_was(tmp_path: Path) -> None:
    async with Provider(then=status(400, "the prompt is too long")) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            call = await ask(review_of(spec))
            assert (call.failure, ask.spent.refused["schema"]) == ("400: the prompt is too long", {})
            assert ask.spent.process.failed == 1
            provider.then = status(401, "this key may not use response_format")
            with pytest.raises(AgentRefused, match="response_format"):
                await ask(review_of(spec, "again"))
    assert len(provider.bodies) == 2


async def test_a_refusal_that_is_no_schemas_fault_fails_the_call(tmp_path: Path) -> None:
    async with Provider(then=REFUSAL) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            call = await ask(review_of(spec))
    assert (call.failure or "").startswith("400: Invalid parameter")
    assert len(provider.bodies) == 2


async def test_a_fallback_is_asked_in_the_form_that_it_takes(tmp_path: Path) -> None:
    async with Provider(then=status(500)) as one, Provider(then=ok("It holds.\nScore: 4")) as two:
        ada = one.agent("ada", fallback="ben", retries=0)
        ben = two.agent("ben", structured="off")
        async with gateway(tmp_path, ada, ben) as ask:
            call = await ask(review_of(ada))
            assert (await ask(review_of(ada))) == call
    assert "response_format" in one.bodies[0]
    assert ["response_format" in body for body in two.bodies] == [False]
    assert call.fallback == "ben"


def test_the_schemas_hold_what_the_readers_take() -> None:
    """Strict as OpenAI asks: every member required, no others; and a reply of that form is read."""
    for schema in (SCORE_SCHEMA, KINDS_SCHEMA):
        assert schema["required"] == list(schema["properties"])
        assert schema["additionalProperties"] is False
    assert read_score('{"review": "", "score": 5}') == 5
    assert read_kinds('{"mistake": "", "kinds": ["other"]}') == ("other",)
