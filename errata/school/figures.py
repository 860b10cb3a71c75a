"""What a school came to, as figures: pure functions of its record and of what its exams, lessons and judges left.

An item counts as right where over half of its samples are, as everywhere that changes are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from errata.school.record import Accuracy, Gain, Round, School

Rights = Mapping[str, bool]
"""By item or problem, whether a student was right."""


class Standing(NamedTuple):
    """A student as it was judged, and what all rounds up to it have taken."""

    name: str
    """`start` or `round N`."""
    accuracy: Accuracy
    teacher_tokens: int
    dollars: float | None
    """None where a price is unknown."""


class Changed(NamedTuple):
    """What became of the judged items in one round: their ids, in the judge's order.

    cured, broken: against the student that the round started from. never_learned: wrong at the start and in every round
    up to this one.
    """

    round: int
    cured: tuple[str, ...]
    broken: tuple[str, ...]
    never_learned: tuple[str, ...]


class Explained(NamedTuple):
    """An explanation of a student's mistake that a lesson holds."""

    problem_id: str
    question: str
    author: str
    text: str
    kinds: tuple[str, ...]


class Cure(NamedTuple):
    """An explanation of a lesson on a problem that the exam before it had wrong and the one after it right."""

    round: int
    explained: Explained


class Amount(NamedTuple):
    """What a point of accuracy took, with the bounds that the gain's 95 % interval gives."""

    value: float
    low: float
    high: float


class NextPoint(NamedTuple):
    """The cost of a point of accuracy in the last judged round."""

    round: int
    teacher_tokens: Amount
    dollars: Amount | None
    """None where a price is unknown."""


def judged(school: School) -> list[Round]:
    """The rounds that have come to their end."""
    return [each for each in school.rounds if each.accuracy is not None and each.gain is not None]


def standings(school: School) -> list[Standing]:
    """The untouched student and that of each judged round, with sums over the rounds up to it."""
    rows: list[Standing] = []
    tokens, dollars = 0, school.start.dollars
    if school.start.accuracy is not None:
        rows.append(Standing("start", school.start.accuracy, tokens, dollars))
    for each in school.rounds:
        tokens += each.teacher_tokens
        dollars = None if dollars is None or each.dollars is None else dollars + each.dollars
        if each.accuracy is not None:
            rows.append(Standing(f"round {each.round}", each.accuracy, tokens, dollars))
    return rows


def changes(start: Rights, rounds: Sequence[tuple[int, Rights]]) -> list[Changed]:
    """Per round what was cured, broken and never learned; items that a round was not judged on are left out."""
    items, before = list[Changed](), start
    never = {item for item, right in start.items() if not right}
    for number, now in rounds:
        never = {item for item in never if not now.get(item, True)}
        both = [(item, before[item], right) for item, right in now.items() if item in before]
        items.append(
            Changed(
                number,
                tuple(item for item, was, right in both if right and not was),
                tuple(item for item, was, right in both if was and not right),
                tuple(item for item in now if item in never),
            )
        )
        before = now
    return items


def kinds_of_mistakes(explained: Iterable[Explained]) -> Counter[str]:
    """The kinds that the explainers of a lesson named; an explanation may name several."""
    return Counter(kind for each in explained for kind in each.kinds)


def cures(exams: Mapping[int, Rights], lessons: Mapping[int, Sequence[Explained]]) -> list[Cure]:
    """Explanations that preceded a cure, by round; of a round without an exam after it nothing can be said.

    That the explanation was the reason is not said: the same round taught other things, too.
    """
    return [
        Cure(number, each)
        for number, explained in sorted(lessons.items())
        for each in explained
        if exams.get(number, {}).get(each.problem_id) is False and exams.get(number + 1, {}).get(each.problem_id)
    ]


def next_point(school: School) -> NextPoint | None:
    """What a point took in the last judged round; None where its gain is not shown, so that it cannot be said."""
    done = judged(school)
    if not done:
        return None
    last = done[-1]
    gain = last.gain
    if gain is None or gain.verdict != "better":
        return None
    dollars = None if last.dollars is None else _per_point(last.dollars, gain)
    return NextPoint(last.round, _per_point(last.teacher_tokens, gain), dollars)


def _per_point(paid: float, gain: Gain) -> Amount:
    """A shown gain has a lower bound above 0."""
    return Amount(*(paid / (100 * each) for each in (gain.difference, gain.high, gain.low)))
