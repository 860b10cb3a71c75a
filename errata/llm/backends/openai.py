"""Every OpenAI-compatible endpoint, through langchain-openai over aiohttp: OpenAI, vLLM, llama.cpp, a LiteLLM proxy."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import aiohttp
import httpx
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr, SecretStr

from errata.config.env import variable
from errata.config.hooks import check_hooks
from errata.llm.backends.completion import reply_in
from errata.llm.backends.failures import ErrorAsReply, completion_of, failure_of_response, lost_connection
from errata.llm.backends.responses import billed, read_body, refuse_redirect
from errata.llm.backends.sessions import new_session, trusted
from errata.llm.endpoint import api_base_of, filled_in
from errata.llm.request import ProviderFailure, Reply, Request
from errata.llm.spec import AgentSpec
from errata.llm.structured import response_format
from errata.records import to_json

OPENAI = "https://api.openai.com/v1"
_LANGCHAIN = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}


_HOOKS = {"_get_request_payload": ("input_", "stop", "kwargs")}
"""What errata overrides or calls of ChatOpenAI beyond its public interface, with the parameters that it uses."""


class ReasoningChat(ChatOpenAI):
    """A ChatOpenAI that sends its requests and reads its replies itself.

    The stock class drops `reasoning_content`. It also spends most of its time on typed objects for requests and bodies:
    1.2 ms of CPU per call; httpx between it and aiohttp took another third of a millisecond, callbacks a quarter.
    """

    _session: aiohttp.ClientSession = PrivateAttr()

    async def complete(self, messages: list[BaseMessage], parameters: dict[str, Any]) -> Reply:
        """The model's reply. Raises ProviderFailure."""
        payload, headers = self.as_sent(messages, parameters)
        status, answer, body = await self._post(payload, headers)
        if status >= 400:
            raise failure_of_response(status, answer, body)
        return reply_of_body(body)

    def as_sent(self, messages: list[BaseMessage], parameters: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """Body and headers of the request."""
        payload = self._get_request_payload(messages, **parameters)
        payload |= payload.pop("extra_body", {})
        headers = self.headers | filled_in(payload.pop("extra_headers", {}))
        return to_json(payload), headers

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

    @cached_property
    def headers(self) -> dict[str, str]:
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
        chat = self.chat_of(spec)
        messages, parameters = in_langchains_words(request, seed)
        try:
            async with asyncio.timeout(spec.timeout):
                return await chat.complete(messages, parameters)
        except TimeoutError as error:
            raise ProviderFailure(f"no reply within {spec.timeout:g} s", transient=True, billed=True) from error

    def chat_of(self, spec: AgentSpec) -> ReasoningChat:
        """The client of this agent. Raises ProviderFailure where it has no key."""
        return self._chats.get(spec.name) or self._connect(spec)

    def _connect(self, spec: AgentSpec) -> ReasoningChat:
        if self._session is None:
            self._session = new_session()
        base = api_base_of(spec)
        chat = ReasoningChat(
            model=spec.model.removeprefix("openai/"),
            base_url=(base or OPENAI).rstrip("/"),
            api_key=SecretStr(_key(spec, needed=base is None)),
            max_retries=0,
            timeout=None,
            use_responses_api=False,
            openai_proxy=None,
            # never asked, since requests go through the session; left out, each address's would read the certificates
            http_client=httpx.Client(verify=trusted(), trust_env=False),
            http_async_client=httpx.AsyncClient(verify=trusted(), trust_env=False),
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


def in_langchains_words(request: Request, seed: int) -> tuple[list[BaseMessage], dict[str, Any]]:
    """Messages and parameters as ChatOpenAI takes them."""
    messages = [_LANGCHAIN[message.role](content=message.content) for message in request.messages]
    # `seed: null` in the agent's extra settings is for servers that refuse the field
    parameters = dict(request.parameters) if "seed" in request.spec.extra else {**request.parameters, "seed": seed}
    return messages, parameters | response_format(request)


def reply_of_body(body: bytes) -> Reply:
    """The reply in the body of a response with status 200, which is charged for. Raises ProviderFailure."""
    try:
        return reply_in(completion_of(body))
    except ErrorAsReply:
        raise
    except ProviderFailure as failure:
        raise billed(failure, body)  # noqa: B904 - the same error, of which more is known
