"""Gold answers: which kind can hold a text, and the text in the form of its kind."""

from __future__ import annotations

import re

from errata.grading.collection import find_interval, find_items, find_ratio
from errata.records import AnswerKind

_AMOUNT = r"(?:\d[\d,]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3}|\s?(?:[x×*]|\\times)\s?10\^\{?[-+]?\d{1,3}\}?)?"
_NUMBER = re.compile(
    rf"(?:[-−+]\s?)?(?:\\?[$€£¥]\s?)?-?(?:{_AMOUNT}|\d+\s*/\s*\d+|\d+\s+\d+/\d+|\\[dt]?frac\{{-?\d+\}}\{{\d+\}})"
    r"(?P<unit>\s?\\?%|\s?[A-Za-z°][\w°.²³^/' -]{0,40})?\.?"
)
_NOT_A_UNIT = re.compile(r"\b(?:and|or|to|than|if|when|over|plus|minus|times)\b|\d\s*$", re.IGNORECASE)


def is_number(text: str) -> bool:
    """Whether a text is one number, with its unit or percent sign at most."""
    match = _NUMBER.fullmatch(text.strip())
    return bool(match) and not (match and match["unit"] and _NOT_A_UNIT.search(match["unit"]))


def kind_of(text: str) -> AnswerKind:
    """The kind that would hold a gold which is no number: the most telling one that can read it."""
    bare = text.strip()
    ratio = find_ratio(bare, 0, len(bare))
    if ratio and ratio.span == (0, len(bare)):
        return "ratio"
    if re.search(r"[<>≤≥∪]|\\(?:cup|in|le|ge)(?![a-z])|^[(\[].*[)\]]$", bare) and find_interval(bare, 0, len(bare)):
        return "interval"
    if re.search(r"[\\^=(){}]", bare):
        return "latex"
    items = find_items(bare, 0, len(bare))
    return "list" if re.search(r"[;,]", bare) and items and "; " in items.answer else "string"


def fits(kind: AnswerKind, text: str) -> bool:
    """Whether a gold is one of the kinds of several parts: list, set, ratio or interval."""
    find = {"ratio": find_ratio, "interval": find_interval}.get(kind, find_items)
    return find(text, 0, len(text)) is not None
