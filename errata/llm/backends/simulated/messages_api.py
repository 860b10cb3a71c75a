"""Requests and replies of the faculty in the words of Anthropic's Messages API."""

from __future__ import annotations

from typing import Any

import orjson

from errata.llm.backends.simulated.batch_desk import BadItem
from errata.llm.backends.simulated.chat_api import answer_chat
from errata.llm.request import Reply

_SAMPLING = ("max_tokens", "temperature", "top_p", "top_k")
_STOPPED = {"stop": "end_turn", "length": "max_tokens"}


def of_message(body: bytes) -> Reply:
    """The faculty's reply to a request's body. Raises BadItem."""
    return answer_chat(_as_chat(body))


def _as_chat(body: bytes) -> dict[str, Any]:
    """The request in the words of OpenAI's chat API."""
    try:
        request = orjson.loads(body)
        system = [{"role": "system", "content": request["system"]}] if request.get("system") else []
        settings = {name: request[name] for name in _SAMPLING if name in request}
        return {"model": request["model"], "messages": system + request["messages"], **settings}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadItem(f"the body is no request for a message: {error!r}") from None


def as_message(answer: Reply, content: str) -> dict[str, Any]:
    """The reply as a message; `content` is the hash of the request."""
    return {
        "id": f"msg_{content}",
        "type": "message",
        "role": "assistant",
        "model": answer.served,
        "content": [{"type": "text", "text": answer.text}],
        "stop_reason": _STOPPED.get(answer.finish_reason or "", "end_turn"),
        "stop_sequence": None,
        "usage": {"input_tokens": answer.prompt_tokens, "output_tokens": answer.completion_tokens},
    }
