"""Finding the answer in a text: what was read, where it stands, and by which rule.

    hash         a line `#### 18`
    final_line   a sentence that states the answer: "The answer is X", "Final answer: X"
    box          the last \\boxed{X} up to the end of that sentence, or where there is none, the last one after it
    opening      the text starts with its answer: "False. ...", "(B) because ..."
    therefore    the last sentence concludes: "Therefore, there are 18 left"
    closing      the last line or sentence is or names the answer
    only_word    all the text's truth words agree
    last_number  the last number of the text; for numbers only
    whole        the text is nothing but its answer
    none         no answer

The *first* final sentence counts, since a model may run on into other talk ("Question: ..."). Before such new talk a
line of #### goes before "The answer is X", which worked solutions also say of intermediate results. Every pattern takes
linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from errata.grading.latex import last_box
from errata.grading.normalize import Found, find, find_choice, find_letter, find_number, find_trimmed, find_truth
from errata.records import AnswerKind, Span

LONGEST = 200_000
"""Characters of a text that are read."""
_LONGEST_SENTENCE = 2_000
_MOST_MARKS = 300


class Reading(NamedTuple):
    """An answer in the form of its kind, where it stands, and the rule that read it; None, None, "none" without one."""

    answer: str | None
    span: Span | None
    rule: str


NOTHING = Reading(None, None, "none")


def read_answer(kind: AnswerKind, text: str, choices: Sequence[str] = ()) -> Reading:
    """The answer that `text` gives, by the first rule that finds one of this kind. Pure; never raises."""
    return next(readings(kind, text, choices), NOTHING)


def readings(kind: AnswerKind, text: str, choices: Sequence[str] = ()) -> Iterator[Reading]:
    """What `read_answer` chooses from, best first: one answer, or for LaTeX the box and the final sentence."""
    start, end = thinking_ends(text), min(len(text), LONGEST)
    line = _final_sentence(kind, text, start, end, choices)
    box = _box(kind, text, start, end, line, choices)
    stated = [line.reading] if line else []
    if box and box.span:
        one = line is not None and line.start <= box.span.start < line.end  # "The answer is \\boxed{X}"
        stated = [box] if one or not line else [box, line.reading] if kind == "latex" else stated
    elif not line and (reading := _unstated(kind, text, start, end, choices)):
        stated = [reading]
    yield from stated


def settled(kind: AnswerKind, text: str, choices: Sequence[str] = ()) -> int | None:
    """How much of a growing text tells its answer: whatever follows that place, `readings` gives the same.

    That is up to where new talk starts after the final sentence, or the end of a line of ####. None while what comes
    next may change the answer, and under a heading ("Answer:"), where it depends on how the text goes on. Pure; never
    raises.
    """
    if "####" not in text and not _NEW_TALK.search(text):
        return None  # most texts, and this is asked at every full stop
    line = _final_sentence(kind, text, thinking_ends(text), min(len(text), LONGEST), choices)
    if line is None or line.reading.span is None or "\n" in text[line.start : line.reading.span.start]:
        return None
    if line.reading.rule == "hash" and kind != "latex":  # of LaTeX a later box counts too
        end = text.find("\n", line.end) + 1
    else:
        new = _NEW_TALK.search(text, line.end)
        end = new.start() if new else 0
    same = end and list(readings(kind, text[:end], choices)) == list(readings(kind, text, choices))
    return end if same else None


def _box(
    kind: AnswerKind, text: str, start: int, end: int, line: _Line | None, choices: Sequence[str]
) -> Reading | None:
    """The last box up to the end of the final sentence; without one, the last box up to where new talk starts."""
    span = last_box(text, start, line.end if line else end)
    if line and not span:
        new = _NEW_TALK.search(text, line.end, end)
        span = last_box(text, line.end, new.start() if new else end)
    found = find(kind, text, *span, choices) if span else None
    return Reading(*found, "box") if found else None


def thinking_ends(text: str) -> int:
    """Where the text after a leading <think> block starts; at its end where the block is never closed."""
    opened = re.match(r"\s*+<think>", text)
    if not opened:
        return 0
    close = text.find("</think>", opened.end())
    return len(text) if close < 0 else close + len("</think>")


# ---- final sentences -------------------------------------------------------------------------------------------------

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
_SENTENCE_END = re.compile(r"(?<![ .][A-Za-z])(?:\.|(?<![\d)}])[!?])(?=\s+[A-Z(\"'“$\\*#]|\s*$)")
_LINE = re.compile(r"[^\n]*\S[^\n]*")
_OPENER = re.compile(r"[\s*_]*(?:\$\$|\\\[)?[\s*_]*$")
_MATHS = re.compile(r"\s*(?:\*\*)?(?:\$|\\\[|\\\(|\\boxed|\\text)")
_EXPLAINED = re.compile(r"[\s*_#]*(?:explanation|reasoning|rationale|because)\b", re.IGNORECASE)
_SHORT = re.compile(r"[\s*_]*[^\s]+(?:[ \t]+[^\s]+){0,3}\s*$")


_NEW_TALK = re.compile(r"^[ \t#*]{0,9}(?:problem|question|q|exercise|user|human)\b[ \d]{0,5}[:.]", re.I | re.M)


class _Line(NamedTuple):
    """A final sentence: what it says, where it starts and where it ends."""

    reading: Reading
    start: int
    end: int


def _final_sentence(kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str]) -> _Line | None:
    """The first readable final sentence; a line of #### counts before others up to where new talk starts."""
    line = _first_mark(kind, text, start, end, choices)
    if line and line.reading.rule != "hash":
        new = _NEW_TALK.search(text, line.end, end)
        return _first_mark(kind, text, line.end, new.start() if new else end, choices, hashes=True) or line
    return line


