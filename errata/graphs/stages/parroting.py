"""Whether a text is about the problem: small models copy the demonstration that they are shown, in place of an answer.

On a real 1.5B teacher every row of corrupted rationales was the text of a demonstration, under another problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from errata.agents.demonstration import Demonstration
from errata.grading.number_words import PHRASE, number_of
from errata.graphs.stages.word_diff import LONGEST, edit_ratio
from errata.records import Problem, Rationale

Parroting = Literal["other_quantities", "parrots_demonstration"]
"""Why a text is none of the problem's, as a reason for `Rationale.dropped`."""

SHARED = 0.5
"""Of the question's numbers that the source uses, the share that a rewrite must use too: a mistake may leave one out.

With it, and the rule of nearness, all 300 copies of shipped demonstrations under problems that EDIT released are found,
and 147 of its 150 rewrites (either way) pass."""


ALIKE = 0.75
"""Edit ratio from which on two texts share no more than texts about different problems: nearness says nothing then."""


COPY = 0.5
"""Edit ratio of words up to which a solution is near to a demonstration.

Of 1,200 rationales released for SVAMP none is so near to one of eight others' (by chance 1 of them to 0.6); copies with
every fifth word changed all are."""

VERBATIM = 0.1
"""The same where numbers say nothing, since the questions share them or have none."""


def copied(
    problem: Problem, solution: Rationale, demonstrations: Iterable[Demonstration]
) -> Literal["parrots_demonstration"] | None:
    """Why `solution`, written from the question alone, is a copy of a demonstration that it was shown; None: it is not.

    It is one where it is near to a demonstration and uses at most half of the question's numbers, or where it is a
    demonstration nearly word for word and not right: solutions of like problems may be alike.
    """
    nearest = min((edit_ratio(solution.text, text) for text in _texts(solution.text, demonstrations)), default=1.0)
    if nearest > COPY:
        return None  # most: their numbers need not be read
    numbers = quantities(problem.question)
    others = bool(numbers) and len(numbers & quantities(solution.text)) <= SHARED * len(numbers)
    if nearest <= (COPY if others else VERBATIM) and (others or solution.correct is not True):
        return "parrots_demonstration"
    return None


def _texts(text: str, demonstrations: Iterable[Demonstration]) -> list[str]:
    """The demonstrations' sides that may be near to a text, by their lengths."""
    sides = [side for each in demonstrations for side in (each.rationale, each.wrong) if side]
    words = len(text.split())
    return [side for side in sides if len(text) <= LONGEST and _apart_by_length(words, side) <= COPY]


def parroting(
    problem: Problem, source: Rationale, rewrite: Rationale, demonstrations: Iterable[Demonstration]
) -> Parroting | None:
    """Why `rewrite` is no rewrite of `source`; None where it is one.

    It is none where it is nearer (by the edit ratio of words) to a side of a demonstration than to the source, or where
    it leaves out more than half of the question's numbers that the source uses.
    """
    if _nearer_to_another(source.text, rewrite.text, demonstrations):
        return "parrots_demonstration"
    used = quantities(problem.question) & quantities(source.text)
    return "other_quantities" if len(used & quantities(rewrite.text)) < SHARED * len(used) else None


def _nearer_to_another(source: str, rewrite: str, demonstrations: Iterable[Demonstration]) -> bool:
    if max(len(source), len(rewrite)) > LONGEST:
        return False
    texts = [text for each in demonstrations for text in (each.rationale, each.wrong) if text]
    limit, words = min(edit_ratio(rewrite, source), ALIKE), len(rewrite.split())
    return any(_apart_by_length(words, text) < limit and edit_ratio(rewrite, text) < limit for text in texts)


def _apart_by_length(words: int, text: str) -> float:
    """The edit ratio of a text and one of so many words is at least this: the rest is added or taken away."""
    others = len(text.split())
    return abs(words - others) / max(words, others, 1)


_NUMBER = re.compile(r"(?<![\w.,])(?:\d{1,3}(?:,\d{3})+|\d{1,15})?(?:(?<=\d)|(?=\.\d))(?:\.\d{1,15})?")


@lru_cache(maxsize=256)  # a question is read for each of its texts
def quantities(text: str) -> frozenset[Fraction]:
    """The numbers in a text, as digits or as words; the word "one" is none, for it mostly means nobody or somebody."""
    digits = {Fraction(match[0].replace(",", "")) for match in _NUMBER.finditer(text) if match[0]}
    words = {Fraction(number_of(match[0])[0]) for match in PHRASE.finditer(text)}
    return frozenset(digits | (words - {1}))
