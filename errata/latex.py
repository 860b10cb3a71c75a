"""LaTeX answers as strings: boxes, a normal form, and the rational number an answer is, if it is one.

The normal form follows the rules usual for the MATH data set (Hendrycks et al., arXiv 2103.03874): what does not change
a value (spaces, \\left, degrees, units, dollars, percent) goes, and the spellings of a fraction become one. All of it
takes time linear in the text.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from errata.records import Span

LONGEST = 400
"""Characters of an answer beyond which no algebra is tried."""

_LONGEST_BOX = 2_000
_MOST_BOXES = 200
_BOX = re.compile(r"\\f?box(?:ed)?(?![a-zA-Z])[ \t]{0,9}")
_BARE_BOX = re.compile(r"[^\s${}]{1,60}")


def last_box(text: str, start: int = 0, end: int | None = None) -> Span | None:
    """What the last well-formed \\boxed{...} or \\fbox{...} in text[start:end] holds; `\\boxed 7` counts too.

    Of nested boxes the innermost counts. Escaped braces (sets) open and close nothing.
    """
    end = len(text) if end is None else end
    opened = [*_BOX.finditer(text, start, end)]
    for match in reversed(opened[-_MOST_BOXES:]):
        if span := _inside(text, match.end(), end):
            return span
    return None


def _inside(text: str, at: int, end: int) -> Span | None:
    if at >= end or text[at] != "{":
        bare = _BARE_BOX.match(text, at, end)
        return Span(*bare.span()) if bare else None
    depth = 0
    for place in range(at, min(end, at + _LONGEST_BOX)):
        if text[place] in "{}" and text[place - 1] != "\\":
            depth += 1 if text[place] == "{" else -1
            if depth == 0:
                return Span(at + 1, place)
    return None


_GONE = re.compile(
    r"\\[!,;:> ]|\\q?quad(?![a-z])|~|\\(?:left|right|displaystyle|big|Big|bigg|Bigg)(?![a-zA-Z])|\\[$%]|[$%]"
    r"|\^\{?\\(?:circ|degree)\}?|\\(?:degree|approx)(?![a-z])|°"
)
_HALF_DAY = re.compile(r"(?:\\(?:text|mbox|mathrm|textnormal)\{\s*)?\b([ap])\.?\s?m\b\.?\s*\}?", re.IGNORECASE)
_TEXT = r"\\(?:text(?:bf|it|rm|normal)?|mbox|mathrm|mathbf|mathit|operatorname|hbox)\s*\{([^{}]*)\}"
_UNIT = re.compile(rf"(?<=[\w)}}\]])\s*{_TEXT}(?:\^\{{?\d\}}?)?[\s.,]*$")
_UNWRAP = re.compile(_TEXT)
_AND = re.compile(rf"\s*,?\s*(?:\\(?:text|mbox|textnormal)\s*\{{\s*,?\s*and\s*\}}|\\?\band\b)\s*")
_THOUSANDS = re.compile(r"(?<![\d,])\d{1,3}(?:,(?:\\!)?\d{3})++(?![\d,]|(?:\\!)?,)")
_UNIT_WORDS = re.compile(r"^(-?(?:\d[\d.,]*+|\\frac\{\d+\}\{\d+\}))\s+[a-zA-Z][a-zA-Z ]{0,40}$")
_LEFT_SIDE = re.compile(r"^\s*[a-zA-Z]\w?\s*(?:=|\\in(?![a-z]))")
_BARE_FRACTION = re.compile(r"\\frac\s*(\d|\{[^{}]*\})\s*(\d|[a-zA-Z]|\{[^{}]*\})")
_SLASH = re.compile(r"^(-?)(\d+)/(\d+)$")
_BARE_ROOT = re.compile(r"\\sqrt\s*([\da-zA-Z])")
_SPELLINGS = (
    (r"\dfrac", r"\frac"),
    (r"\tfrac", r"\frac"),
    (r"\cfrac", r"\frac"),
    (r"\leq", r"\le"),
    (r"\geq", r"\ge"),
    (r"\neq", r"\ne"),
    (r"\lbrace", r"\{"),
    (r"\rbrace", r"\}"),
    ("−", "-"),
    ("–", "-"),
    ("\n", " "),
)


@lru_cache(maxsize=65_536)
def normal(answer: str) -> str:
    """The normal form of a LaTeX answer: equal values are not always equal, equal normal forms are equal values."""
    text = answer.strip()
    if len(text) > _LONGEST_BOX:
        return text
    for spelling, plain in _SPELLINGS:
        text = text.replace(spelling, plain)
    text = _THOUSANDS.sub(lambda match: re.sub(r"[^\d]", "", match[0]), text)
    text = _HALF_DAY.sub(r" \1m ", text)
    text = _GONE.sub(" ", text).strip(" .,;:*")
    text = _UNIT.sub("", text)
    text = _AND.sub(",", text)
    text = _UNWRAP.sub(r"\1", text).strip(" .,;:")
    words = _UNIT_WORDS.match(text)
    text = words[1] if words and not words[0].endswith(("am", "pm")) else text
    text = _LEFT_SIDE.sub("", text)
    text = _BARE_FRACTION.sub(lambda match: rf"\frac{_braced(match[1])}{_braced(match[2])}", text)
    text = _BARE_ROOT.sub(r"\\sqrt{\1}", text)
    text = "".join(text.split()).casefold() if text.isascii() and text.replace(" ", "").isalpha() and len(text) > 2 else (
        "".join(text.split())
    )
    return _SLASH.sub(r"\1\\frac{\2}{\3}", text)


def _braced(argument: str) -> str:
    return argument if argument.startswith("{") else f"{{{argument}}}"


_RATIONAL = re.compile(
    r"(?P<sign>[-+]?)(?:(?P<whole>\d{0,60})\\frac\{(?P<inner>-?)(?P<top>\d{1,60})\}\{(?P<bottom>\d{1,60})\}"
    r"|(?P<decimal>\d{1,60}(?:\.\d{0,60})?|\.\d{1,60}))"
)


def rational(form: str) -> Fraction | None:
    """The number that a normal form writes as an integer, decimal, fraction or mixed number; else None."""
    match = _RATIONAL.fullmatch(form)
    if not match:
        return None
    if match["decimal"]:
        value = Fraction(match["decimal"].rstrip(".") or "0")
    elif int(match["bottom"]) == 0 or (match["whole"] and match["inner"]):
        return None
    else:
        value = int(match["whole"] or 0) + Fraction(int(match["inner"] + match["top"]), int(match["bottom"]))
    return -value if match["sign"] == "-" else value


_PROSE = re.compile(r"[^\\]*\b[a-zA-Z]{4,}\b[^\\]*")


def alike(gold: str, answer: str) -> tuple[bool | None, Literal["string", "number", "too_long", "math_verify"]]:
    """Whether two LaTeX answers are equal as far as strings and rational numbers tell, and which of them told.

    None with `math_verify` where only algebra can tell.
    """
    left, right = normal(gold), normal(answer)
    if left and left == right:
        return True, "string"
    numbers = rational(left), rational(right)
    if None not in numbers:
        return numbers[0] == numbers[1], "number"
    if not left or not right:
        return False, "string"
    if max(len(left), len(right)) > LONGEST:
        return False, "too_long"
    if any(_PROSE.fullmatch(side) for side in (left, right)):  # words are equal as strings or not at all
        return False, "string"
    return None, "math_verify"
