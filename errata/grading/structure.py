"""Equality of LaTeX answers without computer algebra: by value, element by element, as intervals.

    scalar      2\\sqrt2 and \\sqrt8, by value at a few points of the variables
    tuple       (1, \\frac12), in order; also vectors and matrices
    set         \\{1, 2\\} and 1, 2: in any order
    interval    [0, 1) \\cup \\{3\\}: errata.grading.interval

A decimal stands for an exact irrational value only as a gold: where the exact answer rounds to the gold's digits, four
of them or more. A decimal answer to an exact gold is not right, however many digits it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from errata.grading.expression import POINTS, Valued, evaluate
from errata.grading.interval import read_union, same_union

_EQUAL, _DIFFERENT, _EPSILON = 1e-10, 1e-6, 1e-15
_DECIMAL = re.compile(r"-?(?:\d*\.(\d+))")
_HAS_DECIMAL = re.compile(r"\d?\.\d")
_LEAST_DIGITS = 4

Answer = bool | None


def equal_values(gold: str, answer: str) -> Answer:
    """Whether two normal forms are equal; None where only computer algebra can tell. Pure; never raises."""
    left, right = _shape(gold), _shape(answer)
    if left.name == right.name == "scalar":
        return _scalars(gold, answer)
    if "interval" in (left.name, right.name) or r"\cup" in gold or r"\cup" in answer:
        unions = read_union(gold), read_union(answer)
        if unions[0] and unions[1]:
            return same_union(unions[0], unions[1])
    if left.name == right.name:
        return _in_order(left, right) if left.ordered else _in_any_order(left.parts, right.parts)
    return _other_shapes(left, right)


_FACTOR = re.compile(r"\([^()]*\)(?:\^\w)?|[^()]+")


def same_factors(one: str, other: str) -> bool:
    """Whether two normal forms are products of the same factors, in any order: equal in form as well as in value."""
    left, right = (
        sorted(factor.strip("()") if factor.strip("()").isdigit() else factor for factor in _FACTOR.findall(form))
        for form in (one, other)
    )
    return left == right and "(" in one


def symbols(form: str) -> frozenset[str]:
    """The variables of a normal form that can be evaluated; none where it cannot."""
    valued = evaluate(form, 0)
    return valued.symbols if valued else frozenset()


# ---- scalars ---------------------------------------------------------------------------------------------------------


def _scalars(gold: str, answer: str) -> Answer:
    if "=" in answer and "=" not in gold:
        return _sides(gold, answer)
    verdicts = []
    for point in range(POINTS):
        left, right = evaluate(gold, point), evaluate(answer, point)
        if left is None or right is None:
            return None
        if point == 0 and (rounded := _rounded(gold, answer, left, right)) is not None:
            return rounded
        verdicts.append(_near(left, right))
        if verdicts[-1] is not True:
            return verdicts[-1]
        if not left.symbols | right.symbols:
            return True
    return True


def _sides(gold: str, answer: str) -> Answer:
    """An equation is no answer where none of its sides is; which side counts where one is, algebra decides."""
    verdicts = [_scalars(gold, side) for side in answer.split("=")]
    return False if all(verdict is False for verdict in verdicts) else None


def _near(left: Valued, right: Valued) -> Answer:
    if isinstance(left.value, Fraction) and isinstance(right.value, Fraction):
        return left.value == right.value
    one, other = complex(left.value), complex(right.value)
    scale = max(abs(one), abs(other))
    if max(left.largest, right.largest) * _EPSILON > _EQUAL * scale:
        return None  # rounding may have eaten the difference
    gap = abs(one - other)
    if gap <= _EQUAL * scale:
        return True
    return False if gap > _DIFFERENT * scale else None


def _rounded(gold: str, answer: str, left: Valued, right: Valued) -> Answer:
    """The verdict on a decimal beside an exact irrational value; None where there is no such pair."""
    decimal_gold, decimal_answer = _HAS_DECIMAL.search(gold), _HAS_DECIMAL.search(answer)
    if decimal_answer and not decimal_gold and isinstance(right.value, Fraction):
        return None if isinstance(left.value, Fraction) else False
    written = _DECIMAL.fullmatch(gold)
    if not written or decimal_answer or isinstance(right.value, Fraction) or right.symbols:
        return None
    places = len(written[1])
    digits = len(gold.strip("-").replace(".", "").lstrip("0"))
    exact = complex(right.value)
    return digits >= _LEAST_DIGITS and abs(exact - float(gold)) <= 0.5000001 * 10**-places


# ---- shapes ----------------------------------------------------------------------------------------------------------


class _Shape(NamedTuple):
    """An answer's outer form: its name, whether order counts, its parts, the rows of a matrix, its brackets."""

    form: str
    name: str
    ordered: bool
    parts: tuple[str, ...]
    rows: tuple[int, ...] = ()
    brackets: str = ""


