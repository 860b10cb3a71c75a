"""Reading what models answer: strict, pure, and honest about what cannot be read.

A parser takes a reply's text (thinking already split off) and returns what it says, or raises Unreadable with the
reason; the agent then makes a fresh try.
"""

from __future__ import annotations

import re
from typing import NamedTuple, get_args

from errata.grading.extract import read_answer
from errata.records import MistakeKind, Problem


class Unreadable(ValueError):
    """The reply does not hold what was asked for. The message says why in a few words."""


class Thought(NamedTuple):
    """A reply in two parts: thinking, where there is any, and what is meant for the reader."""

    reasoning: str | None
    text: str


def split_thinking(reply: str, reasoning: str | None = None) -> Thought:
    """Split a leading `<think>` block off; `reasoning` is what the provider sent apart, and stands first.

    A block that is never closed is thinking to the end. A reply may start inside a block that the chat template has
    opened: then everything up to `</think>` is thinking. Without a block the text stays as it is, to the character.
    """
    opened = re.match(r"\s*<think>", reply)
    start = opened.end() if opened else 0
    end = reply.find("</think>", start)
    if end < 0 and not opened:
        return Thought(reasoning or None, reply)
    inside, text = (reply[start:], "") if end < 0 else (reply[start:end], reply[end + len("</think>") :].lstrip())
    parts = [part for part in ((reasoning or "").strip(), inside.strip()) if part]
    return Thought("\n".join(parts) or None, text)


_REFUSAL = re.compile(
    r"""\W*(?:
        (?:i\s*(?:['’]m|\s+am)\s+(?:(?:very|really|so)\s+)?sorry|sorry|(?:my\s+)?apolog\w+|unfortunately)\b[^.!?\n]{0,40}?
            \bi\s*(?:can(?:no|['’])?t|can\s+not|am\s+(?:not\s+able|unable)|['’]m\s+(?:not\s+able|unable)|won['’]t)
      | i\s*(?:can(?:no|['’])?t|can\s+not|(?:am|['’]m)\s+(?:not\s+able|unable)\s+to|won['’]t)\s+
            (?:help|assist|answer|solve|comply|provide|do|fulfil|continue|complete|engage|write|rewrite|discuss)
      | as\s+an\s+(?:ai|artificial)\b[^.!?\n]{0,40}?\bi\s*(?:can|am|['’]m|won|do\s+not|don)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_CONCLUDES = re.compile(r"\banswer\b\s*(?:is|:|=)|\\boxed|####", re.IGNORECASE)


def is_refusal(text: str) -> bool:
    """The reply opens by declining and never gets to an answer."""
    return bool(_REFUSAL.match(text)) and not _CONCLUDES.search(text)


def read_prose(text: str) -> str:
    """A reply that is free text: anything but nothing and a refusal."""
    if not text.strip():
        raise Unreadable("empty")
    if is_refusal(text):
        raise Unreadable("refusal")
    return text


def read_solution(problem: Problem, text: str) -> str:
    """A worked solution: free text in which an answer of the problem's kind can be read."""
    read_prose(text)
    if read_answer(problem.kind, text, problem.choices).answer is None:
        raise Unreadable("no answer")
    return text


_BRACKETED = re.compile(r"(?<![\\\w}])\[([^\[\]]*)\]")  # not \[ of LaTeX, \sqrt[3] or list[3]
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
_SHARE = re.compile(r"(?<![\w./])(-?\d+(?:\.\d+)?)\s*(?:/|out\s+of)\s*\d+(?![\w/])", re.IGNORECASE)


def read_score(text: str) -> int:
    """A reviewer's score, 1 to 5, by the rule of the peer-review paper's code.

    The last bracketed item counts (`[4/5]` is 4, else its last number), else the last number of the text; of two
    scores the last stands. Beyond that rule: `4/5` and `4 out of 5` without brackets are 4, not 5, and a number that
    is not whole is no score.
    """
    for stretch in (*_BRACKETED.findall(text)[-1:], text):
        numbers = [*_NUMBER.finditer(stretch)]
        if not numbers:
            continue
        shares = [share for share in _SHARE.finditer(stretch) if share.end() >= numbers[-1].end()]
        score = float(shares[-1][1] if shares else numbers[-1][0])
        if score not in (1, 2, 3, 4, 5):
            raise Unreadable(f"score {score:g} is none of 1 to 5")
        return int(score)
    raise Unreadable("no score" if text.strip() else "empty")


KINDS: tuple[MistakeKind, ...] = get_args(MistakeKind)
_NAMED_KINDS = re.compile(r"\bkinds?\b[\s*_]*:[\s*_]*(?:\[([^\[\]]*)\]|([^\n]*))", re.IGNORECASE)


def read_kinds(text: str) -> tuple[MistakeKind, ...]:
    """The kinds of a mistake, from the last `Kinds: [...]` or, without one, the last bracketed item."""
    named = [match[1] if match[1] is not None else match[2] for match in _NAMED_KINDS.finditer(text)]
    for item in (*named[-1:], *_BRACKETED.findall(text)[-1:]):
        words = [word.strip(" \t\n.*_`'\"()").casefold() for word in re.split(r"[,;+/]|\band\b", item)]
        names = {word.removesuffix(" mistake").removesuffix(" error") for word in words if word}
        if names and names <= set(KINDS):
            return tuple(kind for kind in KINDS if kind in names)
    raise Unreadable("no kinds of mistake" if text.strip() else "empty")
