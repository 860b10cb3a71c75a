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

from errata.grading.number_words import NUMBER_WORDS
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


_SPELLINGS = (
    (r"\dfrac", r"\frac"),
    (r"\tfrac", r"\frac"),
    (r"\cfrac", r"\frac"),
    (r"\leq", r"\le"),
    (r"\geq", r"\ge"),
    (r"\neq", r"\ne"),
    (r"\lbrace", r"\{"),
    (r"\rbrace", r"\}"),
    ("{,}", ","),
    ("{:}", ":"),
    ("−", "-"),
    ("–", "-"),
    ("\n", " "),
)
_BRACKETS = re.compile(r"(?:[(\[]|\\\{)[-+\s]*$"), re.compile(r"\s*(?:[)\]]|\\\})")
_THOUSANDS = re.compile(r"(?<![\d,])\d{1,3}(?:,(?:\\!)?\d{3})++(?![\d,]|(?:\\!)?,)")
_GONE = re.compile(
    r"(?P<row>\\\\)(?:\[-?[\d.]+\s*(?:ex|em|pt|mm|cm|in)\])?"  # a row break is no space
    r"|\\[!,;:> ]|\\q?quad(?![a-z])|~|\\(?:left|right|displaystyle|big|Big|bigg|Bigg)(?![a-zA-Z])|\\?[$%]"
    r"|(?:\{\})?\^\s*(?:\\(?:circ|degree)(?![a-z])"
    r"|\{[\s~]*(?:\\[,!;: ])*(?:\\(?:circ|degree)|\\(?:text|mathrm)\{o\})\s*\})"
    r"|\\(?:degree|approx)(?![a-z])|°|^\s*(?:approximately|about|exactly)\b"
)
_MATRIX = re.compile(r"\\(begin|end)\s*\{(?:[bB]|small)?matrix\}")
_ARRAY = re.compile(r"([(\[])\s*\\begin\{array\}\s*\{[lcr ]*\}(.*)\\end\{array\}\s*([)\]])", re.DOTALL)
_LAST_BREAK = re.compile(r"(?:\\\\\s*)+(?=\\end\{)")
_TEXT = r"\\(?:text(?:bf|it|rm|normal)?|mbox|mathrm|mathbf|mathit|operatorname|hbox)\s*\{([^{}]*)\}"
_HALF_DAY = re.compile(
    r"(?:\\(?:text|mbox|mathrm|textnormal)\{\s*)?(?<=[\d\s{])([ap])\.?\s?m\b\.?\s*\}?", re.IGNORECASE
)
_UNIT = re.compile(rf"(?<=[\w)}}\]])\s*{_TEXT}(?:\^\{{?\d\}}?)?[\s.,]*$")
_AND = re.compile(r"\s*,?\s*(?:\\(?:text|mbox|textnormal)\s*\{\s*,?\s*and\s*\}|\band\b)\s*")
_UNWRAP = re.compile(_TEXT)
_OPTION = re.compile(r"^\(([A-Z])\)\.?\s*|^([A-E])[.)]\s*(?=\S)")
_UNIT_WORDS = re.compile(
    r"^(-?(?:\d[\d.,]*+|\\frac\{\d+\}\{\d+\}))\s+[a-zA-Z][a-zA-Z /'’.-]{0,80}(?:,[a-zA-Z ]{0,40})?$"
)
_UNIT_AFTER_FORMULA = re.compile(
    r"^((?:[^a-zA-Z\\]|\\(?:frac|sqrt|pi|cdot|times)(?![a-zA-Z]))*(?:\d|\\pi|\}))\s+(?!and\b|or\b|if\b|for\b|with\b)"
    r"[a-zA-Z]{2}[a-zA-Z /'’.-]{0,80}$"
)
_ORDINAL = re.compile(r"(?<=\d)\^?\{?(?:st|nd|rd|th)\}?$")
_LEFT_SIDE = re.compile(r"^\s*[a-zA-Z]\w?\s*(?:=|\\in(?![a-z]))")
_FRACTION = re.compile(r"\\frac\s*(\d|\{[^{}]*\})\s*(\d|[a-zA-Z]|\{[^{}]*\})")
_ROOT = re.compile(r"\\sqrt\s*([\da-zA-Z])|\\?\bsqrt\(([^()]*)\)")
_SUBSCRIPT = re.compile(r"_\{(\w+)\}")
_POWER = re.compile(r"\^\{(\w)\}")
_SLASH = re.compile(r"^(-?)(\d+)/(\d+)$")


