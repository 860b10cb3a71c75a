"""Values of expressions and equality by structure, against Python's own arithmetic and against math-verify."""

from __future__ import annotations

import cmath
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errata.grading.expression import evaluate
from errata.grading.interval import format_union, read_union
from errata.grading.latex import normal
from errata.grading.math_pool import MathPool
from errata.grading.structure import equal_values, same_factors

LEAVES = st.integers(0, 99).map(lambda number: (str(number), Fraction(number)))


def grow(inner: st.SearchStrategy[tuple[str, Fraction]]) -> st.SearchStrategy[tuple[str, Fraction]]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        pairs.map(lambda p: (f"({p[0][0]}+{p[1][0]})", p[0][1] + p[1][1])),
        pairs.map(lambda p: (f"({p[0][0]}-{p[1][0]})", p[0][1] - p[1][1])),
        pairs.map(lambda p: (rf"{p[0][0]}\cdot {p[1][0]}", p[0][1] * p[1][1])),
        pairs.filter(lambda p: p[1][1] != 0).map(lambda p: (rf"\frac{{{p[0][0]}}}{{{p[1][0]}}}", p[0][1] / p[1][1])),
        st.tuples(inner, st.integers(1, 4)).map(lambda p: (f"({p[0][0]})^{p[1]}", p[0][1] ** p[1])),
    )


@given(st.recursive(LEAVES, grow, max_leaves=8))
@settings(max_examples=300, deadline=None)
def test_rational_expressions_are_exact(case: tuple[str, Fraction]) -> None:
    text, value = case
    valued = evaluate("".join(text.split()), 0)
    assert valued is None or valued.value == value
    assert valued is not None or len(text) > 60


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\sqrt{9}", 3),
        (r"2\sqrt{2}", 2 * cmath.sqrt(2)),
        (r"\sqrt[3]{8}", 2),
        (r"-2^2", -4),
        ("5!", 120),
        (r"\binom{5}{2}", 10),
        (r"2\pi", 2 * cmath.pi),
        ("i^2", -1),
        (r"2^{-1}", Fraction(1, 2)),
        ("1.5", Fraction(3, 2)),
    ],
)
def test_values(text: str, value: complex) -> None:
    valued = evaluate(text, 0)
    assert valued is not None
    assert cmath.isclose(complex(valued.value), complex(value), rel_tol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1/2x",
        r"2\frac{1}{2}",
        "f(x)",
        "x^10",
        "e",
        r"\sin(x)",
        r"\pm2",
        "1/0",
        "9^{9^{9^9}}",
        "(" * 400,
        "x_",
        "2 3",
    ],
)
def test_what_may_be_read_in_two_ways_is_not_read(text: str) -> None:
    assert evaluate(text, 0) is None


@given(st.text(alphabet=r"\{}()[]^_+-*/=,.!|<>&0123xyzi fracsqrtpibnomlecup", max_size=60))
@settings(max_examples=400, deadline=None)
def test_comparing_never_raises_and_is_symmetric_but_for_decimals(text: str) -> None:
    form = normal(text)
    assert equal_values(form, form) is not False or "/0" in form or "." in form or "!" in form or "=" in form
    for other in ("2", r"\sqrt{2}", "(1,2)", r"\{1,2\}", r"[0,1)\cup(2,3)"):
        if "." not in form and "=" not in form:
            assert equal_values(form, other) == equal_values(other, form)


@given(st.text(alphabet=r"\{}()[]<>≤=,. 0123xinfcupor-", max_size=40))
@settings(max_examples=300, deadline=None)
def test_a_union_is_read_back_as_it_is_written(text: str) -> None:
    union = read_union(text)
    if union:
        again = read_union(format_union(union).replace(" or ", r"\cup").replace("inf", r"\infty"))
        assert again is not None
        assert format_union(again) == format_union(union)


@pytest.fixture(scope="module")
def pool() -> Iterator[MathPool]:
    pool = MathPool()
    yield pool
    pool.close()


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"2\sqrt{2}", r"\sqrt{8}"),
        (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}"),
        ("(x+1)^2", "x^2+2x+1"),
        ("x^2", "x^3"),
        (r"3+2i", r"2i+3"),
        (r"3+2i", r"3-2i"),
        (r"\frac{x}{y}", r"\frac{y}{x}"),
        ("(1,2)", r"(1,\frac{4}{2})"),
        ("(1,2)", "(2,1)"),
        ("1,2", "2,1"),
        ("1,2", "1,3"),
        (r"\{1,2\}", "1,2"),
        (r"\sqrt{3}+1", r"\sqrt{4+2\sqrt{3}}"),
        (r"2^{10}", "1024"),
        (r"\frac{1}{27\cdot3}", r"\frac{1}{81}"),
    ],
)
def test_values_agree_with_computer_algebra(pool: MathPool, gold: str, answer: str) -> None:
    assert equal_values(normal(gold), normal(answer)) is (pool.check(normal(gold), normal(answer)) == "equal")


def test_products_of_the_same_factors_need_no_algebra() -> None:
    assert same_factors("(t-7)(t+7)", "(t+7)(t-7)")
    assert same_factors("(2)(x+2)", "2(x+2)")
    assert not same_factors("(t-7)(t+7)", "t^2-49")
    assert not same_factors("t^2-49", "t^2-49")
