"""The key under which a reply is stored and the seed that is sent: both follow from the call alone, never its order."""

from __future__ import annotations

from typing import Any

from errata.llm.endpoint import api_base_of
from errata.llm.request import Request
from errata.llm.stored_reply import public, without_user
from errata.records import digest, draw


def call_key(run_seed: int, request: Request, fingerprint: str | None) -> str:
    """The hash (64 hex digits) of all that a reply depends on.

    Args:
        fingerprint: of what the backend answers from, such as a checkpoint's files; None where it has none.
    """
    spec = request.spec
    call: dict[str, Any] = {
        "model": spec.model,
        "agent": request.agent,
        "api_base": without_user(api_base_of(spec)),
        "messages": [(message.role, message.content) for message in request.messages],
        "parameters": public(request.parameters),
        "sample": request.sample,
        "attempt": request.attempt,
        "seed": run_seed,
        "fingerprint": fingerprint,
    }
    if spec.backend is not None:
        call["backend"] = str(spec.backend)
    if request.schema is not None:
        call["schema"] = request.schema
    if request.instead_of:
        call["stand-in"] = spec.name  # as it stands in the keys of stores that were filled before
    return digest(call, length=64)


def seed_of(run_seed: int, request: Request) -> int:
    """The seed sent to the provider: 31 bits that depend on run, agent, sample and attempt."""
    return int(draw(run_seed, request.agent, request.sample, request.attempt) * 2**31)