def _first_mark(
    kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str], *, hashes: bool = False
) -> _Line | None:
    for mark in islice(_MARK.finditer(text, start, end), _MOST_MARKS):
        if (mark["letter"] is not None and kind != "choice") or (hashes and not mark["hash"]):
            continue
        if not mark["hash"] and _DOUBTFUL.search(text, max(start, mark.start() - 50), mark.start()):
            continue
        begin, stop = _rest(kind, text, mark, end)
        if kind != "boolean" and _REFUSED.match(text, begin, stop):
            continue
        if mark["hash"] and not _SHORT.match(text, begin, stop):
            continue
        if found := _stated(kind, text, begin, stop, choices):
            return _Line(Reading(*found, "hash" if mark["hash"] else "final_line"), mark.start(), stop)
    return None


def _rest(kind: AnswerKind, text: str, mark: re.Match[str], end: int) -> tuple[int, int]:
    """The stretch that a mark announces: the rest of its sentence, or the next line where it is a heading.

    A heading over a worked solution ("Answer:" and several lines) announces nothing: the stretch is empty.
    """
    begin, limit = mark.end(), min(end, mark.end() + _LONGEST_SENTENCE)
    line_end = text.find("\n", begin, limit)
    line_end = limit if line_end < 0 else line_end
    if _OPENER.match(text[begin:line_end]):
        lines = [line for line in _LINE.finditer(text, begin, limit) if not _OPENER.match(line[0])][:2]
        if not lines:
            return begin, begin
        displayed = "$$" in text[begin : lines[0].start()] or r"\[" in text[begin : lines[0].start()]
        alone = len(lines) == 1 or displayed or _MATHS.match(lines[0][0]) or _EXPLAINED.match(lines[1][0])
        if not alone:
            return begin, begin
        begin, line_end = lines[0].span()
    if kind == "string":  # names may hold full stops
        return begin, line_end
    sentence_end = _SENTENCE_END.search(text, begin, line_end)
    return begin, sentence_end.start() if sentence_end else line_end


def _stated(kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str]) -> Found | None:
    """The answer in the rest of a final sentence."""
    if kind == "latex":
        return _formula(text, start, end)
    return find(kind, text, start, end, choices)


_INLINE = re.compile(r"[\s*_]{0,9}\$([^$\n]{1,500})\$(?!\s*(?:,|and\b|or\b|,\s*and\b)\s*\$)")
_PROSE = re.compile(r"[a-z]{2,},?(?:\s+\S+){4}|\\begin\{(?:align|array|eqnarray)")
_EXPRESSIVE = re.compile(r"[\d\\$^=<>]")


def _formula(text: str, start: int, end: int) -> Found | None:
    """The formula a sentence gives: what its first $...$ holds, unless that begins a list; else all of it."""
    inline = _INLINE.match(text, start, end)
    found = find_trimmed(text, *inline.span(1)) if inline else find_trimmed(text, start, end)
    if not found or _PROSE.match(found.answer):
        return None
    return found if _EXPRESSIVE.search(found.answer) or len(found.answer.split()) <= 4 else None


# ---- texts without a final sentence ----------------------------------------------------------------------------------

_CONCLUDES = re.compile(r"\b(?:therefore|thus|hence|so|consequently|in\sconclusion|overall)\b[\s,:]", re.IGNORECASE)
_MOST_CONCLUSIONS = 20
_NAMED = re.compile(
    r"\b(?:option|choice|ans|answer)[\s:*\-–(]{1,4}([A-Z])(?![\w'’])"
    r"|\b([A-Z])\)?\s+is\s+(?:the\s+)?(?:correct|right|best|answer)\b"
)
_ALONE = re.compile(r"[\s*_(\[]{0,9}([A-Z])[\s*_)\].]{0,9}$")
_TRUTH_OPENS = re.compile(r"\W{0,9}(?:yes|no|true|false|valid|invalid)\b(?!\s*(?:or|/)\s)", re.IGNORECASE)
_LONGEST_WHOLE = 300


