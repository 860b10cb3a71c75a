"""How far two rationales are apart, and where: Levenshtein over whitespace-delimited words."""

from __future__ import annotations

import re
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from errata.records import Span

LONGEST = 100_000
"""Characters of a text beyond which it is not aligned: that takes time with the square of the words, a second here and
minutes for a reply of some megabytes."""


class Alignment(NamedTuple):
    """`ratio` is the word distance over the longer length, 0 for equal texts and at most 1. The key spans are the
    words of each side that the alignment does not match, one span a word, as character offsets in that text."""

    ratio: float
    left_spans: tuple[Span, ...]
    right_spans: tuple[Span, ...]


def align(left: str, right: str) -> Alignment:
    """Align two texts word by word; texts that differ in white space only are equal."""
    left_words, right_words = _words(left), _words(right)
    left_ids, right_ids = _numbered(
        [left[span.start : span.end] for span in left_words], [right[span.start : span.end] for span in right_words]
    )
    changes = [code for code in Levenshtein.opcodes(left_ids, right_ids) if code.tag != "equal"]
    distance = sum(max(code.src_end - code.src_start, code.dest_end - code.dest_start) for code in changes)
    return Alignment(
        distance / max(len(left_ids), len(right_ids), 1),
        tuple(span for code in changes for span in left_words[code.src_start : code.src_end]),
        tuple(span for code in changes for span in right_words[code.dest_start : code.dest_end]),
    )


def edit_ratio(left: str, right: str) -> float:
    """The word distance of two texts over the longer length, from 0 (equal) to 1."""
    left_ids, right_ids = _numbered(left.split(), right.split())
    return Levenshtein.distance(left_ids, right_ids) / max(len(left_ids), len(right_ids), 1)


def _numbered(left: list[str], right: list[str]) -> tuple[list[int], list[int]]:
    """Numbers in place of the words: rapidfuzz compares hashes of items, and no two numbers can collide."""
    numbers: dict[str, int] = {}
    left_ids = [numbers.setdefault(word, len(numbers)) for word in left]
    return left_ids, [numbers.setdefault(word, len(numbers)) for word in right]


def _words(text: str) -> list[Span]:
    return [Span(*match.span()) for match in re.finditer(r"\S+", text)]
