"""A reply as the store keeps it and the log shows it: sound JSON, without secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from errata.config.env import in_env_file, variable
from errata.llm.request import Reply, Request
from errata.llm.spec import AgentSpec
from errata.records import Call, digest

_SECRET = re.compile(r"api_?key|authorization|secret|password|credential|headers|(access|auth|bearer)_?token", re.I)
HIDDEN = "[hidden]"
_RARE = ("cached_tokens", "cache_write_tokens")
"""Counts of a reply that are stored only where they are not 0."""
_SHORTEST_PART = 6
"""Characters of a key that tell something of it."""
_SECRET_VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")


Declinable = Literal["schema", "sampling"]
"""What a provider may not take of a request: its JSON schema, its sampling keys."""


class CallResult(NamedTuple):
    """The result of one call, whoever asked: a reply with its price in USD (None: unknown), or a failure."""

    reply: Reply | None = None
    price: float | None = 0.0
    failure: str | None = None
    outage: bool = False
    """The failure is the provider's state, not the call's fault: later calls may fare better, or another agent."""
    declined: Declinable | None = None
    """The failure is about this part of the request: the same call without it may do."""
    stored: bool = False
    """It cost nothing: it stood in the store, or came with an equal call that was under way."""


def row_of(reply: Reply, price: float | None) -> dict[str, Any]:
    """The row that is stored of a reply."""
    row: dict[str, Any] = {
        "text": reply.text,
        "reasoning": reply.reasoning,
        "finish_reason": reply.finish_reason,
        "served": reply.served,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "price_usd": price,
    }
    return row | {name: getattr(reply, name) for name in _RARE if getattr(reply, name)}


def result_of(row: Any) -> CallResult | None:
    """The stored reply; None where the row is not one."""
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        return None
    parts = dict(row)
    price = parts.pop("price_usd", None)
    try:
        reply = Reply(**parts)
    except TypeError:
        return None
    texts = (reply.reasoning, reply.finish_reason, reply.served)
    counts = (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens, reply.cache_write_tokens)
    sound = all(text is None or isinstance(text, str) for text in texts) and all(isinstance(n, int) for n in counts)
    return CallResult(reply, price) if sound and isinstance(price, float | int | None) else None


def cleaned(reply: Reply, keys: Sequence[str] = ()) -> Reply:
    """The reply with its parts as JSON can hold them and without the keys, so that a stored and a fresh one are equal.

    A provider, or a proxy before it, may echo what it was sent.
    """

    def sound(value: str) -> str:
        value = surrogate_free(value)
        for key in keys:
            value = value.replace(key, HIDDEN)
        return value

    def text(value: object) -> str | None:
        return None if value is None else sound(str(value))

    return Reply(
        text=sound(reply.text),
        finish_reason=text(reply.finish_reason),
        reasoning=text(reply.reasoning),
        served=text(reply.served),
        prompt_tokens=token_count(reply.prompt_tokens),
        completion_tokens=token_count(reply.completion_tokens),
        cached_tokens=token_count(reply.cached_tokens),
        cache_write_tokens=token_count(reply.cache_write_tokens),
        unknown_prompt=reply.unknown_prompt,
    )


def token_count(tokens: object) -> int:
    """Tokens as a provider counts them; 0, which means unknown, where that is no number a store can hold."""
    known = isinstance(tokens, int | float) and 0 < tokens < 2**53
    return int(tokens) if known else 0  # type: ignore[call-overload]


def surrogate_free(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot hold, as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def public(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without what may hold a secret."""
    return {
        name: public(value) if isinstance(value, Mapping) else value
        for name, value in parameters.items()
        if not _SECRET.search(name)
    }


def without_user(url: str | None) -> str | None:
    """The address without a user and password."""
    return re.sub(r"(?<=//)[^/@]*@", "", url) if url else url


def secrets_of(specs: Sequence[AgentSpec]) -> list[str]:
    """What must stand in no log: the values of the agents' and the usual secret variables, longest first."""
    named = {spec.api_key_env for spec in specs}
    named.update(name for spec in specs for name in re.findall(r"\$\{(\w+)", str(spec.extra.get("extra_headers"))))
    values = {value for name, value in os.environ.items() if name in named or _SECRET_VARIABLE.search(name)}
    values.update(in_env_file(_SECRET_VARIABLE).values())
    values.update(filter(None, (variable(name) for name in named if name)))
    return sorted((value for value in values if len(value) >= 8), key=len, reverse=True)


def keys_in(secrets: Sequence[str]) -> list[str]:
    """Those that are surely keys: long, and no number. A reply may hold the others by chance."""
    return [secret for secret in secrets if len(secret) >= 16 and not secret.isdigit()]


def hidden(text: str, secrets: Sequence[str]) -> str:
    """`text` without the secrets, nor the beginning of one at its end, where the text was cut off."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
        end = len(text.rstrip(" .'\""))
        for length in range(len(secret) - 1, _SHORTEST_PART - 1, -1):
            if text.endswith(secret[:length], 0, end):
                text = f"{text[: end - length]}{HIDDEN}{text[end:]}"
                break
    return text


def call_of(request: Request, result: CallResult, parameters: dict[str, Any]) -> Call:
    """The call as it is logged, with the parameters that were sent."""
    context, reply = request.context, result.reply
    identity = (context.problem_id, request.agent, request.stage, request.verb, request.prompt, context.about)
    return Call(
        id=digest("call", *identity, request.sample, request.attempt),
        agent=request.agent,
        stage=request.stage,
        verb=request.verb,
        about=context.about,
        prompt=request.prompt,
        prompt_hash=request.prompt_hash,
        model=request.spec.model,
        served=reply.served if reply else None,
        parameters=parameters,
        messages=request.messages,
        sample=request.sample,
        attempt=request.attempt,
        reply=reply.text if reply else None,
        reasoning=reply.reasoning if reply else None,
        finish_reason=reply.finish_reason if reply else None,
        prompt_tokens=reply.prompt_tokens if reply else 0,
        completion_tokens=reply.completion_tokens if reply else 0,
        cached_tokens=reply.cached_tokens if reply else 0,
        cache_write_tokens=reply.cache_write_tokens if reply else 0,
        price_usd=result.price,
        failure=result.failure,
        fallback=request.spec.name if request.instead_of else None,
    )
