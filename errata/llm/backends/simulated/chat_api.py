"""Requests and replies of the faculty in the words of OpenAI's chat API."""

from __future__ import annotations

from typing import Any

import orjson

from errata.llm.backends.simulated.batch_desk import BadItem
from errata.llm.backends.simulated.faculty import reply
from errata.llm.request import ProviderFailure, Reply


def of_chat(body: bytes) -> Reply:
    """The faculty's reply to a chat request's body. Raises BadItem."""
    try:
        chat = orjson.loads(body)
    except ValueError as error:
        raise BadItem(f"the body is no chat request: {error!r}") from None
    return answer_chat(chat)


def answer_chat(chat: Any) -> Reply:
    try:
        model = chat["model"]
        messages = [(_role(message), _text(message.get("content"))) for message in chat["messages"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadItem(f"the body is no chat request: {error!r}") from None
    seed = chat.get("seed")
    if not isinstance(model, str) or not isinstance(seed, int | None):
        raise BadItem("model is a string and seed a whole number")
    try:
        return reply(model, messages, chat, seed)
    except ProviderFailure as failure:
        raise BadItem(failure.message, 404, "model_not_found") from None


def _role(message: dict[str, Any]) -> str:
    return "system" if message.get("role") == "developer" else str(message.get("role"))


def _text(content: Any) -> str:
    """A message's text; a list of parts is joined."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    return content if isinstance(content, str) else ""


def as_completion(answer: Reply, content: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text}
    return {
        "id": f"chatcmpl-{content}",
        "object": "chat.completion",
        "created": 0,
        "model": answer.served,
        "choices": [{"index": 0, "message": message, "finish_reason": answer.finish_reason, "logprobs": None}],
        "usage": {
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        },
    }
