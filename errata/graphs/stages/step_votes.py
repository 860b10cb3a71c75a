"""What can be said without a call of where a wrong rationale first goes wrong.

written equations --> the first that arithmetic refutes
its right twin    --> the first place where both texts part: its rectified text, or the one it was corrupted from
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein, Opcode

from errata.classroom.check_steps import read
from errata.classroom.equations import equations
from errata.grading.steps import step_at, steps_of
from errata.graphs.state import State
from errata.records import Rationale, Span, StepVote

# ---- arithmetic ------------------------------------------------------------------------------------------------------


class Claim(NamedTuple):
    """A written `left op right = result`; `start` is the offset of the equation or of its sentence."""

    start: int
    left: Fraction
    op: str
    right: Fraction
    result: Fraction


def arithmetic_vote(text: str, steps: tuple[Span, ...]) -> StepVote:
    """The step of the first equation that does not hold. It cannot know a wrong operand, fact or reading."""
    refuted = sorted(claim.start for claim in _claims(text) if not holds(claim))
    return StepVote(source="arithmetic", step=step_at(steps, refuted[0]) if refuted else None)


def _claims(text: str) -> Iterator[Claim]:
    """Equations, and what is worded as `add 3 to 5 to get 8`."""
    for each in equations(text):
        yield Claim(each.start, each.left, each.op, each.right, each.result)
    for one in read(text):
        if one.what == "step" and one.voice == 2 and one.result is not None:
            yield Claim(one.start, Fraction(one.left), one.op, Fraction(one.right), Fraction(one.result))


def holds(claim: Claim) -> bool:
    """Whether the result is right, or right but for rounding to the places that it is written with.

    A quotient may be rounded down as well. Zeros at the end of a result are not seen, so that 3.50 counts as one place.
    """
    exact = _exact(claim)
    if exact is None or exact == claim.result:
        return True
    unit = Fraction(1, 10 ** _places(claim.result))
    if claim.op == "/":
        return abs(exact - claim.result) < unit
    rounded = _places(exact) > _places(claim.result)
    return rounded and abs(exact - claim.result) <= unit / 2


def _exact(claim: Claim) -> Fraction | None:
    match claim.op:
        case "+":
            return claim.left + claim.right
        case "-":
            return claim.left - claim.right
        case "*":
            return claim.left * claim.right
    return claim.left / claim.right if claim.right else None


def _places(value: Fraction) -> int:
    """Decimal places of a written number, 15 for one that has no end."""
    return next((places for places in range(16) if (value * 10**places).denominator == 1), 15)


# ---- the right twin --------------------------------------------------------------------------------------------------

_WORD = re.compile(r"\S+")


def rewritten_votes(state: State, wrong: Rationale, steps: tuple[Span, ...]) -> list[StepVote]:
    """Of each right twin of a wrong rationale the step in which both part; of one author's twins the last counts."""
    votes = {}
    for twin in right_twins(state, wrong):
        writer = wrong.author if wrong.role == "corrupted" else twin.author
        votes[writer] = StepVote(source="rewritten", by=writer, step=parting(twin.text, wrong.text, steps))
    return list(votes.values())


def right_twins(state: State, wrong: Rationale) -> Iterator[Rationale]:
    """Right texts that were rewritten from it or that it was rewritten from."""
    rationales = state.get("rationales", {})
    for each in rationales.values():
        rectified = each.role == "rectified" and each.parent_id == wrong.id
        source = wrong.role == "corrupted" and each.id == wrong.parent_id
        if (rectified or source) and each.is_right and each.dropped is None:
            yield each


def parting(right: str, wrong: str, steps: tuple[Span, ...]) -> int | None:
    """The first step of `wrong` in which a word with a digit changes, or else the first that changes at all.

    A rewriter may polish words before the mistake; numbers it has no reason to touch. None for texts of equal words.
    """
    left, words = _WORD.findall(right), list(_WORD.finditer(wrong))
    first: int | None = None
    for code in Levenshtein.opcodes(left, [word[0] for word in words]):
        if code.tag == "equal":
            continue
        for step, changed in _changes(code, left, words, steps, len(wrong)):
            first = step if first is None else first
            if any(any(map(str.isdigit, word)) for word in changed):
                return step
    return first


def _changes(
    code: Opcode, left: list[str], words: list[re.Match[str]], steps: tuple[Span, ...], end: int
) -> Iterator[tuple[int, Iterable[str]]]:
    """The steps that one edit changes, in order, with the words that it takes away or adds there."""
    gone = left[code.src_start : code.src_end]
    if code.dest_start == code.dest_end:  # words are missing before this one
        place = words[code.dest_start].start() if code.dest_start < len(words) else end
        yield step_at(steps, place), gone
        return
    by_step: dict[int, list[str]] = {}
    for place, word in enumerate(words[code.dest_start : code.dest_end]):
        changed = by_step.setdefault(step_at(steps, word.start()), [])
        changed += [word[0], *gone[place : place + 1]]
    yield from by_step.items()


def free_votes(state: State, wrong: Rationale, *, arithmetic: bool, rewritten: bool) -> list[StepVote]:
    """The votes that take no call."""
    steps = steps_of(wrong.text)
    votes = [arithmetic_vote(wrong.text, steps)] if arithmetic else []
    return votes + (rewritten_votes(state, wrong, steps) if rewritten else [])
