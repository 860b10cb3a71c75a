"""What a reasoning model thought before it wrote, as a part of what a student learns to write.

    Rationale.reasoning + Rationale.text --completion--> "<think>\n...\n</think>\n\n..." --apart--> both again

In a data set the thinking stands in `<think>` tags, which most chat templates use; a training puts it into the tags of
its student (training.think_tags).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from errata.agents.parse_reply import split_thinking
from errata.graphs.stages.shorten_thinking import words
from errata.records import Rationale, Span

Reasoning = Literal["drop", "keep", "short"]
"""What becomes of thinking. drop: it is left out. keep: it stands before the text, where there is any. short: the same,
shortened where the stage shorten_thinking has shortened it; rationales with too much thinking left are no rows."""
OPEN, CLOSE = "<think>\n", "\n</think>\n\n"


class Parts(NamedTuple):
    """A completion in its two parts, and the number of characters that stand before its text."""

    reasoning: str | None
    text: str
    before: int


def head(rationale: Rationale, reasoning: Reasoning) -> str:
    """What stands before the text: the thinking in its tags, or nothing."""
    thinking = _thinking(rationale, reasoning).strip()
    return f"{OPEN}{thinking}{CLOSE}" if thinking else ""


def _thinking(rationale: Rationale, reasoning: Reasoning) -> str:
    if reasoning == "drop":
        return ""
    if reasoning == "short" and rationale.short_reasoning is not None:
        return rationale.short_reasoning.text
    return rationale.reasoning or ""


def unshortened(rationale: Rationale, reasoning: Reasoning, max_words: int) -> str | None:
    """Why there is no short thinking: what was thought has more words, and was not shortened. None where there is."""
    if reasoning != "short" or rationale.short_reasoning is not None or words(rationale.reasoning) <= max_words:
        return None
    return "thinking_not_shortened"


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
