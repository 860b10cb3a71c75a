"""What the openai backend sends and reads, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from errata.errors import UsageError
from errata.llm.backends.openai import OpenAI
from errata.llm.request import Context, ProviderFailure, Reply
from errata.llm.spec import AgentSpec
from errata.records import Message
from tests.llm.provider import Provider, body, ok, request_of

ASKED = (Message(role="system", content="Be brief."), Message(role="user", content="6 times 7?"))


@pytest.fixture
async def backend() -> AsyncIterator[OpenAI]:
    backend = OpenAI()
    yield backend
    await backend.close()


async def complete(backend: OpenAI, spec: AgentSpec, **parameters: Any) -> Reply:
    context = Context(problem_id="secret-problem-id", question="secret question", about="r1", author="bob")
    return await backend.complete(request_of(spec, messages=ASKED, parameters=parameters, context=context, sample=3), 7)


async def test_parameters_go_to_the_server_as_they_are(backend: OpenAI) -> None:
    async with Provider() as provider:
        given = {"temperature": 0.2, "max_tokens": 9, "top_k": 5, "stop": ["\n"], "chat_template_kwargs": {"x": True}}
        await complete(backend, provider.agent(), **given)
        sent = provider.bodies[0]
    assert {name: sent[name] for name in given} == given
    assert sent["seed"] == 7
    assert sent["messages"] == [message.model_dump() for message in ASKED]
    assert "secret" not in str(sent)


async def test_certificates_are_read_once_for_all_addresses(backend: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Provider() as provider:
        await complete(backend, provider.agent())
    monkeypatch.setattr("ssl.create_default_context", lambda **_: pytest.fail("the certificates are read again"))
    other = OpenAI()
    async with Provider() as provider:
        assert (await complete(other, provider.agent())).text
    await other.close()


@pytest.mark.parametrize(("extra", "sent"), [({"seed": 5}, 5), ({"seed": None}, None), ({}, 7)])
async def test_an_agents_own_seed_goes_first(backend: OpenAI, extra: dict[str, Any], sent: int | None) -> None:
    async with Provider() as provider:
        spec = provider.agent(extra=extra)
        await complete(backend, spec, **{name: value for name, value in extra.items() if value is not None})
        assert provider.bodies[0].get("seed") == sent


async def test_openai_itself_is_sent_its_new_name_of_max_tokens(backend: OpenAI) -> None:
    async with Provider() as provider:
        spec = provider.agent()
        await complete(backend, spec)
        chat = backend._chats[spec.name]
        chat.openai_api_base = "https://api.openai.com/v1"
        assert chat._get_request_payload([], max_tokens=9)["max_completion_tokens"] == 9


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": None, "refusal": "I would rather not."}, "I would rather not."),
        ({"content": [{"type": "text", "text": "4"}, {"type": "text", "text": "2"}]}, "42"),
        ({"content": None}, ""),
        ({"content": "<think>so</think>42", "tool_calls": []}, "<think>so</think>42"),
    ],
)
async def test_odd_messages(backend: OpenAI, message: dict[str, Any], text: str) -> None:
    async with Provider(then=ok("", **message)) as provider:
        assert (await complete(backend, provider.agent())).text == text


async def test_a_message_without_a_role_is_the_assistants(backend: OpenAI) -> None:
    async with Provider(then=body('{"choices": [{"message": {"content": "42"}}]}')) as provider:
        reply = await complete(backend, provider.agent())
    assert (reply.text, reply.finish_reason, reply.prompt_tokens) == ("42", None, 0)


async def test_thinking_tokens_and_served_model_are_read(backend: OpenAI) -> None:
    async with Provider(then=ok("42", reasoning_content="6*7")) as provider:
        assert await complete(backend, provider.agent()) == Reply("42", "stop", "6*7", "served-model", 10, 5)


async def test_the_very_bytes_that_are_sent(backend: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADA_KEY", "sk-of-ada")
    monkeypatch.setenv("TEAM", "red")
    given = {"temperature": 0.2, "max_tokens": 9, "extra_headers": {"X-Team": "${TEAM}"}, "extra_body": {"top_k": 5}}
    async with Provider() as provider:
        await complete(backend, provider.agent(api_key_env="ADA_KEY"), **given)
    raw, headers = provider.raw[0], provider.headers[0]
    assert raw == (
        b'{"model":"stub","stream":false,"temperature":0.2,"seed":7,'
        b'"messages":[{"content":"Be brief.","role":"system"},{"content":"6 times 7?","role":"user"}],'
        b'"max_tokens":9,"top_k":5}'
    )
    assert headers["Authorization"] == "Bearer sk-of-ada"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Team"] == "red"
    assert headers["User-Agent"].startswith("AsyncOpenAI/Python ")
    assert "secret" not in str(headers)


@pytest.mark.parametrize(
    ("kept", "missing"),
    [
        ({}, "no _get_request_payload"),
        ({"_get_request_payload": lambda self, response: None}, r"_get_request_payload\(input_, stop, kwargs\)"),
    ],
)
def test_a_parent_without_the_method_relied_on_is_refused_before_the_first_call(
    monkeypatch: pytest.MonkeyPatch, kept: dict[str, Any], missing: str
) -> None:
    renamed = type("ChatOpenAI", (), {"__module__": "langchain_openai", **kept})
    monkeypatch.setattr("errata.llm.backends.openai.ChatOpenAI", renamed)
    with pytest.raises(UsageError, match=rf"langchain-openai \d.*: ChatOpenAI has .*{missing}(.|\n)*constraints.txt"):
        OpenAI()


async def test_a_name_that_does_not_resolve(backend: OpenAI) -> None:
    spec = AgentSpec(name="ada", model="openai/x", api_base="http://no-such-host.invalid/v1")
    with pytest.raises(ProviderFailure, match=r"no connection: .*no-such-host\.invalid") as failure:
        await complete(backend, spec)
    assert failure.value.transient


async def test_a_port_nobody_listens_on(backend: OpenAI) -> None:
    async with Provider() as provider:
        spec = provider.agent()
    with pytest.raises(ProviderFailure, match="no connection") as failure:
        await complete(backend, spec)
    assert failure.value.transient


async def test_a_gateway_before_the_provider(backend: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Provider() as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.base + "/")
        assert (await complete(backend, AgentSpec(name="ada", model="openai/stub"))).text == "42"
