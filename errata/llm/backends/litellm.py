"""Every provider that litellm knows: anthropic/NAME, gemini/NAME, ...; litellm/provider/NAME forces it."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import warnings
import zlib
from contextvars import ContextVar
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

import httpx
import openai

from errata.config.env import in_env_file, variable
from errata.config.hooks import check_hooks
from errata.errors import UsageError
from errata.llm.backends.failures import failure_of
from errata.llm.backends.responses import ACCEPTED_ENCODINGS, billed, read_body, refuse_redirect
from errata.llm.cache_marks import CacheMarks
from errata.llm.endpoint import filled_in
from errata.llm.request import ProviderFailure, Reply, Request
from errata.llm.sampling_keys import KEYS, SamplingRefused, names_sampling
from errata.llm.spec import AgentSpec
from errata.llm.structured import SchemaRefused, names_schema, response_format

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it fetches prices over the net when imported
import litellm
from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

litellm.telemetry = False
litellm.suppress_debug_info = True
logging.getLogger("LiteLLM").setLevel(logging.ERROR)
# it prints what a provider sent, unescaped and with whatever key it echoes
warnings.filterwarnings("ignore", "Pydantic serializer warnings", UserWarning)


@dataclass
class Answer:
    """What a provider has answered to the call at hand; with a status below 400 it may charge for it."""

    is_sent: bool = False
    charged: bool = False
    body: bytes = b""
    instead: bytes | None = None
    """The body that is answered with in place of the provider's, who is then not asked."""
    sent: httpx.Request | None = None
    """The request that the provider was then not sent."""


_answer: ContextVar[Answer] = ContextVar("the answer to the call at hand")
"""Set by the call and filled below litellm, which may go through tasks of its own in between."""
_HOOKS = {"handle_async_request": ("request",)}
_transport = LiteLLMAiohttpTransport.handle_async_request


async def _guarded(self: LiteLLMAiohttpTransport, request: httpx.Request) -> httpx.Response:
    """The response with its whole body, as errata.llm.backends.responses allows: litellm would follow redirects."""
    request.headers["Accept-Encoding"] = ACCEPTED_ENCODINGS
    answer = _answer.get(None) or Answer()
    answer.is_sent = True
    if answer.instead is not None:
        answer.sent = request
        head = {"Content-Type": "application/json"}
        return httpx.Response(200, headers=head, content=answer.instead, request=request)
    response = await _transport(self, request)
    try:
        refuse_redirect(response.status_code, response.headers, str(request.url))
        answer.charged = response.status_code < 400
        answer.body = await read_body(response.aiter_raw(), response.headers.get("Content-Encoding", ""))
    except ProviderFailure as failure:
        raise httpx.TransportError(failure.message) from failure  # litellm and the clients below know this kind
    except zlib.error as error:
        raise httpx.DecodingError(str(error), request=request) from error
    finally:
        await response.aclose()
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _OF_PACKING]
    return httpx.Response(response.status_code, headers=headers, content=answer.body, request=request)


_OF_PACKING = {"content-encoding", "content-length", "transfer-encoding"}


def _guard() -> None:
    """Puts the guard below all of litellm's clients. Raises UsageError where they would go round it."""
    check_hooks(LiteLLMAiohttpTransport, _HOOKS)
    if not AsyncHTTPHandler.should_use_aiohttp_transport():
        raise UsageError(
            "DISABLE_AIOHTTP_TRANSPORT or LITELLM_HTTP2 is set",
            "litellm would then follow redirects with key and prompt to any host",
            "unset it",
        )
    LiteLLMAiohttpTransport.handle_async_request = _guarded


class LiteLLM:
    """The backend of every model string without one of its own. Raises UsageError where its calls were not guarded."""

    paid = True
    remote = True

    def __init__(self) -> None:
        _guard()
        self._seeded: dict[str, bool] = {}
        self._marks = CacheMarks()

    async def complete(self, request: Request, seed: int) -> Reply:
        return await self._complete(request, seed, Answer())

    async def as_sent(self, request: Request, seed: int, some_reply: bytes) -> httpx.Request:
        """The request as the provider would be sent it; `some_reply` is a body that litellm can read."""
        answer = Answer(instead=some_reply)
        await self._complete(request, seed, answer)
        if answer.sent is None:
            raise ProviderFailure("litellm made no request that could be looked at", fatal=True)
        return answer.sent

    async def reply_in(self, request: Request, seed: int, body: bytes) -> Reply:
        """The reply in a body that the provider has sent at another time. Raises ProviderFailure as `complete`."""
        return await self._complete(request, seed, Answer(instead=body, body=body, charged=True))

    async def _complete(self, request: Request, seed: int, answer: Answer) -> Reply:
        spec = request.spec
        model = spec.model.removeprefix("litellm/")
        arguments = _access(spec) | dict(request.parameters) | response_format(request)
        if "extra_headers" in arguments:
            arguments["extra_headers"] = filled_in(arguments["extra_headers"])
        if "seed" not in spec.extra and self._takes_seed(model):
            arguments["seed"] = seed
        _answer.set(answer)
        try:
            return await self._ask(model, request, arguments)
        except ProviderFailure as failure:
            if answer.charged:
                raise billed(failure, answer.body)  # noqa: B904 - the same error, of which more is known
            raise

    async def _ask(self, model: str, request: Request, arguments: dict[str, Any]) -> Reply:
        spec = request.spec
        try:
            async with asyncio.timeout(spec.timeout):
                answer = await litellm.acompletion(
                    model=model,
                    messages=self._marks.messages(request),
                    num_retries=0,
                    max_retries=0,
                    timeout=spec.timeout,
                    **arguments,
                )
        except TimeoutError as error:
            is_sent = _answer.get().is_sent
            raise ProviderFailure(f"no reply within {spec.timeout:g} s", transient=True, billed=is_sent) from error
        except litellm.UnsupportedParamsError as error:
            if request.schema is not None and names_schema(error.message):
                raise SchemaRefused(error.message) from error
            if KEYS & request.parameters.keys() and names_sampling(error.message):
                raise SamplingRefused(error.message) from error
            raise ProviderFailure(error.message, fatal=True) from error
        except openai.APIError as error:
            raise failure_of(error) from error
        return _reply(answer)

    def _takes_seed(self, model: str) -> bool:
        if model not in self._seeded:
            name, provider, _, _ = litellm.get_llm_provider(model)
            self._seeded[model] = "seed" in (litellm.get_supported_openai_params(name, provider) or ())
        return self._seeded[model]

    def fingerprint(self, spec: AgentSpec) -> None:
        return None

    def takes_schema(self, spec: AgentSpec) -> bool:
        return bool(litellm.supports_response_schema(spec.model.removeprefix("litellm/")))

    async def close(self) -> None:
        await litellm.close_litellm_async_clients()


