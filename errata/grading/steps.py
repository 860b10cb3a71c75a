"""The steps of a written solution as character spans: lines, the sentences within them, numbered steps.

    "2 + 3 = 5 . 5 * 2 = 10 .\nThe answer is 10." -> [0, 12) [12, 26) [26, 43)

The spans tile the text: joined they are the text itself, so that any place of it lies in exactly one step.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from errata.records import Span

_BREAK = re.compile(r"[.!?][)\"'”’*_]*(?:\s+|$)|\n\s*")
_LABEL = re.compile(
    r"(?:\A|\n)[\s*#>(\[-]*(?:step\s+)?(?:\d{1,3}|[a-z])\.[*_]*\s*\Z"
    r"|\b(?:mrs?|ms|dr|vs|approx|fig|eq|e\.g|i\.e)\.\s*\Z",
    re.IGNORECASE,
)
"""What ends in a full stop and ends no sentence: a list's number, an abbreviation."""
_DISPLAY = re.compile(r"\\\[.{0,1000}?\\\]|\$\$.{0,1000}?\$\$|\\begin\{(\w{1,20}\*?)\}.{0,1000}?\\end\{\1\}", re.DOTALL)
_LONGEST_LABEL = 40
"""Characters before a full stop that are looked at; as the bounds of _DISPLAY, for texts made to stall a reader."""


def steps_of(text: str) -> tuple[Span, ...]:
    """The steps in order; none for a blank text.

    A step ends with its line, or with a full stop, question or exclamation mark that a blank follows; the blanks
    belong to the step before them. Displayed formulas stay whole, and what holds no letter or digit is no step of its
    own.
    """
    whole = [match.span() for match in _DISPLAY.finditer(text)]
    ends = [match.end() for match in _BREAK.finditer(text) if _is_end(text, match, whole)]
    spans: list[Span] = []
    start = 0
    for end in dict.fromkeys([*ends, len(text)]):
        if any(letter.isalnum() for letter in text[start:end]):
            spans.append(Span(start, end))
            start = end
        elif spans:
            spans[-1], start = Span(spans[-1].start, end), end
    return tuple(spans)


def _is_end(text: str, match: re.Match[str], whole: Sequence[tuple[int, int]]) -> bool:
    if any(start < match.start() and match.end() < end for start, end in whole):
        return False
    if "\n" in match[0] or match[0][0] != ".":
        return True
    return not _LABEL.search(text, max(0, match.start() - _LONGEST_LABEL), match.end())


def step_at(steps: Sequence[Span], place: int) -> int:
    """The number, counted from 0, of the step that holds the character at `place`; the last one for places behind it.

    Raises ValueError without a step.
    """
    if not steps:
        raise ValueError("a text without steps")
    return max(0, bisect_right([step.start for step in steps], place) - 1)