_MATRIX = re.compile(r"\\begin\{pmatrix\}(.*)\\end\{pmatrix\}")
_PAIRS = (("(", ")", "tuple"), ("[", "]", "interval"), ("(", "]", "interval"), ("[", ")", "interval"))


def _shape(form: str) -> _Shape:
    if matrix := _MATRIX.fullmatch(form):
        rows = [row.split("&") for row in matrix[1].split(r"\\") if row]
        if not any("{pmatrix}" in cell for row in rows for cell in row):
            lengths = tuple(len(row) for row in rows)
            return _Shape(form, "matrix", True, tuple(cell for row in rows for cell in row), lengths)
    if form.startswith(r"\{") and form.endswith(r"\}"):
        return _Shape(form, "set", False, tuple(split(form[2:-2])))
    parts = split(form)
    if len(parts) > 1:
        return _Shape(form, "set", False, tuple(parts))
    for opened, closed, name in _PAIRS:
        if form.startswith(opened) and form.endswith(closed) and len(inside := split(form[1:-1])) > 1:
            if _closed_inside(form):
                break  # (a,b)=(1,2)
            return _Shape(form, name, True, tuple(inside), brackets=opened + closed)
    return _Shape(form, "interval" if r"\cup" in form else "scalar", True, (form,))


def _closed_inside(form: str) -> bool:
    """Whether the bracket that a form begins with is closed before its end."""
    depth = 0
    for char in form[:-1]:
        depth += (char in "([{") - (char in ")]}")
        if depth == 0:
            return True
    return False


def split(text: str, separator: str = ",") -> list[str]:
    """A text at its separators outside of all brackets."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(text):
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def _in_order(left: _Shape, right: _Shape) -> Answer:
    if (len(left.parts), left.rows, left.brackets) != (len(right.parts), right.rows, right.brackets):
        return False
    return _all(map(_scalars, left.parts, right.parts))


def _in_any_order(left: Sequence[str], right: Sequence[str]) -> Answer:
    """Sets: every element of either side stands on the other one."""
    table = [[_scalars(one, other) for other in right] for one in left]
    turned = [list(column) for column in zip(*table, strict=True)]
    return _all(_any(row) for row in (*table, *turned))


def _other_shapes(left: _Shape, right: _Shape) -> Answer:
    """Different shapes differ where their parts do; a set of one element is that element."""
    if {left.name, right.name} == {"set", "scalar"}:
        return _in_any_order(left.parts, right.parts)
    for one, other in ((left, right), (right, left)):
        if one.name == "interval" and other.name != "tuple" and read_union(one.form):
            return False if _readable(other) else None
    if {left.name, right.name} in ({"scalar", "tuple"}, {"scalar", "matrix"}):
        return False if _readable(left if left.name == "scalar" else right) else None
    return False if _in_any_order(left.parts, right.parts) is False else None


def _readable(shape: _Shape) -> bool:
    return all(evaluate(part, 0) for part in shape.parts)


def _all(verdicts: Iterable[Answer]) -> Answer:
    return _folded(verdicts, stop=False)


def _any(verdicts: Iterable[Answer]) -> Answer:
    return _folded(verdicts, stop=True)


def _folded(verdicts: Iterable[Answer], *, stop: bool) -> Answer:
    """Three-valued and (stop: False) and or (stop: True)."""
    result: Answer = not stop
    for verdict in verdicts:
        if verdict is stop:
            return stop
        if verdict is None:
            result = None
    return result