def check_provider(spec: AgentSpec) -> None:
    """Raises UsageError for a provider that litellm does not know."""
    try:
        litellm.get_llm_provider(spec.model.removeprefix("litellm/"))
    except openai.BadRequestError as error:
        provider = spec.model.removeprefix("litellm/").partition("/")[0]
        near = get_close_matches(provider, [str(each.value) for each in litellm.LlmProviders], n=1)
        raise UsageError(
            f"agent {spec.name}: model {spec.model}",
            f"litellm knows no provider {provider}",
            f"did you mean {near[0]}/...?"
            if near
            else "see docs.litellm.ai/docs/providers, or take openai/ and api_base",
        ) from error


_ANONYMOUS = {"huggingface"}
"""Providers that have other mechanisms than the key that litellm names, or answer without one."""


def missing_key(spec: AgentSpec) -> str | None:
    """The variable of the provider's key, where it alone could hold one and is not set.

    litellm names what it looks for first. Where it names more than keys (an address, a region, a role's), or something
    else of the provider's name is set, the credentials may come another way.
    """
    model = spec.model.removeprefix("litellm/")
    names = litellm.validate_environment(model)["missing_keys"]
    provider = litellm.get_llm_provider(model)[1]
    if not names or provider in _ANONYMOUS or not all(name.endswith("_API_KEY") for name in names):
        return None
    stems = {name.removesuffix("_API_KEY").replace("_", "").removesuffix("AI") for name in names}
    known = [*os.environ, *in_env_file(_KEY)]
    if any(_KEY.search(name) and name.replace("_", "").startswith(tuple(stems)) for name in known):
        return None
    usual = f"{provider.upper()}_API_KEY"
    return usual if usual in names else str(names[0])


def _access(spec: AgentSpec) -> dict[str, Any]:
    """Address and key, where the recipe names them; else litellm reads the provider's usual variables."""
    access: dict[str, Any] = {"api_base": spec.api_base} if spec.api_base else {}
    if spec.api_key_env:
        access["api_key"] = variable(spec.api_key_env)
        if not access["api_key"]:
            raise ProviderFailure(f"no API key: the environment variable {spec.api_key_env} is not set", fatal=True)
    elif spec.api_base and spec.model.startswith("litellm/openai/") and not variable("OPENAI_API_KEY"):
        access["api_key"] = "none"
    else:
        _take_usual_keys(spec.model.removeprefix("litellm/"))
    return access


_KEY = re.compile(r"KEY|TOKEN|SECRET|PROJECT|LOCATION|REGION|VERSION")


@cache
def _take_usual_keys(model: str) -> None:
    """Gives litellm the keys that it reads from the environment and ./.env holds; never an address."""
    for name in litellm.validate_environment(model)["missing_keys"]:
        if _KEY.search(name) and (value := variable(name)):
            os.environ[name] = value


def _reply(answer: Any) -> Reply:
    choices = getattr(answer, "choices", None)
    if not choices:
        raise ProviderFailure("the completion holds no choices", transient=True)
    message, usage = choices[0].message, getattr(answer, "usage", None)
    details = getattr(usage, "prompt_tokens_details", None)
    return Reply(
        text=message.content or getattr(message, "refusal", None) or "",
        finish_reason=choices[0].finish_reason,
        reasoning=getattr(message, "reasoning_content", None),
        served=answer.model,
        prompt_tokens=(usage and usage.prompt_tokens) or 0,
        completion_tokens=(usage and usage.completion_tokens) or 0,
        cached_tokens=getattr(details, "cached_tokens", None) or 0,
        cache_write_tokens=getattr(usage, "cache_creation_input_tokens", None) or 0,
    )
