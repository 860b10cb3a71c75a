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

from errata.grading.final_sentence import NEW_TALK, Line, final_sentence
from errata.grading.hit import NOTHING, Reading
from errata.grading.latex import last_box
from errata.grading.normalize import find
from errata.grading.unstated import unstated
from errata.records import AnswerKind

__all__ = ["LONGEST", "NOTHING", "Reading", "read_answer", "readings", "settled", "thinking_ends"]

LONGEST = 200_000
"""Characters of a text that are read."""


def read_answer(kind: AnswerKind, text: str, choices: Sequence[str] = ()) -> Reading:
    """The answer that `text` gives, by the first rule that finds one of this kind. Pure; never raises."""
    return next(readings(kind, text, choices), NOTHING)


def readings(kind: AnswerKind, text: str, choices: Sequence[str] = ()) -> Iterator[Reading]:
    """What `read_answer` chooses from, best first: one answer, or for LaTeX the box and the final sentence."""
    start, end = thinking_ends(text), min(len(text), LONGEST)
    line = final_sentence(kind, text, start, end, choices)
    box = _box(kind, text, start, end, line, choices)
    stated = [line.reading] if line else []
    if box and box.span:
        one = line is not None and line.start <= box.span.start < line.end  # "The answer is \\boxed{X}"
        stated = [box] if one or not line else [box, line.reading] if kind == "latex" else stated
    elif not line and (reading := unstated(kind, text, start, end, choices)):
        stated = [reading]
    yield from stated


def settled(kind: AnswerKind, text: str, choices: Sequence[str] = ()) -> int | None:
    """How much of a growing text tells its answer: whatever follows that place, `readings` gives the same.

    That is up to where new talk starts after the final sentence, or the end of a line of ####. None while what comes
    next may change the answer, and under a heading ("Answer:"), where it depends on how the text goes on. Pure; never
    raises.
    """
    if "####" not in text and not NEW_TALK.search(text):
        return None  # most texts, and this is asked at every full stop
    line = final_sentence(kind, text, thinking_ends(text), min(len(text), LONGEST), choices)
    if line is None or line.reading.span is None or "\n" in text[line.start : line.reading.span.start]:
        return None
    if line.reading.rule == "hash" and kind != "latex":  # of LaTeX a later box counts too
        end = text.find("\n", line.end) + 1
    else:
        new = NEW_TALK.search(text, line.end)
        end = new.start() if new else 0
    same = end and list(readings(kind, text[:end], choices)) == list(readings(kind, text, choices))
    return end if same else None


def _box(
    kind: AnswerKind, text: str, start: int, end: int, line: Line | None, choices: Sequence[str]
) -> Reading | None:
    """The last box up to the end of the final sentence; without one, the last box up to where new talk starts."""
    span = last_box(text, start, line.end if line else end)
    if line and not span:
        new = NEW_TALK.search(text, line.end, end)
        span = last_box(text, line.end, new.start() if new else end)
    hit = find(kind, text, *span, choices) if span else None
    return Reading(*hit, "box") if hit else None


def thinking_ends(text: str) -> int:
    """Where the text after a leading <think> block starts; at its end where the block is never closed."""
    opened = re.match(r"\s*+<think>", text)
    if not opened:
        return 0
    close = text.find("</think>", opened.end())
    return len(text) if close < 0 else close + len("</think>")
