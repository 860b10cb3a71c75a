"""The value of a LaTeX expression: an exact fraction where it is rational, else its value at points of its variables.

    value("\\frac{2}{3}x", 0) == value("2x/3", 0)

Reads numbers, one-letter variables, + - * / ^ !, brackets, \\frac, \\binom, \\sqrt, \\pi and i. Whatever may be read in
two ways (a mixed number, f(x), 1/2x) or is not of these is `Unreadable`: that is left to computer algebra.
"""

from __future__ import annotations

import cmath
import math
import re
from fractions import Fraction
from functools import lru_cache

from errata.records import draw

POINTS = 3
"""Points at which expressions are compared."""

_TOKEN = re.compile(
    r"(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<name>\\[a-zA-Z]+)|(?P<letter>[a-zA-Z](?:_[a-zA-Z0-9](?![a-zA-Z0-9_]))?)"
    r"|(?P<sign>[-+*/^(){}\[\]!])"
)
_TIMES = {"*", r"\cdot", r"\times"}
_FUNCTIONS = set("fghFGP")
_DEEPEST = 30
_MOST_BITS = 4_096
_LARGEST_FACTORIAL = 170
_LARGEST_POWER = 64

Value = Fraction | complex


class Unreadable(ValueError):
    """The text is no expression of this grammar, or its value is out of reach."""


class Valued:
    """A value with the largest number met on the way to it, which bounds the rounding errors of a float."""

    __slots__ = ("largest", "symbols", "value")

    def __init__(self, value: Value, largest: float, symbols: frozenset[str]) -> None:
        self.value, self.largest, self.symbols = value, largest, symbols


@lru_cache(maxsize=8_192)
def evaluate(text: str, point: int) -> Valued | None:
    """The value of a normal form at the point with this number; None where it cannot be read. Never raises."""
    try:
        parser = _Parser(text, point)
        value = parser.expression()
        parser.expect_end()
        size = max(parser.largest, _size(value))
        return Valued(value, size, frozenset(parser.symbols)) if math.isfinite(size) else None
    except (Unreadable, ArithmeticError, ValueError):
        return None


@lru_cache(maxsize=1_024)
def _at(symbol: str, point: int) -> complex:
    """A variable's value at a point: complex, of either sign, the same in every process."""
    return complex(4 * draw("re", symbol, point) - 2, 4 * draw("im", symbol, point) - 2)


def _size(value: Value) -> float:
    return abs(complex(value))


