"""Answers of texts without a final sentence: what they open with, conclude or close with."""

from __future__ import annotations

import re
from collections.abc import Sequence

from errata.grading.choices import find_choice, find_letter, find_truth
from errata.grading.final_sentence import LINE, LONGEST_SENTENCE, SENTENCE_END
from errata.grading.hit import Reading
from errata.grading.normalize import find
from errata.grading.numbers import find_number
from errata.grading.trim import find_string, find_trimmed
from errata.records import AnswerKind, Span

_CONCLUDES = re.compile(r"\b(?:therefore|thus|hence|so|consequently|in\sconclusion|overall)\b[\s,:]", re.IGNORECASE)
_MOST_CONCLUSIONS = 20
_NAMED = re.compile(
    r"\b(?:option|choice|ans|answer)[\s:*\-–(]{1,4}([A-Z])(?![\w'’])"
    r"|\b([A-Z])\)?\s+is\s+(?:the\s+)?(?:correct|right|best|answer)\b"
)
_ALONE = re.compile(r"[\s*_(\[]{0,9}([A-Z])[\s*_)\].]{0,9}$")
_TRUTH_OPENS = re.compile(r"\W{0,9}(?:yes|no|true|false|valid|invalid)\b(?!\s*(?:or|/)\s)", re.IGNORECASE)
_LONGEST_WHOLE = 300


def unstated(kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str]) -> Reading | None:
    """The answer of a text that has no final sentence and no box."""
    match kind:
        case "number":
            return _closing_number(text, start, end) or _last_number(text, start, end)
        case "boolean":
            return _closing_truth(text, start, end) or _truth(text, start, end)
        case "choice":
            return _choice(text, start, end, choices)
        case "latex":
            return _whole(kind, text, start, end) or _last_formula(text, start, end)
        case "string":
            return _emphasised(text, start, end) or _whole(kind, text, start, end)
        case _:
            return _closing_line(kind, text, start, end, choices)


def _conclusion(kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str]) -> Reading | None:
    for mark in reversed([*_CONCLUDES.finditer(text, start, end)][-_MOST_CONCLUSIONS:]):
        begin, limit = mark.end(), min(end, mark.end() + LONGEST_SENTENCE)
        stop = SENTENCE_END.search(text, begin, limit)
        if hit := find(kind, text, begin, stop.start() if stop else limit, choices):
            return Reading(*hit, "therefore")
    return None


_SENTENCES = re.compile(r"(?:[^.!?\n]|[.!?](?!\s|$))+")
_BRACKETED = re.compile(r"\([^()\n]{0,300}\)")
_PREAMBLE = re.compile(
    r"\s*(?:(?:therefore|thus|hence|so)\b,?\s*)?"
    r"(?:after|if|since|because|with|given|out of|in|for|from|at|when|of)\b[^,\n]{0,300},",
    re.IGNORECASE,
)
_MOST_SENTENCES = 20


def _closing_number(text: str, start: int, end: int) -> Reading | None:
    """What the last sentence with a number states, brackets and a leading clause aside.

    On 6,845 sampled solutions of SVAMP problems that state no answer, this finds the label's number in 5,007, the last
    number of the text in 4,626.
    """
    start = max(start, end - _MOST_SENTENCES * LONGEST_SENTENCE)
    for sentence in reversed([*_SENTENCES.finditer(text, start, end)][-_MOST_SENTENCES:]):
        bare = _BRACKETED.sub(lambda match: " " * len(match[0]), sentence[0])
        preamble = _PREAMBLE.match(bare)
        rule = "therefore" if _CONCLUDES.search(bare) else "closing"
        for begin, piece in ((preamble.end() if preamble else 0, bare), (0, bare), (0, sentence[0])):
            if hit := find_number(piece, begin, len(piece)):
                span = Span(hit.span.start + sentence.start(), hit.span.end + sentence.start())
                return Reading(hit.answer, span, rule)
    return None


def _last_number(text: str, start: int, end: int) -> Reading | None:
    hit = find_number(text, start, end, last=True)
    return Reading(*hit, "last_number") if hit else None


_BARE_TRUTH = re.compile(r"(?:^|\n|[.!?]\s)[\s*_]*(yes|no|true|false)[\s.*_!]*$", re.IGNORECASE)


def _closing_truth(text: str, start: int, end: int) -> Reading | None:
    """The last line or sentence that is nothing but a truth word, below or after others."""
    body = start + len(text[start:end].rstrip())
    bare = _BARE_TRUTH.search(text, max(start, body - 40), body)
    if not bare or not _LETTERED.search(text, start, bare.start(1)):
        return None
    hit = find_truth(text, bare.start(1), body)
    return Reading(*hit, "closing") if hit else None


