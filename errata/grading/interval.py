"""Sets of real numbers as unions of intervals: [0, 1) \\cup \\{3\\}, x > 2, 1 \\le x < 4."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from errata.grading.expression import evaluate
from errata.grading.numbers import format_number

_NAME = r"(?:[a-zA-Z]|\\[a-z]+(?=\\in))"
_SIGN = r"(?:<=|>=|<|>|≤|≥|\\leqslant|\\geqslant|\\le(?![a-z])|\\ge(?![a-z])|\\lt(?![a-z])|\\gt(?![a-z]))"
_BETWEEN = re.compile(rf"(?P<low>[^<>≤≥]+?)(?P<left>{_SIGN})(?P<name>[a-zA-Z])(?P<right>{_SIGN})(?P<high>[^<>≤≥]+)")
_ONE_SIDED = re.compile(rf"(?P<name>[a-zA-Z])(?P<sign>{_SIGN})(?P<bound>[^<>≤≥]+)")
_MEMBER = re.compile(rf"{_NAME}(?:\\in|∈)")
_PIECE = re.compile(r"(?P<open>[(\[])(?P<low>[^,()\[\]]+(?:\([^()]*\)[^,()\[\]]*)*),(?P<high>.+)(?P<close>[)\]])")
_JOIN = re.compile(r"\\cup|∪|\bor\b|\\text\{or\}")
_STRICT = {"<", ">", r"\lt", r"\gt"}


class Piece(NamedTuple):
    """One interval. `low` is None at minus infinity, `high` at infinity; a closed end belongs to it."""

    low: Fraction | float | None
    low_closed: bool
    high: Fraction | float | None
    high_closed: bool


def read_union(text: str) -> tuple[Piece, ...] | None:
    """The set of reals that a text without blanks writes, as disjoint intervals in order; None where it writes none.

    The union of no interval, an empty one, is None too. Pure; never raises.
    """
    text = _MEMBER.sub("", "".join(text.split()), count=1)
    pieces: list[Piece] = []
    for part in _JOIN.split(text):
        read = _read_piece(part)
        if read is None:
            return None
        pieces += read
    return tuple(_merged(pieces)) or None


def same_union(one: tuple[Piece, ...], other: tuple[Piece, ...]) -> bool:
    """Whether two unions hold the same numbers, their ends equal to one part in 10**9."""
    return len(one) == len(other) and all(
        (a.low_closed, a.high_closed) == (b.low_closed, b.high_closed) and _near(a.low, b.low) and _near(a.high, b.high)
        for a, b in zip(one, other, strict=True)
    )


def format_union(union: tuple[Piece, ...]) -> str:
    """A union in one form: `(-inf, 2] or [5, inf)`."""
    return " or ".join(
        f"{'[' if piece.low_closed else '('}{_end(piece.low, '-inf')}, {_end(piece.high, 'inf')}"
        f"{']' if piece.high_closed else ')'}"
        for piece in union
    )


def _end(value: Fraction | float | None, infinite: str) -> str:
    if value is None:
        return infinite
    return format_number(value) if isinstance(value, Fraction) else f"{value:.10g}"


def _near(one: Fraction | float | None, other: Fraction | float | None) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one == other
    return abs(float(one) - float(other)) <= 1e-9 * max(abs(float(one)), abs(float(other)))


def _read_piece(part: str) -> list[Piece] | None:
    part = part.strip()
    if match := _PIECE.fullmatch(part):
        return _piece(match["low"], match["open"] == "[", match["high"], match["close"] == "]")
    if part.startswith(r"\{") and part.endswith(r"\}"):
        values = [_number(each) for each in part[2:-2].split(",")]
        return None if None in values else [Piece(value, True, value, True) for value in values]
    if match := _BETWEEN.fullmatch(part):
        low, left, right, high = match["low"], match["left"], match["right"], match["high"]
        if _turned(left) != _turned(right):
            return None
        if _turned(left):
            low, left, right, high = high, right, left, low
        return _piece(low, left not in _STRICT, high, right not in _STRICT)
    if match := _ONE_SIDED.fullmatch(part):
        closed = match["sign"] not in _STRICT
        if _turned(match["sign"]):
            return _piece(match["bound"], closed, r"\infty", False)
        return _piece(r"-\infty", False, match["bound"], closed)
    return None


def _turned(sign: str) -> bool:
    return sign in (">", ">=", "≥", r"\ge", r"\gt", r"\geqslant")


def _piece(low: str, low_closed: bool, high: str, high_closed: bool) -> list[Piece] | None:
    ends: list[Fraction | float | None] = []
    for text, infinite in ((low, "-"), (high, "")):
        if _INFINITE.fullmatch(text):
            if ("-" in text) != (infinite == "-"):
                return None
            ends.append(None)
            continue
        value = _number(text)
        if value is None:
            return None
        ends.append(value)
    piece = Piece(ends[0], low_closed and ends[0] is not None, ends[1], high_closed and ends[1] is not None)
    return None if _is_empty(piece) else [piece]


_INFINITE = re.compile(r"[-+]?(?:\\infty|∞|inf(?:inity)?)")


def _is_empty(piece: Piece) -> bool:
    if piece.low is None or piece.high is None:
        return False
    return piece.low > piece.high or (piece.low == piece.high and not (piece.low_closed and piece.high_closed))


def _number(text: str) -> Fraction | float | None:
    """A real constant: exact where it is rational."""
    valued = evaluate(text, 0)
    if valued is None or valued.symbols:
        return None
    if isinstance(valued.value, Fraction):
        return valued.value
    return valued.value.real if abs(valued.value.imag) <= 1e-12 * abs(valued.value) else None


def _merged(pieces: list[Piece]) -> list[Piece]:
    """Disjoint intervals in order; touching ones become one where the touching end belongs to either."""

    def start(piece: Piece) -> tuple[bool, float, bool]:
        return piece.low is not None, float(piece.low or 0), not piece.low_closed

    merged: list[Piece] = []
    for piece in sorted(pieces, key=start):
        if merged and _touch(merged[-1], piece):
            last = merged.pop()
            longer = max((last, piece), key=_reach)
            piece = Piece(last.low, last.low_closed, longer.high, longer.high_closed)
        merged.append(piece)
    return merged


def _reach(piece: Piece) -> tuple[bool, float, bool]:
    return piece.high is None, float(piece.high or 0), piece.high_closed


def _touch(left: Piece, right: Piece) -> bool:
    if left.high is None or right.low is None:
        return True
    if _near(left.high, right.low) or left.high == right.low:
        return left.high_closed or right.low_closed
    return left.high > right.low
