"""Every OpenAI-compatible endpoint, through langchain-openai over aiohttp: OpenAI, vLLM, llama.cpp, a LiteLLM proxy."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.request import getproxies

import aiohttp
import httpx
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr, SecretStr

from errata.config.env import variable
from errata.config.hooks import check_hooks
from errata.llm.backends.failures import ErrorAsReply, completion_of, failure_of_response, lost_connection
from errata.llm.backends.responses import ACCEPTED_ENCODINGS, billed, read_body, refuse_redirect
from errata.llm.endpoint import api_base_of, filled_in
from errata.llm.request import ProviderFailure, Reply, Request
from errata.llm.spec import AgentSpec
from errata.llm.structured import response_format
from errata.records import to_json

OPENAI = "https://api.openai.com/v1"
_LANGCHAIN = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}


_HOOKS = {"_get_request_payload": ("input_", "stop", "kwargs"), "_create_chat_result": ("response",)}
"""What errata overrides or calls of ChatOpenAI beyond its public interface, with the parameters that it uses."""


class ReasoningChat(ChatOpenAI):
    """A ChatOpenAI that keeps a provider's separate thinking and sends its requests itself.

    The stock class drops `reasoning_content`. It also spends most of its time on typed objects for requests and bodies:
    1.2 ms of CPU per call; httpx between it and aiohttp took another third of a millisecond, callbacks a quarter.
    """

    _session: aiohttp.ClientSession = PrivateAttr()

    async def complete(self, messages: list[BaseMessage], parameters: dict[str, Any]) -> BaseMessage:
        """The model's message, with finish reason and served model in its `response_metadata`.

        Raises ProviderFailure.
        """
        payload = self._get_request_payload(messages, **parameters)
        payload |= payload.pop("extra_body", {})
        headers = self._headers | filled_in(payload.pop("extra_headers", {}))
        status, answer, body = await self._post(to_json(payload), headers)
        if status >= 400:
            raise failure_of_response(status, answer, body)
        try:
            return self._message_of(completion_of(body))
        except ErrorAsReply:
            raise
        except ProviderFailure as failure:
            raise billed(failure, body)  # noqa: B904 - the same error, of which more is known

    async def _post(self, data: bytes, headers: dict[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer. Raises ProviderFailure."""
        url, answered = f"{self.openai_api_base}/chat/completions", False
        try:
            async with self._session.post(url, data=data, headers=headers, allow_redirects=False) as response:
                refuse_redirect(response.status, response.headers, url)
                answered = response.status < 400
                packed_as = response.headers.get("Content-Encoding", "")
                return response.status, response.headers, await read_body(response.content.iter_any(), packed_as)
        except (aiohttp.ClientError, OSError, zlib.error) as error:
            lost = lost_connection(error)
            raise (billed(lost) if answered else lost) from error

    def _message_of(self, completion: dict[str, Any]) -> BaseMessage:
        try:
            result = self._create_chat_result(completion)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise ProviderFailure(f"the body is no completion: {error!r}"[:500], transient=True) from error
        generation, raw = result.generations[0], completion["choices"][0]["message"]
        extras = {
            "reasoning_content": raw.get("reasoning_content") or raw.get("reasoning"),
            "refusal": raw.get("refusal"),
        }
        message = generation.message
        message.additional_kwargs.update(
            {name: text for name, text in extras.items() if isinstance(text, str) and text}
        )
        message.response_metadata = {**(result.llm_output or {}), **(generation.generation_info or {})}
        return message

    @cached_property
    def _headers(self) -> dict[str, str]:
        """What the openai client would send: the key, the organisation, its name and version."""
        client = self.root_async_client
        headers = {**client.default_headers, **client.auth_headers}
        return {name: value for name, value in headers.items() if isinstance(value, str)}

    def _get_request_payload(self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        if self.openai_api_base != OPENAI and "max_completion_tokens" in payload and "max_tokens" in kwargs:
            payload["max_tokens"] = payload.pop("max_completion_tokens")  # other servers may not know OpenAI's new name
        return payload


class OpenAI:
    """The backend of `openai/NAME`. Raises UsageError where langchain-openai is not as errata needs it."""

    paid = True
    remote = True

    def __init__(self) -> None:
        check_hooks(ChatOpenAI, _HOOKS)
        self._session: aiohttp.ClientSession | None = None
        self._chats: dict[str, ReasoningChat] = {}

    async def complete(self, request: Request, seed: int) -> Reply:
        spec = request.spec
        chat = self._chats.get(spec.name) or self._connect(spec)
        messages = [_LANGCHAIN[message.role](content=message.content) for message in request.messages]
        # `seed: null` in the agent's extra settings is for servers that refuse the field
        parameters = dict(request.parameters) if "seed" in spec.extra else {**request.parameters, "seed": seed}
        parameters |= response_format(request)
        try:
            async with asyncio.timeout(spec.timeout):
                answer = await self._ask(chat, messages, parameters)
        except TimeoutError as error:
            raise ProviderFailure(f"no reply within {spec.timeout:g} s", transient=True, billed=True) from error
        return _reply(answer)

    async def _ask(self, chat: ReasoningChat, messages: list[BaseMessage], parameters: dict[str, Any]) -> AIMessage:
        answer = await chat.complete(messages, parameters)
        if not isinstance(answer, AIMessage):
            raise ProviderFailure(
                f"the reply is a message of role {answer.type}, not assistant", transient=True, billed=True
            )
        return answer

    def _connect(self, spec: AgentSpec) -> ReasoningChat:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # the gateway bounds the calls in flight; certificates are those that the openai client trusts
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30, ssl=httpx.create_ssl_context()),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # bodies are unpacked under a bound
                headers={"Accept-Encoding": ACCEPTED_ENCODINGS},
                trust_env=bool(getproxies()),  # it looks for them in a thread, at every request
            )
        base = api_base_of(spec)
        chat = ReasoningChat(
            model=spec.model.removeprefix("openai/"),
            base_url=(base or OPENAI).rstrip("/"),
            api_key=SecretStr(_key(spec, needed=base is None)),
            max_retries=0,
            timeout=None,
            use_responses_api=False,
            openai_proxy=None,
        )
        chat._session = self._session
        self._chats[spec.name] = chat
        return chat

    def fingerprint(self, spec: AgentSpec) -> None:
        return None

    def takes_schema(self, spec: AgentSpec) -> bool:
        return True  # a server that does not know the field says so (400), or passes over it

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        self._session = None
        self._chats.clear()


def _key(spec: AgentSpec, *, needed: bool) -> str:
    name = spec.api_key_env or "OPENAI_API_KEY"
    key = variable(name)
    if not key and (needed or spec.api_key_env):
        raise ProviderFailure(f"no API key: the environment variable {name} is not set", fatal=True)
    return key or "none"


def _reply(answer: AIMessage) -> Reply:
    content = answer.content if isinstance(answer.content, str) else answer.text
    usage = answer.usage_metadata
    return Reply(
        text=content or answer.additional_kwargs.get("refusal", ""),
        finish_reason=answer.response_metadata.get("finish_reason"),
        reasoning=answer.additional_kwargs.get("reasoning_content"),
        served=answer.response_metadata.get("model_name"),
        prompt_tokens=usage["input_tokens"] if usage else 0,
        completion_tokens=usage["output_tokens"] if usage else 0,
        cached_tokens=usage.get("input_token_details", {}).get("cache_read") or 0 if usage else 0,
    )
