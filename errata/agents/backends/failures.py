"""Errors of the openai package, which litellm's derive from, as provider failures."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import openai
import orjson

from errata.agents.calls import ProviderFailure
from errata.agents.retries import RateLimited

LONGEST_MESSAGE = 2_000
_TRANSIENT = {408, 409, 425, 429}
_FATAL = {401, 402, 403, 404}
_FATAL_CODES = {"insufficient_quota", "model_not_found", "invalid_api_key"}
"""Codes that OpenAI-compatible servers send with 400 or 429 although no later call can fare better."""


def failure_of(error: openai.APIError) -> ProviderFailure:
    """The provider failure behind an error of the openai or litellm client, in the provider's own words."""
    if isinstance(error, openai.APIStatusError):
        # litellm keeps the provider's headers apart from the response it makes up
        headers = getattr(error, "litellm_response_headers", None) or error.response.headers
        return failure_of_status(error.status_code, _said(error), error.body, headers)
    status = getattr(error, "status_code", None)  # litellm's own errors carry one without a response
    if isinstance(status, int) and 400 <= status < 500 and not isinstance(error, openai.APIConnectionError):
        return failure_of_status(status, error.message, error.body, {})
    if isinstance(error, openai.APIConnectionError):  # also timeouts
        return ProviderFailure(f"no connection: {_root_cause(error)}", transient=True)
    return ProviderFailure(_cut(str(error)), transient=True)


def failure_of_status(status: int, message: str, body: object, headers: Mapping[str, str]) -> ProviderFailure:
    """What an HTTP status of 400 or more means for this call and the agent's later ones."""
    text = _cut(f"{status}: {message}")
    code = body.get("code") if isinstance(body, dict) else None
    if status in _FATAL or code in _FATAL_CODES:
        return ProviderFailure(text, fatal=True)
    if status == 429:
        return RateLimited(text, retry_after=retry_after_of(headers))
    if status in _TRANSIENT or status >= 500:
        return ProviderFailure(text, transient=True, retry_after=retry_after_of(headers))
    return ProviderFailure(text)


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
        except ValueError:
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def completion_of(body: bytes) -> dict[str, Any]:
    """The body of a chat completion. Raises a transient ProviderFailure for anything else sent with status 200."""
    try:
        try:
            completion = orjson.loads(body)
        except orjson.JSONDecodeError:
            completion = json.loads(body)  # takes lone surrogates and NaN as well
    except (ValueError, RecursionError) as error:
        shown = body[:200].decode("utf-8", "replace")
        raise ProviderFailure(f"the body is no JSON: {shown!r}", transient=True) from error
    if not isinstance(completion, dict):
        raise ProviderFailure(f"the body is no completion but {type(completion).__name__}", transient=True)
    if completion.get("error"):
        raise ProviderFailure(_cut(f"an error sent as a reply: {completion['error']}"), transient=True)
    choices = completion.get("choices")
    if not isinstance(choices, list) or not choices:
        raise ProviderFailure("the completion holds no choices", transient=True)
    if not isinstance(choices[0], dict) or not isinstance(choices[0].get("message"), dict):
        raise ProviderFailure("the completion's first choice holds no message", transient=True)
    choices[0]["message"].setdefault("role", "assistant")
    return completion


def _said(error: openai.APIStatusError) -> str:
    """The provider's own message, without the client's wrapping."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        message = inner.get("message") if isinstance(inner, dict) else inner
        return str(message or inner)
    return str(body or error.message)


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return _cut(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + " ..."
