"""Replies in completions: what servers send, and the odd shapes."""

from __future__ import annotations

from typing import Any

import pytest

from errata.llm.backends.completion import reply_in
from errata.llm.request import ProviderFailure, Reply


def completion(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "choices": [{"message": {"role": "assistant"} | message, "finish_reason": "stop"}],
        "model": "served",
    } | more


def test_a_whole_completion() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}}
    message = {"content": "42", "reasoning_content": "6*7"}
    assert reply_in(completion(message, usage=usage)) == Reply("42", "stop", "6*7", "served", 10, 5, cached_tokens=8)


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "42", "reasoning": "6*7"}, "42", "6*7"),
        ({"content": "42", "reasoning": {"effort": "low"}}, "42", None),
        ({"content": [{"type": "thinking", "text": "no"}, {"type": "text", "text": "4"}, "2", 7]}, "42", None),
        ({"content": [{"type": "text", "text": None}], "refusal": "No."}, "No.", None),
        ({"content": "", "tool_calls": [{"id": 1}]}, "", None),
        ({}, "", None),
    ],
)
def test_texts_and_thinking(message: dict[str, Any], text: str, reasoning: str | None) -> None:
    reply = reply_in(completion(message))
    assert (reply.text, reply.reasoning) == (text, reasoning)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "10"}, {"prompt_tokens": -1, "completion_tokens": 0.5}])
def test_tokens_that_are_no_count_are_unknown(usage: object) -> None:
    reply = reply_in(completion({"content": "42"}, usage=usage))
    assert (reply.text, reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens) == ("42", 0, 0, 0)


def test_usage_that_is_no_object_fails_for_now() -> None:
    with pytest.raises(ProviderFailure, match="usage is no object but str"):
        reply_in(completion({"content": "42"}, usage="much"))


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"role": "user", "content": "42"}, "role user, not assistant"),
        ({"role": ["x"], "content": "42"}, "not assistant"),
        ({"content": 42}, "no text but int"),
        ({"content": {"text": "42"}}, "no text but dict"),
    ],
)
def test_what_is_no_reply_fails_for_now(message: dict[str, Any], why: str) -> None:
    with pytest.raises(ProviderFailure, match=why) as failure:
        reply_in(completion(message))
    assert failure.value.transient