_LETTERED = re.compile(r"[^\W\d_]")
_EMPHASIS = re.compile(r"(\*\*|__)([^*_\n]{1,300})\1")


def _emphasised(text: str, start: int, end: int) -> Reading | None:
    """The one thing that the last line emphasises, at its end: `So it is **blue**.`"""
    begin, stop = _last_line(text, start, end)
    marks = [*_EMPHASIS.finditer(text, begin, stop)]
    if len(marks) != 1 or text[marks[0].end() : stop].strip(" .!:;"):
        return None
    hit = find_string(text, *marks[0].span(2))
    return Reading(*hit, "closing") if hit else None


def _closing_line(kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str]) -> Reading | None:
    """What the last line gives, or its last sentence: for the kinds of several parts."""
    begin, stop = _last_line(text, start, end)
    formulas = [*_FORMULA.finditer(text, begin, stop)]
    spans = [formulas[-1].span(formulas[-1].lastindex or 0)] if formulas else []
    spans += [(verb.end(), stop) for verb in [*_VERB.finditer(text, begin, stop)][-1:]]
    whole = not text[start:begin].strip() or kind in ("ratio", "interval")
    for one, other in (*spans, *([(begin, stop)] if whole or not spans else [])):
        if hit := find(kind, text, one, other, choices):
            return Reading(*hit, "closing")
    return None


_VERB = re.compile(r"\b(?:is|are|be|equals)[:\s]\s*|[:=]\s+")


def _truth(text: str, start: int, end: int) -> Reading | None:
    opens = _TRUTH_OPENS.match(text, start, end)
    if opens and (hit := find_truth(text, start, opens.end() + 1)):
        return Reading(*hit, "opening")
    if reading := _conclusion("boolean", text, start, end, ()):
        return reading
    words, at = [], start
    while hit := find_truth(text, at, end):
        words.append(hit)
        at = hit.span.end
    if len({word.answer for word in words}) == 1:
        return Reading(*words[-1], "only_word")
    return None


def _choice(text: str, start: int, end: int, choices: Sequence[str]) -> Reading | None:
    last = _last_line(text, start, end)
    if hit := find_letter(_ALONE.match(text, *last), choices):
        return Reading(*hit, "closing")
    first = LINE.search(text, start, end)
    if first and (hit := find_letter(re.match(r"[\s*_]{0,9}\(?([A-Z])[).:]", first[0]), choices, first.start())):
        return Reading(*hit, "opening")
    if reading := _conclusion("choice", text, start, end, choices):
        return reading
    for mark in reversed([*_NAMED.finditer(text, start, end)][-_MOST_CONCLUSIONS:]):
        if hit := find_letter(mark, choices):
            return Reading(*hit, "closing")
    hit = find_choice(text, *last, choices)
    return Reading(*hit, "closing") if hit else None


def _last_line(text: str, start: int, end: int) -> tuple[int, int]:
    body = text[start:end].rstrip()
    stop = start + len(body)
    return max(start, text.rfind("\n", start, stop) + 1, stop - LONGEST_SENTENCE), stop


def _whole(kind: AnswerKind, text: str, start: int, end: int) -> Reading | None:
    if end - start > 2 * _LONGEST_WHOLE:
        return None
    hit = find(kind, text, start, end)
    if not hit or "\n" in hit.answer or len(hit.answer) > _LONGEST_WHOLE:
        return None
    if kind == "latex" and _WORDY.search(hit.answer):
        return None
    return Reading(*hit, "whole")


_WORDY = re.compile(r"[a-z]{2,} (?:[^\s]+ )?[a-z]{2,}", re.IGNORECASE)
_FORMULA = re.compile(r"(?<!\\)\$((?:[^$\\\n]|\\[^\n]){1,300})\$|\\\(([^\n]{1,300}?)\\\)")
_VALUED = re.compile(r"\d|\\[a-zA-Z]")
_IS = re.compile(r"\b(?:is|are|be|equals)\s+(?=[-\d\\])|=\s*(?=[-\d\\])")


def _last_formula(text: str, start: int, end: int) -> Reading | None:
    """What the last line's last formula comes to, or what follows its last "is"."""
    begin, stop = _last_line(text, start, end)
    verbs, formulas = [*_IS.finditer(text, begin, stop)], [*_FORMULA.finditer(text, begin, stop)]
    after = [(verbs[-1].end(), stop)] if verbs else []
    if formulas:
        inside = formulas[-1].span(formulas[-1].lastindex or 0)
        last = text.rfind("=", *inside) + 1 or inside[0], inside[1]
        after = [*(after if verbs and verbs[-1].start() >= formulas[-1].end() else []), last]
    for span in after:
        hit = find_trimmed(text, *span)
        if hit and _VALUED.search(hit.answer) and not (formulas and _WORDY.search(hit.answer)):
            return Reading(*hit, "closing")
    return None
