"""Answers of several parts: lists and sets of items, ratios, intervals; each in one form.

list, set   `(1, 2)`, `a; b`, `red, blue and green`: items joined by "; "; letters where the problem has options
ratio       `10:12`, `10 to 12`, `\\frac{10}{12}`: 5:6, in lowest terms
interval    `[0, 1) \\cup (2, \\infty)`, `x \\ge 2`: errata.grading.interval.format_union
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm

from errata.grading.choices import find_choice
from errata.grading.hit import Hit
from errata.grading.interval import format_union, read_union
from errata.grading.latex import normal
from errata.grading.numbers import find_number
from errata.grading.trim import find_string
from errata.records import Span

MOST_ITEMS = 100
MOST_WRAPS = 8
_SEPARATOR = re.compile(
    r"\s*;\s*|\s*(?<!\\),(?!\d{3}(?!\d))\s*(?:(?:and|or)\s+)?|\s*\n[-*•\s]*|\s+(?:and|&)\s+|\s*\\text\{\s*(?:,\s*)?and\s*\}\s*",
    re.IGNORECASE,
)
_WIDE = re.compile(r"\s*;\s*")
_BRACKETS = (("(", ")"), ("[", "]"), (r"\{", r"\}"), ("{", "}"), ("⟨", "⟩"))
_LETTERS = re.compile(r"\(?[A-Za-z]\)?(?:\s*(?:,|;|&|and\b|\s)\s*(?:and\s+)?\(?[A-Za-z]\)?)*", re.IGNORECASE)
_LETTER = re.compile(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])")


def find_items(text: str, start: int, end: int, choices: Sequence[str] = ()) -> Hit | None:
    """The items that a stretch lists, each in one form; with options, the letters of those it names.

    The form is read again until it stays: what LaTeX wraps may be wrapped once more.
    """
    hit = last = _find_items(text, start, end, choices)
    for _ in range(MOST_WRAPS):
        again = _find_items(hit.answer, 0, len(hit.answer), choices) if hit else None
        if hit is None or again is None or again.answer == hit.answer:
            break
        hit = again
    return Hit(hit.answer, last.span) if hit and last else None


def _find_items(text: str, start: int, end: int, choices: Sequence[str]) -> Hit | None:
    hit = find_string(text, start, end)
    if hit is None:
        return None
    body = hit.answer
    for opened, closed in _BRACKETS:
        if len(body) > len(opened) + len(closed) and body.startswith(opened) and body.endswith(closed):
            body = body[len(opened) : -len(closed)]
            break
    items = _letters(body, choices) if choices else _items(body)
    return Hit("; ".join(items), hit.span) if items else None


def items_of(form: str) -> list[str]:
    """The items of a list or set in the form of `find_items`."""
    return form.split("; ")


def _items(body: str) -> list[str]:
    separator = _WIDE if ";" in body else _SEPARATOR
    parts = [part for part in separator.split(body) if part.strip()]
    return [_item(part) for part in parts[: MOST_ITEMS + 1]]


def _item(part: str) -> str:
    """One item: its number where it is nothing but one, else the words, their case folded."""
    hit = find_string(part, 0, len(part))
    bare = hit.answer if hit else part.strip()
    form = normal(bare) if _is_latex(bare) else bare
    form = form if _is_latex(form) else " ".join(form.casefold().split())
    return _number(bare) or _number(form) or form.replace(";", ",") or bare


def _is_latex(item: str) -> bool:
    return "\\" in item or "^" in item


def _number(item: str) -> str | None:
    """The number that an item is; None where it is anything more."""
    number = find_number(item, 0, len(item))
    return number.answer if number and number.span == (0, len(item)) else None


def _letters(body: str, choices: Sequence[str]) -> list[str]:
    if _LETTERS.fullmatch(body.strip()):
        letters = [letter.upper() for letter in _LETTER.findall(re.sub(r"\band\b", " ", body))]
        return letters if all(ord(letter) - ord("A") < len(choices) for letter in letters) else []
    hits = [find_choice(part, 0, len(part), choices) for part in _SEPARATOR.split(body) if part.strip()]
    return [hit.answer for hit in hits if hit] if all(hits) else []


# ---- ratios ----------------------------------------------------------------------------------------------------------

_TERM = r"\d[\d,]*(?:\.\d+)?"
_RATIO = re.compile(
    rf"(?<![\d.:/])({_TERM}(?:\s*(?::|∶|\bto\b|\\text\{{\s*to\s*\}}|\{{:\}})\s*{_TERM})+)(?![\d:]|[.,]\d)"
)
_QUOTIENT = re.compile(rf"(?<![\d./])(?:\\[dt]?frac\{{(\d+)\}}\{{(\d+)\}}|({_TERM})\s*/\s*({_TERM}))(?![\d/])")


def find_ratio(text: str, start: int, end: int) -> Hit | None:
    """The first ratio of a stretch in lowest terms: `10:12`, `10 to 12` and `10/12` are 5:6."""
    match = _RATIO.search(text, start, end)
    terms = re.findall(_TERM, match[1]) if match else []
    if match is None and (match := _QUOTIENT.search(text, start, end)):
        terms = [term for term in match.groups() if term]
    form = _lowest(terms) if match else None
    return Hit(form, Span(*match.span())) if match and form else None


def _lowest(terms: Sequence[str]) -> str | None:
    values = [Fraction(term.replace(",", "").rstrip(".")) for term in terms]
    scale = lcm(*(value.denominator for value in values))
    whole = [int(value * scale) for value in values]
    divisor = gcd(*whole)
    return ":".join(str(number // divisor) for number in whole) if divisor else None


# ---- intervals -------------------------------------------------------------------------------------------------------


def find_interval(text: str, start: int, end: int) -> Hit | None:
    """The set of numbers that a stretch writes as intervals or inequalities, in one form."""
    hit = find_string(text, start, end)
    union = read_union(_plain(hit.answer)) if hit else None
    return Hit(format_union(union), hit.span) if hit and union else None


def _plain(text: str) -> str:
    """The stretch as errata.grading.interval reads it, which knows no `\\left` and no fraction without braces."""
    joined = re.sub(r"\s+(?:or|\\text\{\s*or\s*\}|∪|U)\s+", r"\\cup ", text)
    return "\\cup".join(_sides(part) for part in re.split(r"\\cup\s*", joined))


def _sides(part: str) -> str:
    for infinite in ("inf", "infinity", "∞"):
        part = re.sub(rf"(?<![\\a-z]){infinite}(?![a-z])", r"\\infty", part)
    for command, sign in _SIGNS:
        part = re.sub(rf"\\(?:{command})(?![a-z])", sign, part)
    if re.search(r"[<>≤≥]|\\in(?![a-z])", part):
        return "".join(part.replace(r"\left", "").replace(r"\right", "").split())
    return normal(part)


_SIGNS = (("leqslant|leq|le", "≤"), ("geqslant|geq|ge", "≥"), ("lt", "<"), ("gt", ">"))
