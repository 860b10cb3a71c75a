"""The reply in a chat completion as OpenAI-compatible servers send it.

    {"model": "served-model", "choices": [{"message": {"role": "assistant", "content": "42"}, "finish_reason": "stop"}],
     "usage": {"prompt_tokens": 10, "completion_tokens": 5}}

Fields that are not named here are passed over.
"""

from __future__ import annotations

from typing import Any

from errata.llm.request import ProviderFailure, Reply
from errata.llm.stored_reply import token_count


def reply_in(completion: dict[str, Any]) -> Reply:
    """The reply with its tokens as the server counts them, 0 where it does not.

    A model's thinking is read from `reasoning_content` (llama.cpp, vLLM, DeepSeek) or `reasoning` (OpenRouter), a
    refusal stands for a missing text.

    Raises a transient ProviderFailure where the message is another's than the assistant's, where its content is no text
    and its usage no object: such a server does not speak the protocol.
    """
    choice = completion["choices"][0]
    message = choice["message"]
    if message["role"] != "assistant":
        raise ProviderFailure(
            f"the reply is a message of role {str(message['role'])[:40]}, not assistant", transient=True, billed=True
        )
    usage = completion.get("usage") or {}
    if not isinstance(usage, dict):
        raise ProviderFailure(f"the reply's usage is no object but {type(usage).__name__}", transient=True)
    details = usage.get("prompt_tokens_details")
    return Reply(
        text=_text_of(message.get("content")) or _text(message.get("refusal")) or "",
        finish_reason=_text(choice.get("finish_reason")),
        reasoning=_text(message.get("reasoning_content")) or _text(message.get("reasoning")),
        served=_text(completion.get("model")),
        prompt_tokens=token_count(usage.get("prompt_tokens")),
        completion_tokens=token_count(usage.get("completion_tokens")),
        cached_tokens=token_count(details.get("cached_tokens")) if isinstance(details, dict) else 0,
    )


def _text_of(content: object) -> str:
    """A message's text: a string, or the text parts of a list. Raises ProviderFailure."""
    match content:
        case None:
            return ""
        case str():
            return content
        case list():
            return "".join(_part(part) for part in content)
    raise ProviderFailure(f"the reply's content is no text but {type(content).__name__}", transient=True)


def _part(part: object) -> str:
    if isinstance(part, dict):
        return _text(part.get("text")) or "" if part.get("type") == "text" else ""
    return part if isinstance(part, str) else ""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
