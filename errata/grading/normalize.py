"""What an answer of each kind looks like inside a stretch of text, and the one form it is given.

number: `1,080 eggs` is 1080 · choice: `(b) red` is B · boolean: `Yes` is true · latex, string: trimmed of wrapping
list, set: `a, b and c` is `a; b; c` · ratio: `10 to 12` is 5:6 · interval: `x > 2` is (2, inf)
"""

from __future__ import annotations

from collections.abc import Sequence

from errata.grading.choices import find_choice, find_truth
from errata.grading.collection import find_interval, find_items, find_ratio
from errata.grading.hit import Hit
from errata.grading.numbers import find_number
from errata.grading.trim import find_string, find_trimmed
from errata.records import AnswerKind


def find(kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str] = ()) -> Hit | None:
    """The answer of this kind that text[start:end] states, in the form of its kind."""
    match kind:
        case "number":
            return find_number(text, start, end, reasons=True)
        case "choice":
            return find_choice(text, start, end, choices)
        case "boolean":
            return find_truth(text, start, end)
        case "latex":
            return find_trimmed(text, start, end)
        case "string":
            return find_string(text, start, end)
        case "list" | "set":
            return find_items(text, start, end, choices)
        case "ratio":
            return find_ratio(text, start, end)
        case "interval":
            return find_interval(text, start, end)


def canonical(kind: AnswerKind, answer: str, choices: Sequence[str] = ()) -> str:
    """A bare answer in the form of its kind; only trimmed where it is none of this kind."""
    hit = find(kind, answer, 0, len(answer), choices)
    return hit.answer if hit else answer.strip()
