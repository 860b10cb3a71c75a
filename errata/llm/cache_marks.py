"""Marks that tell a provider which part of a prompt to keep in its cache, for Anthropic's API, which keeps nothing
unasked.

A write costs a quarter more than a prompt's tokens, a read a tenth of them: a mark pays where the same beginning comes
again within minutes. So it is set on what stands before the problem, where that is long enough to be kept and has
been sent before. Nothing but the mark differs, and it is in no key.
"""

from __future__ import annotations

from typing import Any

from errata.llm.price_table import least_cached
from errata.llm.request import Request
from errata.llm.spec import AgentSpec
from errata.records import digest

CHARS_PER_TOKEN = 4
MOST = 10_000
"""Beginnings that are remembered; beyond, new ones are not."""


class CacheMarks:
    """The beginnings of prompts that were sent so far."""

    def __init__(self) -> None:
        self._sent: set[str] = set()

    def messages(self, request: Request) -> list[dict[str, Any]]:
        """The request's messages as litellm takes them, with a mark where it pays."""
        messages: list[dict[str, Any]] = [{"role": each.role, "content": each.content} for each in request.messages]
        at = fixed_part(request)
        if at and self._pays(request, at):
            text = messages[-1]["content"]
            prefix = {"type": "text", "text": text[:at], "cache_control": {"type": "ephemeral"}}
            messages[-1]["content"] = [prefix, {"type": "text", "text": text[at:]}]
        return messages

    def _pays(self, request: Request, at: int) -> bool:
        least = least_to_cache(request.spec)
        before = [each.content for each in request.messages[:-1]]
        length = sum(map(len, before)) + at
        if least is None or length < least * CHARS_PER_TOKEN:
            return False
        beginning = digest(request.spec.name, before, request.messages[-1].content[:at])
        if beginning in self._sent:
            return True
        if len(self._sent) < MOST:
            self._sent.add(beginning)
        return False


def fixed_part(request: Request) -> int:
    """Characters of the last message before the problem's question: what a prompt says of every problem."""
    question = request.context.question.strip()
    return max(0, request.messages[-1].content.find(question)) if question else 0


def least_to_cache(spec: AgentSpec) -> int | None:
    """Tokens that a beginning must have to be kept; None for a provider that is told nothing."""
    model = spec.model.removeprefix("litellm/")
    return least_cached(model) if model.startswith("anthropic/") else None
