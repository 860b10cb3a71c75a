"""Final sentences: where a text states its answer, as in `The answer is X`, `Final answer: X`, `#### X`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from errata.grading.hit import Hit, Reading
from errata.grading.normalize import find
from errata.grading.trim import find_trimmed
from errata.records import AnswerKind

LONGEST_SENTENCE = 2_000
"""Characters of a sentence that are read."""
_MOST_MARKS = 300
_MARK = re.compile(
    r"""(?P<hash>^[ \t]{0,9}\#\#\#\#[ \t]{0,9}(?=\S))
    | \b(?:answer|ans|(?:correct|right|best)[ ](?:option|choice))\b [*_")]{0,4}
      (?: [ ]to[ ](?:the|this)[ ](?:question|problem)[^.:\n]{0,300}? )?
      (?: \s{0,3}(?: \b(?:is|are|was|would[ ]be|will[ ]be|must[ ]be|should[ ]be|equals)\b | [:：=] )
          [*_]{0,4} (?: [ ]?(?:therefore|thus|then|hence|simply|that)\b,? )? [ ]{0,3} [:：]? [*_]{0,4}
        | (?P<letter>[ ]{0,3}[-–—]?[ ]{0,3}(?:option[ ])?(?=\(?[A-Z]\b)) )""",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_DOUBTFUL = re.compile(
    r"\b(?:whether|if|suppose|assume|unless|possible|wrong|incorrect|your|student['’]?s)\W{1,3}(?:\w{1,20}\W{1,3})?$",
    re.I,
)
_REFUSED = re.compile(r"\s{0,9}(?:not|correct|in\sthe\sform|of\sthe\sform|one\sof)\b", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<![ .][A-Za-z])(?:\.|(?<![\d)}])[!?])(?=\s+[A-Z(\"'“$\\*#]|\s*$)")
LINE = re.compile(r"[^\n]*\S[^\n]*")
_OPENER = re.compile(r"[\s*_]*(?:\$\$|\\\[)?[\s*_]*$")
_MATHS = re.compile(r"\s*(?:\*\*)?(?:\$|\\\[|\\\(|\\boxed|\\text)")
_EXPLAINED = re.compile(r"[\s*_#]*(?:explanation|reasoning|rationale|because)\b", re.IGNORECASE)
_SHORT = re.compile(r"[\s*_]*[^\s]+(?:[ \t]+[^\s]+){0,3}\s*$")


NEW_TALK = re.compile(r"^[ \t#*]{0,9}(?:problem|question|q|exercise|user|human)\b[ \d]{0,5}[:.]", re.I | re.M)


class Line(NamedTuple):
    """A final sentence: what it says, where it starts and where it ends."""

    reading: Reading
    start: int
    end: int


def final_sentence(kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str]) -> Line | None:
    """The first readable final sentence; a line of #### counts before others up to where new talk starts."""
    line = _first_mark(kind, text, start, end, choices)
    if line and line.reading.rule != "hash":
        new = NEW_TALK.search(text, line.end, end)
        return _first_mark(kind, text, line.end, new.start() if new else end, choices, hashes=True) or line
    return line


def _first_mark(
    kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str], *, hashes: bool = False
) -> Line | None:
    for mark in islice(_MARK.finditer(text, start, end), _MOST_MARKS):
        if (mark["letter"] is not None and kind != "choice") or (hashes and not mark["hash"]):
            continue
        if not mark["hash"] and _is_no_statement(text, start, mark):
            continue
        begin, stop = _rest(kind, text, mark, end)
        if kind != "boolean" and _REFUSED.match(text, begin, stop):
            continue
        if mark["hash"] and not _SHORT.match(text, begin, stop):
            continue
        if hit := _stated_answer(kind, text, begin, stop, choices):
            return Line(Reading(*hit, "hash" if mark["hash"] else "final_line"), mark.start(), stop)
    return None


_TASK = re.compile(
    r"(?:^|[.!?:;]\s|[-*•>]\s|\d[.)]\s|\b(?:to|please|us|let['’]s|must|should|can|now)\s)[\s*_#]*(?:now\s+|first,?\s+|then\s+)?"
    r"(?:choose|select|pick|find|consider|give|write|state|determine|get|compute|calculate|look\s+(?:at|for)|check|evaluate"
    r"|examine|review|identify|provide|explain|verify|obtain|reach|work\s+out|figure\s+out)\b"
    r"(?:\s+(?:your|the|an?|each|every|only|one|final|best|correct|right|following|most|appropriate|down|at|for)\b){0,5}\s*[*_\"(]*$",
    re.IGNORECASE,
)
_LONGEST_TASK = 120
_LISTED = re.compile(r"(?:answer|ans|option|choice)[ ]\(?([A-Z])\)?[ ]{0,3}:", re.IGNORECASE)
_JUDGED = re.compile(r"\(?[A-Z]\)?[ ]+(?:is|are|would[ ]be|must[ ]be|seems)[ ]+(?:not|wrong|incorrect|false|out)\b")


def _is_no_statement(text: str, start: int, mark: re.Match[str]) -> bool:
    """Whether a mark states no answer: a doubt, a task or a list.

    These are `if the answer is`, `Choose the best answer:` and `Answer A: ... Answer B: ...`.
    """
    if _DOUBTFUL.search(text, max(start, mark.start() - 50), mark.start()):
        return True
    line = text.rfind("\n", max(start, mark.start() - _LONGEST_TASK), mark.start()) + 1
    before = text[line or max(start, mark.start() - _LONGEST_TASK) : mark.start()]
    states = mark["letter"] is None and re.search(r"\b(?:is|are|was|be|equals)\b|=", mark[0], re.IGNORECASE)
    if not states and _TASK.search(before):
        return True
    if mark["letter"] is None:
        return False
    if _JUDGED.match(text, mark.end()):
        return True
    listed = _LISTED.match(text, mark.start())
    near = text[max(start, mark.start() - 1_000) : mark.end() + 1_000]
    return bool(listed) and len({letter.upper() for letter in _LISTED.findall(near)}) > 1


def _emphasis_end(text: str, begin: int, line_end: int) -> int:
    """Where the emphasis is closed that the answer starts with or that was opened before it; else the line's end."""
    marks = _EMPHASIS.search(text, max(0, begin - 3), begin)
    opened = marks[0] if marks else ""
    if not opened and (inner := _EMPHASIS_OPENS.match(text, begin, line_end)):
        opened, begin = inner[1], inner.end()
    close = text.find(opened, begin, line_end) if opened else -1
    after = text[close + len(opened) : close + len(opened) + 1]
    return line_end if close < 0 or after.isalnum() else close + (len(opened) if not marks else 0)


_EMPHASIS = re.compile(r"(?:\*\*|__|\*|_)$")
_EMPHASIS_OPENS = re.compile(r"\s*(\*\*|__|\*|_)(?=\S)")


def _rest(kind: AnswerKind, text: str, mark: re.Match[str], end: int) -> tuple[int, int]:
    """The stretch that a mark announces: the rest of its sentence, or the next line where it is a heading.

    A heading over a worked solution ("Answer:" and several lines) announces nothing: the stretch is empty.
    """
    begin, limit = mark.end(), min(end, mark.end() + LONGEST_SENTENCE)
    line_end = text.find("\n", begin, limit)
    line_end = limit if line_end < 0 else line_end
    if _OPENER.match(text[begin:line_end]):
        lines = [line for line in LINE.finditer(text, begin, limit) if not _OPENER.match(line[0])][:2]
        if not lines:
            return begin, begin
        displayed = "$$" in text[begin : lines[0].start()] or r"\[" in text[begin : lines[0].start()]
        alone = len(lines) == 1 or displayed or _MATHS.match(lines[0][0]) or _EXPLAINED.match(lines[1][0])
        if not alone:
            return begin, begin
        begin, line_end = lines[0].span()
    if kind == "string":  # names may hold full stops
        return begin, _emphasis_end(text, begin, line_end)
    sentence_end = SENTENCE_END.search(text, begin, line_end)
    return begin, sentence_end.start() if sentence_end else line_end


def _stated_answer(kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str]) -> Hit | None:
    """The answer in the rest of a final sentence."""
    if kind == "latex":
        return _formula(text, start, end)
    return find(kind, text, start, end, choices)


_INLINE = re.compile(r"[\s*_]{0,9}\$((?:[^$\\\n]|\\[^\n]){1,500})\$(?!\s*(?:,|and\b|or\b|,\s*and\b)\s*\$)")
_PROSE = re.compile(r"[a-z]{2,},?(?:\s+\S+){4}|\\begin\{(?:align|array|eqnarray)")
_EXPRESSIVE = re.compile(r"[\d\\$^=<>]")


def _formula(text: str, start: int, end: int) -> Hit | None:
    """The formula a sentence gives: what its first $...$ holds, unless that begins a list; else all of it."""
    inline = _INLINE.match(text, start, end)
    hit = find_trimmed(text, *inline.span(1)) if inline else find_trimmed(text, start, end)
    if not hit or _PROSE.match(hit.answer):
        return None
    return hit if _EXPRESSIVE.search(hit.answer) or len(hit.answer.split()) <= 4 else None
