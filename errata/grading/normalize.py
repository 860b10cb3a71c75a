"""What an answer of each kind looks like inside a stretch of text, and the one form it is given.

number: `1,080 eggs` is 1080 · choice: `(b) red` is B · boolean: `Yes` is true · latex, string: trimmed of wrapping.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from string import ascii_uppercase
from typing import NamedTuple

from errata.grading.latex import NUMBER_WORDS
from errata.records import AnswerKind, Span


class Found(NamedTuple):
    answer: str
    span: Span


def find(kind: AnswerKind, text: str, start: int, end: int, choices: Sequence[str] = ()) -> Found | None:
    """The answer of this kind that text[start:end] states, in the form of its kind."""
    match kind:
        case "number":
            return find_number(text, start, end)
        case "choice":
            return find_choice(text, start, end, choices)
        case "boolean":
            return find_truth(text, start, end)
        case "latex" | "string":
            return find_trimmed(text, start, end)


def canonical(kind: AnswerKind, answer: str, choices: Sequence[str] = ()) -> str:
    """A bare answer in the form of its kind; only trimmed where it is none of this kind."""
    found = find(kind, answer, 0, len(answer), choices)
    return found.answer if found else answer.strip()


# ---- numbers ---------------------------------------------------------------------------------------------------------

_WORD = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b", re.IGNORECASE)
_NUMBER = re.compile(
    r"""(?<![A-Za-z0-9_^.,])(?<!\^\{)
    (?P<sign>[-−]\ ?)? (?:\\?[$€£¥]\ ?)? (?P<inner>-)?
    (?: \\[dt]?frac\{(?P<top>-?[0-9]++)\}\{(?P<bottom>[0-9]++)\} | \\[dt]?frac(?P<tiny_top>[0-9])(?P<tiny_bottom>[0-9])
      | (?P<whole>[0-9]++)[ ](?P<over>[0-9]++)/(?P<under>[0-9]++)
      | (?P<body>[0-9]{1,3}(?:,[0-9]{3})++(?![0-9])(?:\.[0-9]++)?+ | [0-9]++(?:\.[0-9]++)?+ | \.[0-9]++)
        (?: /(?P<share>[0-9]++) | [eE](?P<power>[-+]?[0-9]{1,3})(?![0-9A-Za-z])
          | \s?(?:[x×*]|\\times)\s?10\^\{?(?P<tens>[-+]?[0-9]{1,3})(?![0-9])\}? )?
    )""",
    re.VERBOSE,
)
_EQUALS = re.compile(r"[=≈]")
_MOST_DIGITS = 300


def find_number(text: str, start: int, end: int, *, last: bool = False) -> Found | None:
    """The number a sentence states: the first after its last equals sign, else its first (or `last`) one.

    A number word (zero to twelve) counts where there are no digits.
    """
    found: Found | None = None
    signs = [match.end() for match in _EQUALS.finditer(text, start, end)]
    for begin in (*signs[-1:], start):
        for match in _NUMBER.finditer(text, begin, end):
            number = _number(text, match)
            if number and (begin != start or not last):
                return number
            found = number or found
    word = _WORD.search(text, start, end)
    if found or not word:
        return found
    return Found(NUMBER_WORDS[word[0].lower()], Span(*word.span()))


def _number(text: str, match: re.Match[str]) -> Found | None:
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
    value = _value(match)
    if value is None:
        return None
    return Found(written(-value if sign else value), Span(start, match.end()))


def _value(match: re.Match[str]) -> Fraction | None:
    top, bottom = match["top"] or match["tiny_top"], match["bottom"] or match["tiny_bottom"]
    if top:
        return Fraction(int(top), int(bottom)) if int(bottom) else None
    if match["whole"]:
        under = int(match["under"])
        return int(match["whole"]) + Fraction(int(match["over"]), under) if under else None
    value = Fraction(match["body"].replace(",", ""))
    if match["share"]:
        return value / int(match["share"]) if int(match["share"]) else None
    return value * Fraction(10) ** int(match["power"] or match["tens"] or 0)


def written(value: Fraction) -> str:
    """The one way a number is written: 3, 0.5, 1/3."""
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


# ---- choices ---------------------------------------------------------------------------------------------------------

_WRAPPING = r"[\s*_:\"'`$\\(\[{]*+(?:text(?:bf|rm)?\{[\s(]*+|(?i:option|choice|letter)\b[\s:*(]*+)?+"
_LEAD = re.compile(
    rf"{_WRAPPING}(?P<letter>[A-Za-z])(?:(?P<closed>[)\]}}.:,;*$\"'`\\]|\s*[-–—:](?=\s)|\s*$|\s*\n)|(?=(?P<word>\s)))"
)
_PARENTHESISED = re.compile(r"\(\s?([A-Za-z])\s?\)")
_GOES_ON = re.compile(r"\s+(?:because|since|as|is|which|and|or|with|for|but|due|option|only)\b")


def find_letter(match: re.Match[str] | None, choices: Sequence[str], shift: int = 0) -> Found | None:
    """The letter in the first group that took part in a match, if the choices go that far."""
    if not match or not match.lastindex or not _known(match[match.lastindex], choices):
        return None
    start, end = match.span(match.lastindex)
    return Found(match[match.lastindex].upper(), Span(start + shift, end + shift))


def find_choice(text: str, start: int, end: int, choices: Sequence[str] = ()) -> Found | None:
    """The option a sentence names, as its letter: by letter where it starts with one, else by (letter), else by text.

    An option's whole text comes first, since it may start like a letter ("a dog", "A and B only").
    """
    options = [" ".join(choice.split()).casefold().strip(_EDGES) for choice in choices]
    said, at = _stripped(text, start, end)
    plain = " ".join(said.split()).casefold()
    if len(plain) > 1 and plain in options:
        return Found(ascii_uppercase[options.index(plain)], Span(at, at + len(said)))
    lead = _LEAD.match(text, start, end)
    if lead and _is_letter(text, lead, end, options):
        return Found(lead["letter"].upper(), Span(*lead.span("letter")))
    for match in _PARENTHESISED.finditer(text, start, end):
        if _known(match[1], options):
            return Found(match[1].upper(), Span(*match.span(1)))
    return _named(text, start, end, options)


_EDGES = " \t\n\r.,;:!*_\"'`$"


def _stripped(text: str, start: int, end: int) -> tuple[str, int]:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip(_EDGES))
    return piece.strip(_EDGES), start + left


def _known(letter: str, options: Sequence[str]) -> bool:
    return ascii_uppercase.index(letter.upper()) < (len(options) or 26)


def _is_letter(text: str, lead: re.Match[str], end: int, options: Sequence[str]) -> bool:
    letter, after = lead["letter"], lead.end("letter")
    if not _known(letter, options):
        return False
    if lead["closed"] is not None:
        return letter.isupper() or not text[lead.start() : lead.start("letter")].strip() or "(" in lead[0]
    if not letter.isupper():
        return False
    own = options[ascii_uppercase.index(letter)] if options else ""
    rest = text[after:end].lstrip(_EDGES + ")-").casefold()
    return letter not in "AI" or bool(own and rest.startswith(own)) or bool(_GOES_ON.match(text, after, end))


def _named(text: str, start: int, end: int, options: Sequence[str]) -> Found | None:
    """The one option whose text occurs in the stretch; a longer one hides those inside it."""
    hits: list[tuple[int, Span]] = []
    for place, option in enumerate(options[:26]):
        if not option:
            continue
        body = r"\s+".join(map(re.escape, option.split()))
        pattern = re.compile(rf"(?<![\w.]){body}(?![\w]|[.,]\d)", re.IGNORECASE)
        hits += [(place, Span(*match.span())) for match in [pattern.search(text, start, end)] if match]
    outer = [
        (place, span)
        for place, span in hits
        if not any(other[0] <= span[0] and span[1] <= other[1] and other != span for _, other in hits)
    ]
    if len({place for place, _ in outer}) != 1:
        return None
    place, span = outer[0]
    return Found(ascii_uppercase[place], span)


# ---- truth -----------------------------------------------------------------------------------------------------------

_TRUE = "yes|true|valid|plausible"
_FALSE = "no|false|invalid|implausible"
_TRUTH = re.compile(
    rf"(?P<either>\b(?:(?:{_TRUE})(?:\s*/\s*|\s+or\s+)(?:{_FALSE})|(?:{_FALSE})(?:\s*/\s*|\s+or\s+)(?:{_TRUE}))\b)"
    rf"|(?P<negated>\b(?:not|isn['’]t|cannot\sbe)\s+(?:\w+ly\s+)?(?:a\s+)?)?+\b(?:(?P<true>{_TRUE})|(?P<false>{_FALSE}))\b",
    re.IGNORECASE,
)


def find_truth(text: str, start: int, end: int) -> Found | None:
    """The first truth word of the stretch as `true` or `false`; "not valid" is false, "true or false" is neither.

    "no" inside a sentence ("there is no evidence") says nothing.
    """
    for match in _TRUTH.finditer(text, start, end):
        word = "true" if match["true"] else "false"
        if match["either"] or (
            word == "false"
            and match["false"].lower() == "no"
            and text[match.end() : match.end() + 1] not in ("", *".,;:!)}*_\"'`$\n")
        ):
            continue
        value = bool(match["true"]) != bool(match["negated"])
        return Found("true" if value else "false", Span(*match.span()))
    return None


# ---- LaTeX and strings -----------------------------------------------------------------------------------------------

_WRAPS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"), ('"', '"'), ("“", "”"))


def find_trimmed(text: str, start: int, end: int) -> Found | None:
    """The whole stretch without the blanks, closing full stop, quotes, `$` and `**` around it."""
    while True:
        piece = text[start:end]
        begin, stop = start + len(piece) - len(piece.lstrip(" \t\r\n:")), start + len(piece.rstrip(" \t\r\n.,;:!"))
        for left, right in _WRAPS:
            inner = stop - len(right)
            wrapped = text.startswith(left, begin) and text.startswith(right, inner, stop)
            if wrapped and inner > begin + len(left) and text.find(left, begin + len(left), inner) < 0:
                begin, stop = begin + len(left), inner
                break
        if (begin, stop) == (start, end):
            break
        start, end = begin, max(begin, stop)
    return Found(text[start:end], Span(start, end)) if end > start else None
