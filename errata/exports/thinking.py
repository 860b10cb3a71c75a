"""What a reasoning model thought before it wrote, as a part of what a student learns to write.

    Rationale.reasoning + Rationale.text --completion--> "<think>\n...\n</think>\n\n..." --apart--> both again

In a data set the thinking stands in `<think>` tags, which most chat templates use; a training puts it into the tags of
its student (training.think_tags).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from errata.agents.parse_reply import split_thinking
from errata.records import Rationale, Span

Reasoning = Literal["drop", "keep"]
"""What becomes of thinking. drop: it is left out. keep: it stands before the text, where there is any."""
OPEN, CLOSE = "<think>\n", "\n</think>\n\n"


class Parts(NamedTuple):
    """A completion in its two parts, and the number of characters that stand before its text."""

    reasoning: str | None
    text: str
    before: int


def head(rationale: Rationale, reasoning: Reasoning) -> str:
    """What stands before the text: the thinking in its tags, or nothing."""
    if reasoning == "drop" or not (rationale.reasoning or "").strip():
        return ""
    return f"{OPEN}{(rationale.reasoning or '').strip()}{CLOSE}"


def completion(rationale: Rationale, reasoning: Reasoning) -> str:
    """What the student learns to write."""
    return head(rationale, reasoning) + rationale.text


def span_in_completion(rationale: Rationale, span: Span, reasoning: Reasoning) -> Span:
    """Characters of the text as those of the completion."""
    before = len(head(rationale, reasoning))
    return Span(span[0] + before, span[1] + before)


def apart(text: str) -> Parts:
    """A completion's thinking and its text; text that only speaks of the tags is left as it is."""
    if not text.lstrip().startswith("<think>") or "</think>" not in text:
        return Parts(None, text, 0)
    reasoning, rest = split_thinking(text)
    return Parts(reasoning, rest, len(text) - len(rest)) if reasoning and rest.strip() else Parts(None, text, 0)
