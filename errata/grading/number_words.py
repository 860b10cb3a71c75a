"""Numbers written as words: fifteen, twenty-one, two hundred and five."""

from __future__ import annotations

import re

# fmt: off
_SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}
# fmt: on
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9}
_VALUES = {word: value for value, word in enumerate(_SMALL)} | _TENS
NUMBER_WORDS = {word: str(value) for word, value in _VALUES.items()} | {
    f"{ten}{join}{unit}": str(value + _VALUES[unit])
    for ten, value in _TENS.items()
    for unit in _SMALL[1:10]
    for join in ("-", "")
}
"""Numerals by the words for them up to ninety-nine, written apart by a hyphen or together."""
_ANY = "|".join(sorted([*_VALUES, *_SCALES], key=len, reverse=True))
PHRASE = re.compile(
    rf"\b(?:{'|'.join(_VALUES)})(?:(?:[ ]|-|[ ]and[ ])(?:{_ANY})){{0,12}}\b|\b(?:{'|'.join(_TENS)})\b", re.IGNORECASE
)
"""A run of number words, as in `two hundred and five`."""


def number_of(phrase: str) -> tuple[int, int]:
    """The number that a run of number words begins with, and how many characters of the run write it."""
    total = group = end = 0
    last = 10**12
    for match in re.finditer(r"[a-z]+", phrase.casefold()):
        word = match[0]
        if word == "and":
            continue
        if scale := _SCALES.get(word):
            group = (group or 1) * scale
            if scale >= 1_000:
                total, group = total + group, 0
            last = 100 if scale == 100 else 1_000
        else:
            value = _VALUES[word]
            if end and (value >= last or (last < 100 and value >= 10)):
                break  # one two: two numbers
            group += value
            last = 10 if value >= 20 else 0
        end = match.end()
    return total + group, end
