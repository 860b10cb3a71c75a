"""Numbers in a text: `1,080 eggs` is 1080, `fifteen` is 15, `between 16 and 36` is neither."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import islice
from math import factorial

from errata.grading.hit import Hit
from errata.grading.number_words import PHRASE, number_of
from errata.records import Span

_NUMBER = re.compile(
    r"""(?<![A-Za-z0-9_^.,])(?<!\^\{)
    (?P<sign>[-−]\ ?)? (?:\\?[$€£¥]\ ?)? (?P<inner>-)?
    (?: \\[dt]?frac\{(?P<top>-?[0-9]++)\}\{(?P<bottom>[0-9]++)\} | \\[dt]?frac(?P<tiny_top>[0-9])(?P<tiny_bottom>[0-9])
      | (?P<whole>[0-9]++)[ ](?P<over>[0-9]++)/(?P<under>[0-9]++)
      | (?P<dotted>[0-9]{1,3}(?:\.[0-9]{3}){2,5})(?![0-9.]*[0-9])
      | (?P<body>[0-9]{1,3}(?:,[0-9]{3})++(?![0-9])(?:\.[0-9]++)?+ | [0-9]++(?:\.[0-9]++)?+ | \.[0-9]++)
        (?: /(?P<share>[0-9]++) | [eE](?P<power>[-+]?[0-9]{1,3})(?![0-9A-Za-z])
          | \s?(?:[x×*]|\\times)\s?10\^\{?(?P<tens>[-+]?[0-9]{1,3})(?![0-9])\}? )?
    )""",
    re.VERBOSE,
)
_EQUALS = re.compile(r"[=≈]")
_MOST_DIGITS = 300


def find_number(text: str, start: int, end: int, *, last: bool = False, reasons: bool = False) -> Hit | None:
    """The number a sentence states: the first after its last equals sign, else its first (or `last`) one.

    A number word (`fifteen`) counts where there are no digits. With `reasons`, what explains the number (`4, because
    4 x 4 = 16`) is passed over. A hedge between two numbers (`between 16 and 36`, `10-12`) is neither of
    them: `16 or 36`.
    """
    end = _before_reason(text, start, end) if reasons else end
    hit: Hit | None = None
    signs = [match.end() for match in _EQUALS.finditer(text, start, end)]
    for begin in (*signs[-1:], start):
        for match in _NUMBER.finditer(text, begin, end):
            number = _number(text, match)
            if number and (begin != start or not last):
                return _hedge(text, start, end, number, match) or number
            hit = number or hit
    return hit or _worded(text, start, end)


_REASON = re.compile(r"\b(?:because|since)\b|\((?=[^()\n]{0,200}=)", re.IGNORECASE)


def _before_reason(text: str, start: int, end: int) -> int:
    """Where the reason for a number begins that stands alone before it; `end` without one."""
    reason = _REASON.search(text, start, end)
    if not reason:
        return end
    numbers = [*islice(_NUMBER.finditer(text, start, reason.start()), 2)]
    return reason.start() if len(numbers) == 1 and not _EQUALS.search(text, start, reason.start()) else end


def _worded(text: str, start: int, end: int) -> Hit | None:
    words = PHRASE.search(text, start, end)
    if not words:
        return None
    value, length = number_of(words[0])
    stop = words.start() + length
    other = _OTHER_WORD.match(text, stop, end)
    if other and (second := number_of(other[1])[0]) != value:
        return Hit(f"{value} or {second}", Span(words.start(), other.start(1) + number_of(other[1])[1]))
    return Hit(str(value), Span(words.start(), stop))


_OTHER_WORD = re.compile(rf"\s+(?:or|to)\s+({PHRASE.pattern})", re.IGNORECASE)
_BETWEEN = re.compile(r"\b(?:between|from)\s+(?:\\?\$)?$", re.IGNORECASE)
_JOIN = (
    r"(?P<unit>\s?%|\s+[a-z]{1,20})?\s*(?:(?P<comma>,)\s?|,?\s*(?P<or>\bor|\bto|\band)\s+|(?P<dash>-|\s?[–—]\s?))"
    r"(?=[-−$\\.\d])"
)
_HEDGE = re.compile(_JOIN, re.IGNORECASE)
_MOST_HEDGES = 6


def _hedge(text: str, start: int, end: int, first: Hit, match: re.Match[str]) -> Hit | None:
    """Several numbers that a sentence offers in place of one: `10-12`, `10 or 12`, `5, 6 or 7`, `between 10 and 12`."""
    between = _BETWEEN.search(text, max(start, match.start() - 12), match.start())
    values, words, at = [first.answer], set[str](), first.span.end
    for _ in range(_MOST_HEDGES):
        join = _HEDGE.match(text, at, end)
        number = _NUMBER.match(text, join.end(), end) if join else None
        hit = _number(text, number) if number else None
        if not join or not number or not hit or not _offers(text, join, values[-1], number, hit):
            break
        if not _same_share(text, values[-1], hit):
            values.append(hit.answer)
        words.add(", " if join["comma"] else "-" if join["dash"] else join["or"].casefold())
        at = hit.span.end
    if len(set(values)) < 2 or not _is_hedge(words, between is not None):
        return None
    if choice := _settled_on(text, at, end, values):
        return choice
    begin = between.start() if between else first.span.start
    return Hit(" or ".join(dict.fromkeys(values)), Span(begin, at))


def _same_share(text: str, before: str, hit: Hit) -> bool:
    """Whether a percentage says again what stands before it: 0.6 or 60%."""
    percent = re.compile(r"\s?(?:\\?%|percent\b)").match(text, hit.span.end)
    return bool(percent) and Fraction(before) == Fraction(hit.answer) / 100


def _settled_on(text: str, start: int, end: int, values: Sequence[str]) -> Hit | None:
    """The one of several numbers that the sentence names again: `from 3 to 9, but only 3 fits`."""
    hits = (_number(text, match) for match in _NUMBER.finditer(text, start, end))
    return next((hit for hit in hits if hit and hit.answer in values), None)


def _offers(text: str, join: re.Match[str], before: str, number: re.Match[str], hit: Hit) -> bool:
    """Whether a second number stands in place of the first, rather than beside it (3 hours or 180 minutes)."""
    if join["dash"]:
        plain = not number["share"] and text[number.end() : number.end() + 1] not in ("-", "/")
        return plain and join["unit"] is None and Fraction(before) < Fraction(hit.answer)
    if join["unit"] is None:
        return True
    unit = join["unit"].strip()
    return bool(re.match(rf"\s?{re.escape(unit)}", text[hit.span.end : hit.span.end + 30], re.IGNORECASE))


def _is_hedge(words: set[str], between: bool) -> bool:
    if "and" in words or words == {", "}:
        return between and "and" in words
    return True


def _number(text: str, match: re.Match[str]) -> Hit | None:
    if len(match[0]) > _MOST_DIGITS:
        return None
    start = match.start()
    sign = match["inner"] or match["sign"]
    if match["sign"]:
        before = text[max(0, start - 8) : start].rstrip(" ")
        if (before and (before[-1].isalnum() and (before[-1].isdigit() or start == 0 or text[start - 1] != " "))) or (
            before.endswith((")", "]", "}", "%"))
        ):
            sign, start = match["inner"], start + len(match["sign"])  # 10 - 3: the sign is an operator
        elif match["sign"].endswith(" ") and before and before[-1].isalnum():
            sign, start = match["inner"], start + len(match["sign"])  # a dash between words
    value, stop = _value(match), match.end()
    if value is None:
        return None
    if _is_factorial(text, start, stop) and value.denominator == 1 and value <= _LARGEST_FACTORIAL:
        value, stop = Fraction(factorial(int(value))), stop + 1
    return Hit(format_number(-value if sign else value), Span(start, stop))


_LARGEST_FACTORIAL = 100


def _is_factorial(text: str, start: int, stop: int) -> bool:
    """Whether an exclamation mark after a number is a sign: in a formula (`\\boxed{5!}`) or a bare answer (`5!`)."""
    if text[stop : stop + 1] != "!":
        return False
    after = text[stop + 1 : stop + 2]
    return after in tuple("}$\\") or (not after and not text[:start].strip())


def _value(match: re.Match[str]) -> Fraction | None:
    top, bottom = match["top"] or match["tiny_top"], match["bottom"] or match["tiny_bottom"]
    if top:
        return Fraction(int(top), int(bottom)) if int(bottom) else None
    if match["whole"]:
        under = int(match["under"])
        return int(match["whole"]) + Fraction(int(match["over"]), under) if under else None
    if match["dotted"]:
        return Fraction(match["dotted"].replace(".", ""))
    value = Fraction(match["body"].replace(",", ""))
    if match["share"]:
        return value / int(match["share"]) if int(match["share"]) else None
    return value * Fraction(10) ** int(match["power"] or match["tens"] or 0)


def format_number(value: Fraction) -> str:
    """The one way a number is format_number: 3, 0.5, 1/3."""
    rest, places = value.denominator, 0
    while rest % 10 == 0:
        rest, places = rest // 10, places + 1
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        places += count
    if rest != 1 or places > 12:
        return str(value)
    if places == 0:
        return str(value.numerator)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}".rstrip("0")
