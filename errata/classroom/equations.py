"""Equations in a worked solution: `3.3 * 100 = 330`, `$48 / 2 = $24`, `(2 + 3) * 4 = 20`, as steps of two operands.

    text -> tokens -> expression = value -> steps, what stands in brackets and products first

What a puzzle's checker reads (errata.classroom.check_steps) is a part of this: whole numbers without division.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

MOST_OPERATORS, DEEPEST = 16, 8
"""An expression with more is none of a worked solution."""
MOST_UNIT_WORDS = 4
"""Words after a number, as in `20 clay dishes per box`; a slash joins two: `5 days/week`."""


UNIT_LETTERS = "cghlms"


class Equation(NamedTuple):
    """`left op right = result`, as it is written; `start` and `end` are the offsets of the whole chain it stands in.

    `op` is one of + - * /. Of a chain the steps before the last have the value that they come to.
    """

    start: int
    end: int
    left: Fraction
    op: str
    right: Fraction
    result: Fraction

    @property
    def key(self) -> tuple[Fraction, str, Fraction, Fraction]:
        """Equal for equations that say the same: the operands of + and * in either order."""
        left, right = (self.left, self.right) if self.op in "-/" else sorted((self.left, self.right))
        return left, self.op, right, self.result


def value_of(equation: Equation) -> Fraction:
    """What the left side comes to: the equation is true where that is its result."""
    return _apply(equation.op, equation.left, equation.right)


def equations(text: str) -> tuple[Equation, ...]:
    """The equations of a text in order, each within one line; a line may begin with the equals sign.

    A percent sign divides by a hundred; a division by zero is passed over.

    Of `2 * (3 + 4) = 2 * 7 = 14` the first sign gives `3 + 4 = 7`, the second `2 * 7 = 14`; `3 * 4 = 12 + 5 = 17` is
    read as it is meant.
    """
    tokens = tuple(_tokens(text))
    steps: list[Equation] = []
    place = 0
    while place < len(tokens):
        equation = _equation(tokens, place) if _may_begin(tokens, place) else None
        if equation:
            steps += equation.steps
        place = equation.value if equation else place + 1
    return tuple(steps)


# ---- tokens ----------------------------------------------------------------------------------------------------------

Kind = Literal["number", "op", "open", "close", "equals", "word", "other"]


class Token(NamedTuple):
    """`value` is a number's; `text` that of an operator, in one form; `tight`: nothing stands before it."""

    kind: Kind
    start: int
    end: int
    text: str
    value: Fraction = Fraction(0)
    tight: bool = False


_TOKEN = re.compile(
    r"""(?P<number>(?:\\?[$€£]\s?)?(?:\d[\d,.]*\d|\d|\.\d+)(?:\s?\\?%)?)
      | (?P<equals>=|\bthat\s+is\b|\b(?:is\s+equal\s+to|equals)\b)
      | (?P<op>[-+*×−–/÷·]|\\(?:times|cdot|div)\b|(?<![A-Za-z])x(?![A-Za-z])
          |\b(?:times|plus|minus|(?:multiplied|divided)\s+by)\b|(?<=%)\s+of\b)
      | (?P<open>\() | (?P<close>\))
      | (?P<word>[^\W\d_](?:['’\w]|-(?=[^\W\d_]))*(?:\.(?=\s*[-+*×−–/÷·=]))?)
      | (?P<other>\n(?!\s*=)|\S)""",
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,15})?|\.\d{1,15}")
_SIGNS = {
    **dict.fromkeys(("×", "x", "·", r"\times", r"\cdot", "times", "multiplied by", "of"), "*"),
    **dict.fromkeys(("÷", r"\div", "divided by"), "/"),
    **dict.fromkeys(("−", "–", "minus"), "-"),
    "plus": "+",
}


def _tokens(text: str) -> Iterator[Token]:
    end = 0
    for match in _TOKEN.finditer(text):
        kind: Kind = match.lastgroup  # type: ignore[assignment]
        tight, end = match.start() == end, match.end()
        written = " ".join(match[0].casefold().split())
        if kind == "number":
            value = _value(written)
            plain = value is not None and text[end : end + 1] not in ("^", "_")
            yield Token("number" if plain else "other", *match.span(), written, value or Fraction(0), tight)
        else:
            yield Token(kind, *match.span(), _SIGNS.get(written, written), tight=tight)


def _value(written: str) -> Fraction | None:
    bare = re.sub(r"[\\$€£%\s]", "", written)
    if not _NUMBER.fullmatch(bare):
        return None  # a version, a date, a list without spaces
    return Fraction(bare.replace(",", "")) / (100 if written.endswith("%") else 1)


# ---- expressions -----------------------------------------------------------------------------------------------------


class Part(NamedTuple):
    """A parsed part: the steps of two operands that it takes, its value, and the token behind it."""

    steps: tuple[tuple[Fraction, str, Fraction], ...]
    value: Fraction
    behind: int


class EquationSteps(NamedTuple):
    """The steps of an equation, and the token that is its value: another equation may begin there."""

    steps: list[Equation]
    value: int


def _may_begin(tokens: Sequence[Token], place: int) -> bool:
    """Whether an expression may begin here: not in the midst of another, such as behind `x +` or `3` of `3 1/2`."""
    if tokens[place].kind not in ("number", "open") and not _is_sign(tokens, place):
        return False
    before = tokens[place - 1] if place else None
    if before is None or before.kind == "number":
        return before is None
    if before.text in ("^", "_") and tokens[place].tight:
        return False
    if before.text == ":" and tokens[place].tight and place > 1 and tokens[place - 2].kind == "number":
        return False  # the minutes of 6:00
    bullet = before.kind == "op" and not tokens[place].tight and (place == 1 or tokens[place - 2].kind == "other")
    return before.kind != "op" or bullet


