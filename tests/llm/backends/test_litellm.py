"""litellm's backend over real HTTP: the same faults end as they do with openai/."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.errors import AgentRefused, UsageError
from errata.llm.spec import AgentSpec
from tests.llm.provider import Act, Provider, body, drop, gateway, ok, request_of, stall, status

MODEL = "litellm/openai/stub"


async def test_a_call_goes_through(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with Provider(then=ok("4", reasoning_content="2+2")) as provider:
        spec = provider.agent(model=MODEL)
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec, parameters={"temperature": 0.5, "max_tokens": 9, "top_k": 3}))
    assert (call.reply, call.reasoning, call.served, call.finish_reason) == ("4", "2+2", "served-model", "stop")
    assert (call.prompt_tokens, call.completion_tokens, call.price_usd) == (10, 5, pytest.approx(20e-6))
    sent = provider.bodies[0]
    assert (sent["model"], sent["temperature"], sent["max_tokens"], sent["top_k"]) == ("stub", 0.5, 9, 3)
    assert sent["seed"] == call.parameters["seed"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "fault",
    [
        status(429, headers={"Retry-After": "1"}),
        status(500),
        status(503),
        body("<html>busy</html>", "text/html"),
        body('{"choices": [{"mess'),
        body("{}"),
        body('{"choices": []}'),
        body('{"choices": null}'),
        drop,
        stall(1.5),
    ],
)
async def test_a_passing_fault_is_retried(tmp_path: Path, fault: Act) -> None:
    async with Provider(script=[fault]) as provider:
        spec = provider.agent(model=MODEL, timeout=0.5)
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec))
    assert (call.reply, call.failure) == ("42", None)
    assert len(provider.bodies) == 2


async def test_retry_after_is_honoured(tmp_path: Path) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with Provider(script=[status(429, headers={"Retry-After": "7"})]) as provider:
        spec = provider.agent(model=MODEL)
        async with gateway(tmp_path, spec, sleep=sleep) as ask:
            await ask(request_of(spec))
    assert 7 <= waits[0] <= 8


async def test_a_bad_request_is_told_in_the_providers_words(tmp_path: Path) -> None:
    async with Provider(then=status(400, "the prompt is too long")) as provider:
        spec = provider.agent(model=MODEL)
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec))
    assert call.failure is not None
    assert "the prompt is too long" in call.failure
    assert len(provider.bodies) == 1


@pytest.mark.parametrize("code", [401, 403, 404])
async def test_a_refusal_stops_the_agent(tmp_path: Path, code: int) -> None:
    async with Provider(then=status(code, "you may not")) as provider:
        spec = provider.agent(model=MODEL)
        async with gateway(tmp_path, spec) as ask:
            with pytest.raises(AgentRefused, match="you may not"):
                await ask(request_of(spec))
    assert len(provider.bodies) == 1


def test_an_unknown_provider_is_wrong_use_before_the_first_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"no provider antropic\ndo: +did you mean anthropic"):
        gateway(tmp_path, AgentSpec(name="ada", model="antropic/claude-x"))
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("base", ["http://no-such-host.invalid/v1", "http://127.0.0.1:9/v1"])
async def test_an_agent_that_was_never_reached_is_a_refusal(tmp_path: Path, base: str) -> None:
    spec = AgentSpec(name="ada", model=MODEL, api_base=base, retries=1)
    async with gateway(tmp_path, spec) as ask:
        with pytest.raises(AgentRefused, match="could not be reached: no connection"):
            await ask(request_of(spec))


async def test_a_schema_is_sent_to_models_that_litellm_knows_to_take_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}}
    async with Provider(script=[ok(), status(400, "json_schema is not supported")]) as provider:
        spec = provider.agent(model=MODEL)
        async with gateway(tmp_path, spec) as ask:
            await ask(request_of(spec, schema=schema))
            monkeypatch.setattr("litellm.supports_response_schema", lambda model: model == "openai/stub")
            structured = await ask(request_of(spec, schema=schema))
            assert list(ask.spent.refused["schema"]) == ["ada"]
    unknown, known, *_ = provider.bodies
    assert "response_format" not in unknown
    assert known["response_format"]["json_schema"] == {"name": "solve", "strict": True, "schema": schema}
    assert structured.reply == "42"  # of the call without a schema, which was in the store


async def test_a_missing_key_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADA_KEY", raising=False)
    spec = AgentSpec(name="ada", model="anthropic/claude-x", api_key_env="ADA_KEY")
    async with gateway(tmp_path, spec) as ask:
        with pytest.raises(AgentRefused, match="ADA_KEY is not set"):
            await ask(request_of(spec))
