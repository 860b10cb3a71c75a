"""LaTeX answers: boxes, normal forms, and which pairs are settled without algebra."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.grading.latex import alike, last_box, normal, rational

EQUAL = [
    (r"\frac{1}{2}", r"\dfrac12"),
    (r"\frac{1}{2}", "1/2"),
    (r"\frac{1}{2}", "0.5"),
    (r"\frac{1}{2}", ".5"),
    (r"14\frac{6}{7}", r"\frac{104}{7}"),
    (r"-\frac{3}{10}", r"\frac{-3}{10}"),
    (r"11,\!880", "11880"),
    ("45{,}045", "45,045"),
    (r"\$23.40", "23.4"),
    (r"98\%", "98"),
    (r"105^\circ", "105"),
    (r"9\text{ cm}^2", "9"),
    ("10", "10 years old"),
    (r"\left(2,3\right)", "(2, 3)"),
    (r"\sqrt3", r"\sqrt{3}"),
    ("x=5", "5"),
    (r"x \in [1,2]", "[1,2]"),
    (r"\text{Sunday}", "sunday"),
    (r"\mbox{four}", "4"),
    ("B", r"\textbf{(B)}"),
    ("13", r"\textbf{(B)}\ 13"),
    (r"8\!:\!34 \text{ p.m.}", "8:34 PM"),
    ("9:24", r"9:24\text{ a.m.}"),
    ("22_6", "22"),
    ("22_6", "22_{6}"),
    ("6, 8, \\text{ and } 10", "6,8,10"),
    (r"x\leq 2", r"x\le2"),
]
DIFFERENT = [
    ("1", "2"),
    (r"\frac{1}{2}", "0.51"),
    ("22_6", "22_7"),
    ("22_6", "14"),
    (r"8\!:\!34 \text{ p.m.}", r"8:34\text{ a.m.}"),
    (r"\text{Saturday}", r"\text{Friday}"),
    ("5", r"\text{no solution}"),
    ("A", "B"),
    ("5", ""),
    ("", ""),
]


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_equal_without_algebra(gold: str, answer: str) -> None:
    assert alike(gold, answer)[0] is True
    assert alike(answer, gold)[0] is True


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_not_equal(gold: str, answer: str) -> None:
    assert alike(gold, answer)[0] is not True


def test_what_only_algebra_can_tell_stays_open() -> None:
    assert alike("x+1", "1+x") == (None, "math_verify")
    assert alike("x+1", "x+" * 500 + "1") == (False, "too_long")


def test_boxes() -> None:
    for text, inside in [
        (r"a \boxed{\frac{1}{2}} b", r"\frac{1}{2}"),
        (r"\boxed{1} \fbox{2}", "2"),
        (r"\boxed{\boxed{3}}", "3"),
        (r"\boxed{\left\{1\right\}}", r"\left\{1\right\}"),
        (r"\boxed{1} and \boxed{2", "1"),
        (r"$\boxed 7$", "7"),
        (r"\boxed", None),
        (r"\boxedX{1}", None),
    ]:
        span = last_box(text)
        assert (text[slice(*span)] if span else None) == inside


@given(st.text(alphabet=r"\{}$^_ ,.:=0123459abxyzifractextsqrboxed()[]%AMP-/", max_size=60))
def test_normal_forms_are_normal_and_comparing_is_symmetric(text: str) -> None:
    form = normal(text)

    assert not any(char.isspace() for char in form)
    rational(form)
    assert alike(text, "1")[0] == alike("1", text)[0]
    assert bool(form) == (alike(text, text) == (True, "string"))


@given(st.fractions(max_denominator=999))
def test_a_fraction_is_one_number_in_every_spelling(value) -> None:  # type: ignore[no-untyped-def]
    top, bottom = value.numerator, value.denominator
    for spelling in (rf"\frac{{{top}}}{{{bottom}}}", rf"\dfrac{{{top}}}{{{bottom}}}", f"{top}/{bottom}"):
        assert rational(normal(spelling)) == value
