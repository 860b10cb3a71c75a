"""Comparing an answer with a gold one, as far as strings, numbers and values tell; computer algebra comes after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_uppercase
from typing import NamedTuple

from errata.grading.collection import items_of
from errata.grading.latex import alike, normal
from errata.grading.normalize import canonical
from errata.grading.quantity import same_quantity
from errata.grading.structure import equal_values, same_factors, symbols
from errata.records import AnswerKind

_ASKS_FORM = re.compile(r"\b(?:factor|expand)", re.IGNORECASE)
_ASKS_ORDER = re.compile(
    r"\b(?:greatest|largest|least|smallest) to\b|\b(?:ascending|descending|in) order\b", re.IGNORECASE
)
_ASKS_RESULT = re.compile(
    r"\b(?:simplif|comput|evaluat|calculat|rationali[sz]|express|expand|factor|rewrite|write|find\b|what is\b)",
    re.IGNORECASE,
)


class Comparison(NamedTuple):
    """Whether two answers are equal, and the rule that says so; `correct` is None where only algebra can tell."""

    correct: bool | None
    rule: str


@lru_cache(maxsize=4_096)
def compare(kind: AnswerKind, gold: str, answer: str, choices: tuple[str, ...] = ()) -> Comparison:
    """Compare two answers of any kind but LaTeX. `answer` may go on after what answers: `18 dollars a day`."""
    if kind == "number":
        return Comparison(same_quantity(gold, answer), kind)
    left, right = canonical(kind, gold, choices), canonical(kind, answer, choices)
    match kind:
        case "string":
            return Comparison(_folded(left) == _folded(right), kind)
        case "choice":
            return Comparison(left == right or _option(left, choices) == _option(right, choices), kind)
        case "list":
            return Comparison(_same_list(items_of(left), items_of(right)), kind)
        case "set":
            return Comparison(_same_set(items_of(left), items_of(right)), kind)
    return Comparison(left == right, kind)


def compare_latex(gold: str, answer: str, question: str = "") -> Comparison:
    """Compare two LaTeX answers without algebra; the question says whether form and order count."""
    correct, name = alike(gold, answer)
    rule: str = name
    if correct is None and "," in gold and _ASKS_ORDER.search(question):
        return Comparison(False, "string")
    left, right = normal(gold), normal(answer)
    if correct is None:
        correct, rule = equal_values(left, right), "value"
        if correct and asks_form(question) and symbols(left) and not same_factors(left, right):
            correct = None
    if correct and left != right and restates(question, right):
        return Comparison(False, "restated")
    return Comparison(correct, rule if correct is not None else "math_verify")


def asks_form(question: str) -> bool:
    """Whether a question asks to factor or to expand."""
    return bool(_ASKS_FORM.search(question))


_FORMULA = re.compile(r"\$\$?([^$]{2,400})\$|\\\[(.{2,400}?)\\\]|\\\((.{2,400}?)\\\)", re.DOTALL)
_OPERATION = re.compile(r"[-+*/^!]|\\(?:frac|sqrt|cdot|times|div|binom)|\d\(|\)\(")


def restates(question: str, form: str) -> bool:
    """Whether an answer in normal form is the very expression that the question asks to work out."""
    if not _OPERATION.search(form.removeprefix("-")) or not _ASKS_RESULT.search(question):
        return False
    return form in _expressions(question)


@lru_cache(maxsize=512)
def _expressions(question: str) -> frozenset[str]:
    """The formulas of a question in normal form, and the sides of its equations."""
    formulas = [next(filter(None, match.groups())) for match in _FORMULA.finditer(question)]
    return frozenset(normal(side) for formula in formulas for side in (formula, *formula.split("=")))


def _option(letter: str, choices: Sequence[str]) -> str:
    """The option's text, since two options may read the same; the letter itself where it is none."""
    place = ascii_uppercase.find(letter) if len(letter) == 1 else -1
    return choices[place].strip().casefold() if 0 <= place < len(choices) else letter


def _folded(text: str) -> str:
    """Case, commas between words and white space do not count; brackets may be written apart or together."""
    words = text.casefold().replace(",", " ").split()
    return ("" if not any(char.isalnum() for char in text) else " ").join(words)


def _same_item(one: str, other: str) -> bool:
    return one == other or _folded(one) == _folded(other) or equal_values(normal(one), normal(other)) is True


def _same_list(left: Sequence[str], right: Sequence[str]) -> bool:
    return len(left) == len(right) and all(map(_same_item, left, right))


def _same_set(left: Sequence[str], right: Sequence[str]) -> bool:
    return all(any(_same_item(one, other) for other in right) for one in left) and all(
        any(_same_item(one, other) for other in left) for one in right
    )
