"""What a call may cost and what it has cost: reserved before it, booked after it, also where its reply is of no use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from errata.llm.budget import Payment, Reservation
from errata.llm.prices import cost
from errata.llm.request import ProviderFailure, Reply, Request
from errata.llm.spec import Price
from errata.records import Message, to_json

UNSTATED = 1024
"""Completion tokens reserved for a call that states no max_tokens."""


def reservation_of(request: Request, price: Price | None) -> Reservation:
    """The most the call is expected to take: the prompt by its length, the completion by its limit."""
    prompt = estimate(request.messages, request.schema)
    limit = request.parameters.get("max_tokens") or request.parameters.get("max_completion_tokens") or UNSTATED
    return Reservation(cost(price, prompt, limit) if price else 0.0, prompt + limit)


def payment_of(request: Request, reply: Reply, price: Price | None, need: Reservation) -> tuple[float | None, Payment]:
    """The price of a reply, None where it is unknown, and what is booked for it.

    A provider that does not say how many tokens it took is booked with the reservation.
    """
    agent, stage = request.spec.name, request.stage
    counted = reply.prompt_tokens + reply.completion_tokens > 0
    if price is not None and (counted or price.prompt == price.completion == 0):
        usd = cost(price, reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens, reply.cache_write_tokens)
        return usd, Payment(agent, stage, reply.prompt_tokens, reply.completion_tokens, usd)
    if counted:
        return None, Payment(agent, stage, reply.prompt_tokens, reply.completion_tokens, 0.0, priced=False)
    return None, _as_reserved(request, need)._replace(priced=False)


def payment_of_lost(request: Request, failure: ProviderFailure, price: Price | None, need: Reservation) -> Payment:
    """What is booked for a reply that cannot be used: by the tokens that it states, else as reserved."""
    prompt, completion = failure.usage
    if prompt + completion == 0:
        return _as_reserved(request, need)._replace(priced=price is not None, lost=True)
    usd = cost(price, prompt, completion) if price else 0.0
    return Payment(request.spec.name, request.stage, prompt, completion, usd, price is not None, lost=True)


def _as_reserved(request: Request, need: Reservation) -> Payment:
    prompt = estimate(request.messages, request.schema)
    return Payment(request.spec.name, request.stage, prompt, need.tokens - prompt, need.usd)


def estimate(messages: tuple[Message, ...], schema: Mapping[str, Any] | None = None) -> int:
    """Prompt tokens, rather too many: one for three bytes, and the wrapping of each message."""
    shape = len(to_json(schema)) // 3 if schema else 0
    return sum(len(message.content.encode()) // 3 + 8 for message in messages) + shape
