"""Equations in a worked solution: `3.3 * 100 = 330`, `$48 / 2 = $24`, `2 + 3 * 4 = 14`, as steps of two operands.

What a puzzle's checker reads (errata.classroom.check_steps) is a part of this: whole numbers without division.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple


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


_NUMBER = r"(?:\\?[$€£]\s?)?(?:\d{1,3}(?:,\d{3})+|\d{1,12})(?:\.\d{1,9})?%?"
_OPERATOR = r"(?:[-+*×x−/÷·]|\\times|\\cdot|\\div)"
_CHAIN = re.compile(
    rf"(?<![\w.,/*+×÷])(?P<chain>{_NUMBER}(?:\s?[a-z]{{1,15}})?(?:\s*{_OPERATOR}\s*{_NUMBER}(?:\s[a-z]{{2,15}})?){{1,8}})"
    rf"\s*(?:=|that\s+is)\s*(?P<value>[-−]?{_NUMBER})(?![.,]?\d)",
    re.IGNORECASE,
)
_PIECE = re.compile(rf"{_NUMBER}|(?<![a-z]){_OPERATOR}(?![a-z])", re.IGNORECASE)
_SIGNS = {"×": "*", "x": "*", "X": "*", "·": "*", r"\times": "*", r"\cdot": "*", "÷": "/", r"\div": "/", "−": "-"}


def equations(text: str) -> tuple[Equation, ...]:
    """The equations of a text in order. A percent sign divides by a hundred; a division by zero is passed over."""
    steps: list[Equation] = []
    for match in _CHAIN.finditer(text):
        pieces = _PIECE.findall(match["chain"])
        numbers, operators = pieces[::2], [_SIGNS.get(op, op) for op in pieces[1::2]]
        if len(numbers) == len(operators) + 1 and not any(op[-1].isdigit() for op in operators):
            steps += _steps(match, [_number(each) for each in numbers], operators, _number(match["value"]))
    return tuple(steps)


def _number(text: str) -> Fraction:
    bare = re.sub(r"[^\d.]", "", text)
    sign = -1 if text[0] in "-−" else 1
    return sign * Fraction(bare) / (100 if text.endswith("%") else 1)


def _steps(match: re.Match[str], numbers: list[Fraction], operators: list[str], value: Fraction) -> list[Equation]:
    """A chain as steps of two operands, products and quotients first; the last one has the written value."""
    steps: list[Equation] = []
    while operators:
        at = next((place for place, op in enumerate(operators) if op in "*/"), 0)
        left, op, right = numbers[at], operators.pop(at), numbers.pop(at + 1)
        if op == "/" and right == 0:
            return []
        numbers[at] = _apply(op, left, right) if operators else value
        steps.append(Equation(*match.span(), left, op, right, numbers[at]))
    return steps


def _apply(op: str, left: Fraction, right: Fraction) -> Fraction:
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    return left / right
