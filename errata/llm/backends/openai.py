"""Every OpenAI-compatible endpoint, through langchain-openai over aiohttp: OpenAI, vLLM, llama.cpp, a LiteLLM proxy."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import Any
from urllib.request import getproxies

import aiohttp
import httpx
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from langsmith.utils import tracing_is_enabled
from pydantic import PrivateAttr, SecretStr

from errata.config.env import variable
from errata.llm.backends import api_base_of, filled_in
from errata.llm.backends.failures import completion_of, failure_of_response, lost_connection
from errata.llm.request import ProviderFailure, Reply, Request
from errata.llm.spec import AgentSpec
from errata.records import to_json

OPENAI = "https://api.openai.com/v1"
_LANGCHAIN = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}


class ReasoningChat(ChatOpenAI):
    """ChatOpenAI that keeps a provider's separate thinking and does its own request.

    The stock class drops `reasoning_content`. It also spends most of its time on typed objects for requests and bodies:
    1.2 ms of CPU a call; httpx between it and aiohttp took another third of a millisecond. Raises ProviderFailure.
    """

    _session: aiohttp.ClientSession = PrivateAttr()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        payload = self._get_request_payload(messages, stop=stop, **kwargs)
        payload |= payload.pop("extra_body", {})
        headers = self._headers | filled_in(payload.pop("extra_headers", {}))
        url = f"{self.openai_api_base}/chat/completions"
        try:
            async with self._session.post(url, data=to_json(payload), headers=headers) as response:
                body = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise lost_connection(error) from error
        if response.status >= 400:
            raise failure_of_response(response.status, response.headers, body)
        completion = completion_of(body)
        try:
            result = self._create_chat_result(completion)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise ProviderFailure(f"the body is no completion: {error!r}"[:500], transient=True) from error
        message = completion["choices"][0]["message"]
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        kept = {"reasoning_content": reasoning, "refusal": message.get("refusal")}
        result.generations[0].message.additional_kwargs.update(
            {name: text for name, text in kept.items() if isinstance(text, str) and text}
        )
        return result

    @cached_property
    def _headers(self) -> dict[str, str]:
        """What the openai client would send: the key, the organisation, its name and version."""
        client = self.root_async_client
        sent = {**client.default_headers, **client.auth_headers}
        return {name: value for name, value in sent.items() if isinstance(value, str)}

    def _get_request_payload(self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        if self.openai_api_base != OPENAI and "max_completion_tokens" in payload and "max_tokens" in kwargs:
            payload["max_tokens"] = payload.pop("max_completion_tokens")  # other servers may not know OpenAI's new name
        return payload


class OpenAI:
    """The backend of `openai/NAME`."""

    paid = True
    remote = True

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._chats: dict[str, ReasoningChat] = {}

    async def complete(self, request: Request, seed: int) -> Reply:
        spec = request.spec
        chat = self._chats.get(spec.name) or self._connect(spec)
        asked = [_LANGCHAIN[message.role](content=message.content) for message in request.messages]
        # `seed: null` in the agent's extra settings is for servers that refuse the field
        sent = dict(request.parameters) if "seed" in spec.extra else {**request.parameters, "seed": seed}
        try:
            async with asyncio.timeout(spec.timeout):
                answer = await self._ask(chat, asked, sent)
        except TimeoutError as error:
            raise ProviderFailure(f"no reply within {spec.timeout:g} s", transient=True) from error
        return _reply(answer)

    async def _ask(self, chat: ReasoningChat, messages: list[BaseMessage], sent: dict[str, Any]) -> AIMessage:
        if tracing_is_enabled():
            answer: BaseMessage = await chat.ainvoke(messages, **sent)
        else:  # ainvoke's callbacks, which nobody would hear, cost a quarter of a millisecond a call
            result = await chat._agenerate(messages, **sent)
            answer = result.generations[0].message
            answer.response_metadata = {**(result.llm_output or {}), **(result.generations[0].generation_info or {})}
        if not isinstance(answer, AIMessage):
            raise ProviderFailure(f"the reply is a message of role {answer.type}, not assistant", transient=True)
        return answer

    def _connect(self, spec: AgentSpec) -> ReasoningChat:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # the gateway bounds the calls in flight; certificates are those that the openai client trusts
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30, ssl=httpx.create_ssl_context()),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
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
    )