@lru_cache(maxsize=4_096)
def normal(answer: str) -> str:
    """The normal form of a LaTeX answer. Answers of one normal form are equal; equal ones may have several."""
    text = answer.strip()
    if len(text) > _LONGEST_BOX:
        return text
    if text.endswith("}") and not text.endswith(r"\}") and text.count("}") == text.count("{") + 1:
        text = text[:-1]  # the formula's own end
    for spelling, plain in _SPELLINGS:
        text = text.replace(spelling, plain)
    text = _THOUSANDS.sub(_joined, text)
    text = _HALF_DAY.sub(lambda match: f" {match[1].lower()}m ", text)
    text = _GONE.sub(lambda match: match["row"] or " ", text).strip(" ,;:*").rstrip(" .,;:*")
    if "\\begin" in text:
        text = _matrix(text)
    text = _AND.sub(",", _UNIT.sub("", text))
    text = _UNWRAP.sub(r"\1", text).strip(" ,;:").rstrip(" .,;:")
    text = _OPTION.sub(lambda match: "" if match.end() < len(text) else match[1], text)
    words = _UNIT_WORDS.match(text) or _UNIT_AFTER_FORMULA.match(text)
    text = words[1] if words and not text.lower().endswith((" am", " pm")) else _ORDINAL.sub("", text)
    text = _LEFT_SIDE.sub("", text)
    text = _FRACTION.sub(lambda match: rf"\frac{_braced(match[1])}{_braced(match[2])}", text)
    text = _ROOT.sub(lambda match: rf"\sqrt{{{match[1] or match[2]}}}", text)
    text = "".join(_POWER.sub(r"^\1", _SUBSCRIPT.sub(r"_\1", text)).split())
    if len(text) > 2 and text.replace(",", "").isalpha():
        text = text.casefold()
    return _SLASH.sub(r"\1\\frac{\2}{\3}", NUMBER_WORDS.get(text, text))


def _joined(match: re.Match[str]) -> str:
    """A number without its thousands commas; in brackets of its own, (3,100), it is a pair of numbers."""
    opened, closed = _BRACKETS
    before = match.string[max(0, match.start() - 9) : match.start()]
    alone = opened.search(before) and closed.match(match.string, match.end())
    return match[0] if alone else re.sub(r"[^\d]", "", match[0])


def _matrix(text: str) -> str:
    """Brackets of every kind around a matrix, and the line break after its last row, do not count."""
    text = _ARRAY.sub(r"\\begin{pmatrix}\2\\end{pmatrix}", text)
    return _LAST_BREAK.sub("", _MATRIX.sub(r"\\\1{pmatrix}", text))


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
_BASE = re.compile(r"^-?[0-9A-Z]+_\d+$")
_BASED = re.compile(r"(-?)0*+([0-9A-Z]+)(?:_(\d+))?+")
_CLOCK = re.compile(r"\d:\d\d|\d[ap]m$")
_HOUR = re.compile(r"()0?(\d+(?::\d\d)*+)([ap]m)?+")


def alike(gold: str, answer: str) -> tuple[bool | None, Literal["string", "number", "too_long", "math_verify"]]:
    """Whether two LaTeX answers are equal as far as strings and rational numbers tell, and which of them told.

    None with `math_verify` where only algebra can tell.
    """
    left, right = normal(gold), normal(answer)
    if not left or not right:
        return False, "string"
    if left == right or _same_option(gold, answer) or _same_option(answer, gold):
        return True, "string"
    numbers = rational(left), rational(right)
    if None not in numbers:
        return numbers[0] == numbers[1], "number"
    if max(len(left), len(right)) > LONGEST:
        return False, "too_long"
    for marked, pattern in ((_BASE, _BASED), (_CLOCK, _HOUR)):  # algebra ignores bases and takes 8:34 for a ratio
        if marked.search(left) or marked.search(right):
            return _same_parts(pattern.fullmatch(left), pattern.fullmatch(right)), "string"
    if (
        any(_PROSE.fullmatch(side) for side in (left, right))
        or _is_word(left, numbers[1])
        or _is_word(right, numbers[0])
    ):
        return False, "string"
    if _has_words(right) != _has_words(left):
        return False, "string"
    return None, "math_verify"


def _is_word(form: str, other: Fraction | None) -> bool:
    """Whether one side is a word where the other one is a number."""
    return other is not None and len(form) > 2 and form.isalpha()


def _has_words(form: str) -> bool:
    """Whether words stand in a formula, their blanks gone: a run of letters too long for a product of variables."""
    return r"\begin" not in form and any(len(run) > 5 and run[0] != "\\" for run in _LETTERS.findall(form))


_LETTERS = re.compile(r"\\?[a-zA-Z]+")
_LETTERED = re.compile(
    r"\s*(?:\$|\\\()?\s*(?:\\(?:text(?:bf|rm)?|mbox|mathrm)\s*\{)?\s*\(\s*(?:\\\w+\s*\{)?([A-Z])\}?\s*\)"
)


def _same_option(gold: str, answer: str) -> bool:
    """The letter of an option beside the same letter with the option's text: (F) and (F) Cone."""
    if not (normal(gold).isupper() and len(normal(gold)) == 1):
        return False
    lettered = _LETTERED.match(answer)
    return lettered is not None and lettered[1] == normal(gold)


def _same_parts(left: re.Match[str] | None, right: re.Match[str] | None) -> bool:
    """Equal digits, and the same base or half of the day where both name one."""
    if not left or not right:
        return False
    return left[1] == right[1] and left[2] == right[2] and (None in (left[3], right[3]) or left[3] == right[3])
