"""Reading what models answer: strict, pure, and honest about what cannot be read.

A parser takes a reply's text (thinking already split off) and returns what it says, or raises Unreadable with the
reason; the agent then makes a fresh try.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple, TypeVar, get_args

from errata.grading.extract import read_answer
from errata.records import MistakeKind, Problem

V = TypeVar("V")


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


_MARKUP = re.compile(r"[*_`#>\"“”()\[\]]")
_ASIDE = re.compile(r"\([^()\d]*\)")
_SCORE = re.compile(
    r"(?:(?:^-?|[.!?]|\bis)\s*score\s*[:=]|(?:^|[.!?,]\s+(?:so\s+|therefore,?\s+)?)the\s+score\s+is)\s*([1-5])(?:\.0)?"
    r"(?:\s+for\s+(?:useless|seriously|doubtful|sound)[a-z ]*)?\.?$",
    re.IGNORECASE,
)
_BRACKETED_SCORE = re.compile(r"\[\s*([1-5])(?:\.0)?\s*\]\.?")
SCORE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "review": {"type": "string", "description": "why, in a few short sentences"},
        "score": {
            "type": "integer",
            "enum": [1, 2, 3, 4, 5],
            "description": "1 useless, 2 seriously flawed, 3 doubtful, 4 sound but for trifles, 5 sound",
        },
    },
    "required": ["review", "score"],
    "additionalProperties": False,
}
"""The JSON form of a review, asked for where the provider takes a schema."""


def read_score(text: str) -> int:
    """A reviewer's score, 1 to 5, in the form that the prompt asks for: the closing line `Score: 4`.

    A reply that is one JSON object is read by its member `score` alone. Three forms more are read: that line as the
    reply's first, the closing sentence "The score is 4.", and a last line that is nothing but `[4]`, as the peer-review
    paper's reviewers close. Any other number is unreadable, since the solution that a reviewer restates holds such
    numbers too: `\\boxed{4}`, `Step 4:`, `3 out of 5`. So are scores that differ.
    """
    lines = _lines(text)
    if (reply := _json_object(text, "score")) is not None:
        _refuse_echo(reply, SCORE_SCHEMA)
        value = reply.get("score")
        known = isinstance(value, int | float) and not isinstance(value, bool) and value in range(1, 6)
        return _only({int(value)} if known else (), "score")  # type: ignore[arg-type]
    scores = {score for line in (lines[0], lines[-1]) if (score := _labeled_score(line)) is not None}
    if bracketed := _BRACKETED_SCORE.fullmatch(lines[-1].strip("*_` ")):
        scores.add(int(bracketed[1]))
    return _only(scores, "score")


def _labeled_score(line: str) -> int | None:
    """The score of a line that is `Score: 4` or "The score is 4.", or that ends so; `Score: 4 (sound)` is one too."""
    match = _SCORE.search(_MARKUP.sub("", _ASIDE.sub("", line)).strip())
    return int(match[1]) if match else None


def review_text(text: str) -> str:
    """A review as others read it: one in JSON form as its words and the line `Score: N`, any other as it is."""
    try:
        reply, score = _json_object(text, "score"), read_score(text)
    except Unreadable:
        return text
    review = reply.get("review") if reply is not None else None
    return f"{review.strip()}\nScore: {score}" if isinstance(review, str) else text


_STEP = re.compile(
    r"(?:^-?|[.!?]\s+(?:so\s+|therefore,?\s+)?(?:the\s+)?|^the\s+)first\s+wrong\s+step\s*(?::|=|\bis)\s*(?:step\s+)?(\d{1,3})\.?$",
    re.IGNORECASE,
)
STEP_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "review": {"type": "string", "description": "why, in a few short sentences"},
        "first_wrong_step": {
            "type": "integer",
            "description": "the number of the first wrong step, 0 if there is none",
        },
    },
    "required": ["review", "first_wrong_step"],
    "additionalProperties": False,
}
"""The JSON form of a first wrong step, asked for where the provider takes a schema."""


def read_step(steps: int, text: str) -> int:
    """The number of the first wrong step, from 1 to `steps`, or 0 for none: the closing line `First wrong step: 3`.

    A reply that is one JSON object is read by its member `first_wrong_step` alone. That line may as well be the
    reply's first, or end a closing sentence ("The first wrong step is step 3."). Numbers of any other line are those of
    steps that the review goes through.
    """
    lines = _lines(text)
    if (reply := _json_object(text, "first_wrong_step")) is not None:
        _refuse_echo(reply, STEP_SCHEMA)
        value = reply.get("first_wrong_step")
        numbers = {value} if isinstance(value, int) and not isinstance(value, bool) else set()
    else:
        plain = (_MARKUP.sub("", _ASIDE.sub("", line)).strip() for line in (lines[0], lines[-1]))
        numbers = {int(match[1]) for line in plain if (match := _STEP.search(line))}
    return _only({number for number in numbers if 0 <= number <= steps}, "step")


KINDS: tuple[MistakeKind, ...] = get_args(MistakeKind)
_DEFINITION = re.compile(r"\([^()\n]*\)")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]\.?")
_OF_MISTAKE = r"\b(?:kind|type)s?(?:\s+of\s+(?:the\s+)?(?:mistake|error)s?)?"
_LABEL = re.compile(_OF_MISTAKE + r"[ *_]*:(?P<names>[^\n.)]*)", re.IGNORECASE)
_SENTENCE = re.compile(
    rf"(?:{_OF_MISTAKE}|\bmistakes?)\b[^\n.:;]{{0,60}}?\s(?:is|are)\b:?(?P<names>[^\n.:;]*)", re.IGNORECASE
)
_HEADING = re.compile(rf"(?:the\s+)?{_OF_MISTAKE}[^\n.:;]{{0,60}}:?", re.IGNORECASE)
_BULLET = re.compile(r"\s*(?:[-*•]|\d\d?[.)])\s+(?P<names>[^\n]*)")
_SEPARATOR = re.compile(r"[,;+/&]|\band\b", re.IGNORECASE)
KINDS_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "mistake": {"type": "string", "description": "what is wrong, in one sentence"},
        "kinds": {
            "type": "array",
            "items": {"type": "string", "enum": list(KINDS)},
            "description": "the kinds which apply",
        },
    },
    "required": ["mistake", "kinds"],
    "additionalProperties": False,
}
"""The JSON form of a classification, asked for where the provider takes a schema."""


def read_kinds(text: str) -> tuple[MistakeKind, ...]:
    """The kinds of a mistake, in the order of KINDS, in the form that the prompt asks for: `Kinds: [logical, other]`.

    A reply that is one JSON object is read by its member `kinds` alone, a list of such names. Read are further the line
    without brackets, such brackets alone on a line, the sentence "The kinds are logical and calculation." and a list
    under the heading "Kinds", each with or without the definitions. All four kinds are an echo of the prompt, not a
    choice, and unreadable like choices that differ.
    """
    lines = _lines(text)
    if (reply := _json_object(text, "kinds")) is not None:
        _refuse_echo(reply, KINDS_SCHEMA)
        return _in_order(_only({_named(reply.get("kinds"))} - {frozenset()}, "kinds"))
    stated = [match[1] for line in lines if (match := _BRACKETS.fullmatch(line.strip("*_` ")))]
    for part in (text, _DEFINITION.sub("", text)):
        stated += [match["names"] for pattern in (_LABEL, _SENTENCE) for match in pattern.finditer(part)]
    stated += _lists(lines)
    return _in_order(_only({names for each in stated if (names := _kinds(each))}, "kinds"))


def _in_order(names: Collection[str]) -> tuple[MistakeKind, ...]:
    return tuple(kind for kind in KINDS if kind in names)


def _named(value: Any) -> frozenset[str]:
    """The kinds in a JSON list of them; none where it is no such list, holds anything else or all of them."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return frozenset()
    kinds = frozenset(name.casefold() for name in value)
    return kinds if kinds < frozenset(KINDS) else frozenset()


