"""Marks for Anthropic's cache: on a long beginning that comes again, and nowhere else."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from errata.llm.backends.litellm import LiteLLM
from errata.llm.batches.anthropic_api import SOME_REPLY
from errata.llm.cache_marks import CacheMarks, fixed_part, least_to_cache
from errata.llm.request import Context, Request
from errata.llm.spec import AgentSpec
from errata.records import Message
from tests.llm.provider import request_of

FEW_SHOT = "Solve it. " + "An example of a problem and its solution. " * 120
MODEL = "anthropic/claude-sonnet-4-5"


def ask(question: str, before: str = FEW_SHOT, model: str = MODEL, system: str = "") -> Request:
    messages = (Message(role="user", content=f"{before}{question} Solution:"),)
    if system:
        messages = (Message(role="system", content=system), *messages)
    context = Context(problem_id="p", question=question)
    return request_of(AgentSpec(name="ada", model=model), context=context, messages=messages)


def marked(messages: list[dict[str, Any]]) -> list[str]:
    parts = [part for message in messages for part in message["content"] if isinstance(part, dict)]
    return [part["text"] for part in parts if "cache_control" in part]


def test_a_long_beginning_is_marked_from_its_second_time_on() -> None:
    marks = CacheMarks()
    assert marked(marks.messages(ask("1 + 1?"))) == []
    for question in ("2 + 2?", "3 + 3?"):
        messages = marks.messages(ask(question))
        assert marked(messages) == [FEW_SHOT]
        assert "".join(part["text"] for part in messages[0]["content"]) == ask(question).messages[0].content


@pytest.mark.parametrize(
    "asked",
    [
        {"before": "Solve it. "},
        {"model": "gemini/x"},
        {"model": "openai/gpt-4o"},
        {"model": "anthropic/claude-haiku-4-5"},  # keeps nothing below 4,096 tokens
    ],
)
def test_what_is_short_or_not_asked_for_is_not_marked(asked: dict[str, Any]) -> None:
    marks = CacheMarks()
    for question in ("1 + 1?", "2 + 2?", "3 + 3?"):
        assert marked(marks.messages(ask(question, **asked))) == []


def test_examples_that_change_with_the_problem_are_not_marked() -> None:
    marks = CacheMarks()
    for number in range(4):
        assert marked(marks.messages(ask("1 + 1?", before=f"{number} {FEW_SHOT}"))) == []


def test_a_system_message_counts_and_a_prompt_that_begins_with_the_problem_has_no_fixed_part() -> None:
    marks = CacheMarks()
    for question in ("1 + 1?", "2 + 2?"):
        messages = marks.messages(ask(question, before="Solve: ", system=FEW_SHOT))
    assert marked(messages) == ["Solve: "]
    assert fixed_part(ask("1 + 1?", before="")) == 0
    assert least_to_cache(AgentSpec(name="a", model="litellm/anthropic/claude-sonnet-4-5")) == 1024


async def test_the_mark_reaches_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    backend = LiteLLM()
    for question in ("1 + 1?", "2 + 2?"):
        sent = orjson.loads(await (await backend.as_sent(ask(question), 0, SOME_REPLY)).aread())
    assert sent["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert sent["messages"][0]["content"][0]["text"] == FEW_SHOT