def _is_sign(tokens: Sequence[Token], place: int) -> bool:
    """Whether this is a minus before a number, as in `3 * -2`, and not that of `3x-2`."""
    if place and tokens[place - 1].text == "*" and tokens[place - 1].tight and tokens[place].tight:
        return False
    after = tokens[place + 1] if place + 1 < len(tokens) else None
    return bool(tokens[place].text == "-" and after and after.kind == "number" and after.tight)


def _equation(tokens: Sequence[Token], place: int) -> EquationSteps | None:
    left = _sum(tokens, place, 0)
    if left is None or not left.steps:
        return None
    if left.behind >= len(tokens) or tokens[left.behind].kind != "equals":
        return None
    at = left.behind + 1
    right, lone = _sum(tokens, at, 0), _operand(tokens, at, 0)
    if right is None or lone is None or lone.steps or _is_algebra(tokens, at, right):
        return None
    rewritten = bool(right.steps) and right.value == left.value != lone.value
    written = left.steps[:-1] if rewritten else left.steps
    number = tokens[at] if tokens[at].kind == "number" else tokens[at + 1]
    span = tokens[place].start, number.end
    steps = [Equation(*span, a, op, b, _apply(op, a, b)) for a, op, b in written]
    if not rewritten:
        result = lone.value
        if number.text.endswith("%"):  # 100 - 70 = 30%, and 3 / 10 = 30%
            result = min(result, 100 * result, key=lambda value: abs(value - left.value))
        steps[-1] = steps[-1]._replace(result=result)
    return EquationSteps(steps, at)


def _is_algebra(tokens: Sequence[Token], at: int, right: Part) -> bool:
    """Whether more than a value stands behind the sign: `3b - 15`, `24/Y`, `16 + x`, `10 000`."""
    number = at + (tokens[at].kind == "op")
    behind = [*tokens[number + 1 : number + 2], *tokens[right.behind : right.behind + 1]]
    if any(each.kind in ("number", "open") or (each.kind == "word" and each.tight) for each in behind[:1]):
        return not _is_unit(behind[0])
    then = tokens[right.behind + 1 : right.behind + 2]
    sign = bool(behind[1:]) and behind[-1].kind == "op" and behind[-1].end - behind[-1].start == 1
    return sign and any(each.kind in ("word", "op") for each in then)


def _sum(tokens: Sequence[Token], place: int, depth: int) -> Part | None:
    return _chain(tokens, place, depth, "+-")


def _chain(tokens: Sequence[Token], place: int, depth: int, signs: str) -> Part | None:
    """Parts joined by these signs, from the left: of + and - products, of * and / operands."""
    left = _part(tokens, place, depth, signs)
    while left and left.behind < len(tokens) and tokens[left.behind].kind == "op" and tokens[left.behind].text in signs:
        op, at = tokens[left.behind].text, left.behind + 1
        right = _part(tokens, at, depth, signs)
        if right is None:
            break  # `30 times`, `5 - a few`: the words behind a number
        if (op == "/" and right.value == 0) or len(left.steps) + len(right.steps) >= MOST_OPERATORS:
            return None
        steps = (*left.steps, *right.steps, (left.value, op, right.value))
        left = Part(steps, _apply(op, left.value, right.value), right.behind)
    return left


def _part(tokens: Sequence[Token], place: int, depth: int, signs: str) -> Part | None:
    return _chain(tokens, place, depth, "*/") if signs == "+-" else _operand(tokens, place, depth)


def _operand(tokens: Sequence[Token], place: int, depth: int) -> Part | None:
    """A number with its unit, or an expression in brackets."""
    if place >= len(tokens) or depth > DEEPEST:
        return None
    if _is_sign(tokens, place):
        inner = _operand(tokens, place + 1, depth)
        return inner and inner._replace(value=-inner.value)
    if tokens[place].kind == "number":
        return Part((), tokens[place].value, _behind_unit(tokens, place + 1))
    if tokens[place].kind != "open":
        return None
    inner = _sum(tokens, place + 1, depth + 1)
    if inner is None or inner.behind >= len(tokens) or tokens[inner.behind].kind != "close":
        return None
    return inner._replace(behind=_behind_unit(tokens, inner.behind + 1))


def _behind_unit(tokens: Sequence[Token], place: int) -> int:
    """The token behind the words that name what is counted: `clay dishes`, `days/week`, `/bag`."""
    words, end = 0, place
    while end < len(tokens) and words < MOST_UNIT_WORDS:
        end += tokens[end].text == "/" and end + 1 < len(tokens) and _is_unit(tokens[end + 1])
        if not _is_unit(tokens[end]):
            break
        words, end = words + 1, end + 1
    return end


def _is_unit(token: Token) -> bool:
    """A word that names what is counted; the letter of `3x` or `3t` is a variable, that of `3m` a unit."""
    letters = token.text.strip(".")
    if token.kind != "word" or any(letter.isdigit() for letter in letters):
        return False
    return len(letters) > 1 or not token.tight or letters in UNIT_LETTERS


def _apply(op: str, left: Fraction, right: Fraction) -> Fraction:
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    return left / right
