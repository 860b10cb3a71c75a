"""What went wrong at a provider, read from responses and from litellm's errors, as provider failures."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import httpx
import openai
import orjson

from errata.llm.request import ProviderFailure
from errata.llm.retries import RateLimited
from errata.llm.sampling_keys import SamplingRefused, names_sampling
from errata.llm.structured import SchemaRefused, names_schema

LONGEST_MESSAGE = 2_000
LONGEST_WAIT_S = 86_400.0
"""Seconds; what a provider asks to wait beyond it is the same to a run."""
_TRANSIENT = {408, 409, 425}
_FATAL = {401, 402, 403, 404}
_REFUSES = {400, 422}
"""Of a request that is not as the provider takes it: without a JSON schema it may be."""
_UNREACHED = (aiohttp.ClientConnectorError, httpx.ConnectError)
"""No connection came about: the name does not resolve, nobody listens, the certificate is not to be trusted."""
_FATAL_CODES = {"insufficient_quota", "model_not_found", "invalid_api_key"}
"""Codes that OpenAI-compatible servers send with 400 or 429 although no later call can fare better."""


class ErrorAsReply(ProviderFailure):
    """An error that came with status 200: no reply was written, and none is charged for."""


def failure_of(error: openai.APIError) -> ProviderFailure:
    """The provider failure behind an error of litellm, which are those of the openai package."""
    for each in _chain(error):
        if isinstance(each, ProviderFailure):  # of the guard below litellm
            return each
    status = getattr(error, "status_code", None)
    if isinstance(error, openai.APIConnectionError) or not isinstance(status, int):  # also timeouts
        return lost_connection(error)
    if any(isinstance(each, _UNREACHED) for each in _chain(error)):  # litellm says 500, and no provider ever did
        return lost_connection(error)
    response = getattr(error, "response", None)
    # litellm keeps the provider's headers apart from the response it makes up
    headers = getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None) or {}
    return _failure_of_status(status, headers, error.body, error.message)


def failure_of_response(status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
    """What a response with a status of 400 or more means, in the provider's own words."""
    text = body.decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    return _failure_of_status(status, headers, parsed, text)


def lost_connection(error: BaseException) -> ProviderFailure:
    """A request that got no response: described by the innermost error that knows the address, not by its wrappings."""
    known = [each for each in _chain(error) if isinstance(each, aiohttp.ClientError | httpx.HTTPError)]
    inner = known[-1] if known else error
    description = f"{type(inner).__name__}: {inner}" if str(inner) else type(inner).__name__
    unreached = any(isinstance(each, _UNREACHED) for each in known)
    return ProviderFailure(_cut(f"no connection: {description}"), transient=True, unreached=unreached)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those behind it; litellm raises its own without a cause."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _failure_of_status(status: int, headers: Mapping[str, str], body: object, otherwise: str) -> ProviderFailure:
    """What the status means for this call and the agent's later ones; the message stands in `body` or `otherwise`."""
    inner = body.get("error", body) if isinstance(body, dict) else body
    message = inner.get("message") if isinstance(inner, dict) else inner
    text = _cut(f"{status}: {_in_words(message) or otherwise}")
    code = inner.get("code") if isinstance(inner, dict) else None
    if status in _FATAL or (isinstance(code, str) and code in _FATAL_CODES):
        return ProviderFailure(text, fatal=True)
    if status == 429:
        return RateLimited(text, retry_after=retry_after_of(headers))
    if status in _TRANSIENT or status >= 500:
        return ProviderFailure(text, transient=True, retry_after=retry_after_of(headers))
    return _refusal_of_part(text, str(body or text)) if status in _REFUSES else ProviderFailure(text)


def _refusal_of_part(message: str, body: str) -> ProviderFailure:
    """A refusal of the request, of which a part may be to blame."""
    if names_sampling(message) and not names_schema(message):
        return SamplingRefused(message)
    return SchemaRefused(message) if names_schema(body) else ProviderFailure(message)


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Seconds the provider asks to wait: a number or an HTTP date, None where it says neither."""
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S) if math.isfinite(seconds) else None


def completion_of(body: bytes) -> dict[str, Any]:
    """The body of a chat completion. Raises a transient ProviderFailure for anything else sent with status 200."""
    try:
        try:
            completion = orjson.loads(body)
        except orjson.JSONDecodeError:
            completion = json.loads(body)  # takes lone surrogates and NaN as well
    except (ValueError, RecursionError) as error:
        start = body[:200].decode("utf-8", "replace")
        raise ProviderFailure(f"the body is no JSON: {start!r}", transient=True) from error
    if not isinstance(completion, dict):
        raise ProviderFailure(f"the body is no completion but {type(completion).__name__}", transient=True)
    if completion.get("error"):
        raise ErrorAsReply(_cut(f"an error sent as a reply: {_in_words(completion['error'])}"), transient=True)
    choices = completion.get("choices")
    if not isinstance(choices, list) or not choices:
        raise ProviderFailure("the completion holds no choices", transient=True)
    if not isinstance(choices[0], dict) or not isinstance(choices[0].get("message"), dict):
        raise ProviderFailure("the completion's first choice holds no message", transient=True)
    choices[0]["message"].setdefault("role", "assistant")
    return completion


def _in_words(value: object) -> str:
    """What a provider sent as a message, whatever it is; empty where there is none."""
    try:
        return str(value) if value else ""
    except RecursionError:
        return "an error nested too deeply to be shown"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + " ..."