class _Parser:
    """A recursive-descent parser that computes as it reads."""

    def __init__(self, text: str, point: int) -> None:
        self._tokens = _tokens(text)
        self._place, self._depth, self._point = 0, 0, point
        self.largest = 0.0
        self.symbols: set[str] = set()

    def expect_end(self) -> None:
        if self._place < len(self._tokens):
            raise Unreadable

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._place += 1
        return token

    def _take(self, *tokens: str) -> bool:
        if self._peek() in tokens and self._place < len(self._tokens):
            self._place += 1
            return True
        return False

    def _noted(self, value: Value) -> Value:
        if isinstance(value, Fraction):
            if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
                raise Unreadable
        else:
            self.largest = max(self.largest, abs(value))
        return value

    def expression(self) -> Value:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unreadable
        sign = -1 if self._take("-") else 1
        if sign > 0:
            self._take("+")
        total: Value = sign * self._term()
        while self._peek() in ("+", "-"):
            sign = -1 if self._next() == "-" else 1
            total = self._noted(total + sign * self._term())
        self._depth -= 1
        return total

    def _term(self) -> Value:
        value, divided = self._power(), False
        while token := self._peek():
            if token in _TIMES:
                self._place += 1
                value = self._noted(value * self._signed_power())
            elif token in ("/", r"\div"):
                self._place += 1
                value, divided = self._noted(_quotient(value, self._signed_power())), True
            elif self._starts_factor(token):
                if divided:
                    raise Unreadable  # 1/2x
                value = self._noted(value * self._power())
            else:
                break
        return value

    def _starts_factor(self, token: str) -> bool:
        """Whether a factor follows without a sign; a digit after something is no product (2 3, x2)."""
        before = self._tokens[self._place - 1]
        if token[0].isdigit() or token[0] == ".":
            raise Unreadable
        if token == r"\frac" and before[0].isdigit():
            raise Unreadable  # a mixed number or a product
        if token == "(" and before in _FUNCTIONS:
            raise Unreadable
        return token[0].isalpha() or token in ("(", "{", r"\frac", r"\sqrt", r"\pi", r"\binom", r"\infty")

    def _signed_power(self) -> Value:
        return -self._power() if self._take("-") else self._power()

    def _power(self) -> Value:
        base = self._atom()
        while self._take("!"):
            base = _factorial(base)
        if not self._take("^"):
            return base
        if self._peek() == "{":
            exponent = self._group()
        else:
            exponent = -self._atom(short=True) if self._take("-") else self._atom(short=True)
        if self._peek() in ("^", "!"):
            raise Unreadable
        return self._noted(_raised(base, exponent))

    def _atom(self, *, short: bool = False) -> Value:
        token = self._next()
        if not token or (short and len(token) > 1 and token[0].isdigit()):
            raise Unreadable  # x^10 without braces
        if token[0].isdigit() or token[0] == ".":
            return self._noted(Fraction(token))
        if token[0].isalpha():
            return self._letter(token)
        if token in ("(", "{"):
            self._place -= 1
            return self._group()
        return self._command(token)

    def _letter(self, token: str) -> Value:
        if token == "i":
            return 1j
        if token == "e":
            raise Unreadable  # Euler's number or a variable
        self.symbols.add(token)
        return self._noted(_at(token, self._point))

    def _command(self, token: str) -> Value:
        match token:
            case r"\alpha" | r"\beta" | r"\gamma" | r"\delta" | r"\theta" | r"\lambda" | r"\mu" | r"\phi" | r"\omega":
                return self._letter(token)
            case r"\pi":
                return math.pi + 0j
            case r"\infty":
                self.symbols.add(token)
                return _at(token, self._point)
            case r"\frac":
                top, bottom = self._group(), self._group()
                return self._noted(_quotient(top, bottom))
            case r"\binom":
                return _binomial(self._group(), self._group())
            case r"\sqrt":
                index = self._index() if self._peek() == "[" else Fraction(2)
                return self._noted(_root(self._group(), index))
        raise Unreadable

    def _index(self) -> Fraction:
        self._next()
        number = self._next()
        if not number.isdigit() or not self._take("]"):
            raise Unreadable
        return Fraction(number)

    def _group(self) -> Value:
        close = {"(": ")", "{": "}"}.get(self._next())
        if close is None:
            raise Unreadable
        value = self.expression()
        if not self._take(close):
            raise Unreadable
        return value


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise Unreadable
        tokens.append(match[0])
        at = match.end()
    if not tokens:
        raise Unreadable
    return tokens


def _quotient(top: Value, bottom: Value) -> Value:
    if bottom == 0:
        raise Unreadable
    return top / bottom


def _raised(base: Value, exponent: Value) -> Value:
    if isinstance(exponent, Fraction) and exponent.denominator == 1 and abs(exponent) <= _LARGEST_POWER:
        if base == 0 and exponent <= 0:
            raise Unreadable
        if not isinstance(base, Fraction) or base.numerator.bit_length() * abs(exponent) <= _MOST_BITS:
            return base ** int(exponent)
    if base == 0:
        raise Unreadable
    return cmath.exp(complex(exponent) * cmath.log(complex(base)))


def _root(radicand: Value, index: Fraction) -> Value:
    if index < 2 or (index > 2 and not (isinstance(radicand, Fraction) and radicand >= 0)):
        raise Unreadable  # the third root of -8 has more than one reading
    if not isinstance(radicand, Fraction) or index > 2 or radicand < 0:
        return complex(radicand) ** (1 / int(index))
    top, bottom = math.isqrt(radicand.numerator), math.isqrt(radicand.denominator)
    if Fraction(top * top, bottom * bottom) == radicand:
        return Fraction(top, bottom)
    return cmath.sqrt(complex(radicand))


def _natural(value: Value, largest: int) -> int:
    if not isinstance(value, Fraction) or value.denominator != 1 or not 0 <= value <= largest:
        raise Unreadable
    return int(value)


def _factorial(value: Value) -> Fraction:
    return Fraction(math.factorial(_natural(value, _LARGEST_FACTORIAL)))


def _binomial(top: Value, bottom: Value) -> Fraction:
    return Fraction(math.comb(_natural(top, _LARGEST_FACTORIAL), _natural(bottom, _LARGEST_FACTORIAL)))