def _lists(lines: Sequence[str]) -> Iterator[str]:
    """The list under each heading "Kinds", its items joined by commas."""
    for place, line in enumerate(lines):
        if _HEADING.fullmatch(_MARKUP.sub("", line).strip()):
            bullets = takewhile(bool, map(_BULLET.fullmatch, lines[place + 1 :]))
            yield ", ".join(bullet["names"] for bullet in bullets if bullet)


def _kinds(names: str) -> frozenset[str]:
    """The kinds in a list of names; none where it holds anything else or all of them."""
    words = (_MARKUP.sub("", word).strip(" \t.'").casefold() for word in _SEPARATOR.split(_DEFINITION.sub("", names)))
    kinds = frozenset(re.sub(r" (?:mistake|error)s?$", "", word) for word in words if word)
    return kinds if kinds < frozenset(KINDS) else frozenset()


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise Unreadable("empty")
    return lines


def _only(values: Collection[V], what: str) -> V:
    if len(values) > 1:
        raise Unreadable(f"several {what.removesuffix('s')}s that differ")
    for value in values:
        return value
    raise Unreadable(f"no {what}")


_FENCE = re.compile(r"```(?:json)?\s*(\{.*\})\s*```", re.DOTALL | re.IGNORECASE)


def _json_object(text: str, member: str) -> dict[str, Any] | None:
    """A reply that is one JSON object, in a code fence or without; None where it is no such thing.

    Raises Unreadable where it holds the member and yet is no whole object, or gives a member twice: which of several
    values is meant cannot be known.
    """
    fenced = _FENCE.fullmatch(text.strip())
    try:
        value = json.loads(fenced[1] if fenced else text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        if re.search(rf"""["']{member}["']\s*:""", text, re.IGNORECASE):
            raise Unreadable("broken JSON") from None
        return None
    return value if isinstance(value, dict) else None


def _refuse_echo(reply: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Raises Unreadable where a member holds its own description: the form is echoed, and nothing was judged."""
    for name, each in schema["properties"].items():
        value = reply.get(name)
        if isinstance(value, str) and value.strip(' ".').casefold() == each["description"].casefold():
            raise Unreadable("the form is echoed")


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(members)
    if len(named) < len(members):
        raise ValueError("a member is given twice")
    return named