def _unstated(kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str]) -> Reading | None:
    match kind:
        case "number":
            return _closing_number(text, start, end) or _last_number(text, start, end)
        case "boolean":
            return _truth(text, start, end)
        case "choice":
            return _choice(text, start, end, choices)
        case "latex":
            return _whole(kind, text, start, end) or _last_formula(text, start, end)
        case "string":
            return _whole(kind, text, start, end)


def _conclusion(kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str]) -> Reading | None:
    for mark in reversed([*_CONCLUDES.finditer(text, start, end)][-_MOST_CONCLUSIONS:]):
        begin, limit = mark.end(), min(end, mark.end() + _LONGEST_SENTENCE)
        stop = _SENTENCE_END.search(text, begin, limit)
        if found := find(kind, text, begin, stop.start() if stop else limit, choices):
            return Reading(*found, "therefore")
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
    start = max(start, end - _MOST_SENTENCES * _LONGEST_SENTENCE)
    for sentence in reversed([*_SENTENCES.finditer(text, start, end)][-_MOST_SENTENCES:]):
        bare = _BRACKETED.sub(lambda match: " " * len(match[0]), sentence[0])
        preamble = _PREAMBLE.match(bare)
        rule = "therefore" if _CONCLUDES.search(bare) else "closing"
        for begin, said in ((preamble.end() if preamble else 0, bare), (0, bare), (0, sentence[0])):
            if found := find_number(said, begin, len(said)):
                span = Span(found.span.start + sentence.start(), found.span.end + sentence.start())
                return Reading(found.answer, span, rule)
    return None


def _last_number(text: str, start: int, end: int) -> Reading | None:
    found = find_number(text, start, end, last=True)
    return Reading(*found, "last_number") if found else None


def _truth(text: str, start: int, end: int) -> Reading | None:
    opens = _TRUTH_OPENS.match(text, start, end)
    if opens and (found := find_truth(text, start, opens.end() + 1)):
        return Reading(*found, "opening")
    if reading := _conclusion("boolean", text, start, end, ()):
        return reading
    words, at = [], start
    while found := find_truth(text, at, end):
        words.append(found)
        at = found.span.end
    if len({word.answer for word in words}) == 1:
        return Reading(*words[-1], "only_word")
    return None


def _choice(text: str, start: int, end: int, choices: Sequence[str]) -> Reading | None:
    last = _last_line(text, start, end)
    if found := find_letter(_ALONE.match(text, *last), choices):
        return Reading(*found, "closing")
    first = _LINE.search(text, start, end)
    if first and (found := find_letter(re.match(r"[\s*_]{0,9}\(?([A-Z])[).:]", first[0]), choices, first.start())):
        return Reading(*found, "opening")
    if reading := _conclusion("choice", text, start, end, choices):
        return reading
    for mark in reversed([*_NAMED.finditer(text, start, end)][-_MOST_CONCLUSIONS:]):
        if found := find_letter(mark, choices):
            return Reading(*found, "closing")
    found = find_choice(text, *last, choices)
    return Reading(*found, "closing") if found else None


def _last_line(text: str, start: int, end: int) -> tuple[int, int]:
    body = text[start:end].rstrip()
    stop = start + len(body)
    return max(start, text.rfind("\n", start, stop) + 1, stop - _LONGEST_SENTENCE), stop


def _whole(kind: AnswerKind, text: str, start: int, end: int) -> Reading | None:
    if end - start > 2 * _LONGEST_WHOLE:
        return None
    found = find_trimmed(text, start, end)
    if not found or "\n" in found.answer or len(found.answer) > _LONGEST_WHOLE:
        return None
    if kind == "latex" and _WORDY.search(found.answer):
        return None
    return Reading(*found, "whole")


_WORDY = re.compile(r"[a-z]{2,} (?:[^\s]+ )?[a-z]{2,}", re.IGNORECASE)
_FORMULA = re.compile(r"\$([^$\n]{1,300})\$|\\\(([^\n]{1,300}?)\\\)")
_VALUED = re.compile(r"\d|\\[a-zA-Z]")
_IS = re.compile(r"\b(?:is|are|be|equals)\s+(?=[-\d\\])|=\s*(?=[-\d\\])")


def _last_formula(text: str, start: int, end: int) -> Reading | None:
    """What the last line's last formula comes to, or what follows its last "is"."""
    begin, stop = _last_line(text, start, end)
    formulas = [*_FORMULA.finditer(text, begin, stop)]
    if formulas:
        begin, stop = formulas[-1].span(formulas[-1].lastindex or 0)
        begin = text.rfind("=", begin, stop) + 1 or begin
    elif verbs := [*_IS.finditer(text, begin, stop)]:
        begin = verbs[-1].end()
    else:
        return None
    found = find_trimmed(text, begin, stop)
    if not found or not _VALUED.search(found.answer) or (formulas and _WORDY.search(found.answer)):
        return None
    return Reading(*found, "closing")
