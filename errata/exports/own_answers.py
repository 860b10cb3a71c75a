"""The student's own right answers in its exam as data to learn from: rejection sampling with distinct reasoning.

An answer whose equations another one of the problem has written already, in the same order, teaches nothing new (RFT,
arXiv 2308.01825, keeps one of each list of equations). Where no equation is read, the words decide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from errata.classroom.equations import equations
from errata.records import Rationale

SELF = "self"
"""The role in which they are taught."""
ANSWERS_PER_PROBLEM = 8
"""Right ones of a problem at most, so that problems with many samples do not outweigh the rest."""


def own_answers(
    rationales: Iterable[Rationale], roles: Collection[str], *, cut_off: bool = False, most: int = ANSWERS_PER_PROBLEM
) -> Iterator[Rationale]:
    """A problem's exam answers in the role `self`, in their order; right ones that are not to be learned are `dropped`.

    Args:
        roles: in which the student's answers are written.
        cut_off: answers that end at their length limit may be learned, so that they count among the distinct ones.
        most: right and distinct answers that are kept.
    """
    reasonings = set[Any]()
    for each in rationales:
        if each.role not in roles:
            continue
        own = each.model_copy(update={"role": SELF})
        if not own.is_right or own.dropped or (own.truncated and not cut_off):
            yield own
            continue
        reasoning = reasoning_of(own.text)
        if reasoning in reasonings:
            yield own.model_copy(update={"dropped": "same_equations"})
        elif len(reasonings) >= most:
            yield own.model_copy(update={"dropped": "beyond_most_own"})
        else:
            reasonings.add(reasoning)
            yield own


def reasoning_of(text: str) -> tuple[Any, ...]:
    """Equal for texts that reason alike: the list of their equations, else their words."""
    return tuple(each.key for each in equations(text)) or tuple(text.casefold().split())
