"""Which problems a round teaches, by what the student did in its exam: one function per criterion.

    results of the exam -> chooser -> choices, each with its reason; a share of them is rehearsal of what is mastered

Draws are hashes of seed, problem and criterion: they depend neither on order nor on where files lie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import log
from typing import NamedTuple

from errata.errors import UsageError
from errata.records import draw

REHEARSAL = "rehearsal"
"""By whom a mastered problem is chosen that is taught again."""


class ExamResult(NamedTuple):
    """One problem of an exam. `teachers` are their answers in earlier lessons, where there were any."""

    problem_id: str
    right: tuple[bool, ...]
    """By sample."""
    answers: tuple[str | None, ...]
    """By sample, equivalent ones written alike; None where none could be read."""
    teachers: tuple[str | None, ...] = ()


class Choice(NamedTuple):
    """A chosen problem: by which criterion, and why in words."""

    problem_id: str
    by: str
    reason: str


Chooser = Callable[[Sequence[ExamResult], int, str], list[Choice]]
"""Results, how many, seed -> chosen, in the results' order."""


def every(results: Sequence[ExamResult], count: int, seed: str) -> list[Choice]:
    """All problems; drawn where there are more than are asked for."""
    return _drawn(results, count, seed, "all", _share)


def wrong(results: Sequence[ExamResult], count: int, seed: str) -> list[Choice]:
    """Problems with a wrong sample."""
    return _drawn([each for each in results if not all(each.right)], count, seed, "wrong", _share)


def reachable(results: Sequence[ExamResult], count: int, seed: str) -> list[Choice]:
    """Problems of which some samples are right and some are not: what the student can nearly do."""
    return _drawn(
        [each for each in results if any(each.right) and not all(each.right)], count, seed, "reachable", _share
    )


def disagreement(results: Sequence[ExamResult], count: int, seed: str) -> list[Choice]:
    """Problems whose answers are most divided: by the entropy of the samples' answers, plus that of the teachers'."""
    divided = {each.problem_id: _entropy(each.answers) + _entropy(each.teachers) for each in results}
    open_ones = [each for each in results if divided[each.problem_id] > 0]
    order = sorted(open_ones, key=lambda each: (-divided[each.problem_id], draw(seed, each.problem_id, "disagreement")))
    taken = {each.problem_id for each in order[:count]}
    return [
        Choice(each.problem_id, "disagreement", f"answers divided by {divided[each.problem_id]:.2f} nats")
        for each in results
        if each.problem_id in taken
    ]


def random(results: Sequence[ExamResult], count: int, seed: str) -> list[Choice]:
    """Any problems: the control of the others."""
    return _drawn(results, count, seed, "random", lambda each: "drawn")


CHOOSERS: tuple[tuple[str, Chooser], ...] = (
    ("all", every),
    ("wrong", wrong),
    ("reachable", reachable),
    ("disagreement", disagreement),
    ("random", random),
)
"""The shipped criteria by name."""


def choose(
    results: Sequence[ExamResult],
    chooser: Chooser,
    count: int,
    rehearsal: float,
    seed: str,
    like: Chooser | None = None,
) -> list[Choice]:
    """What a round teaches, in the results' order.

    Args:
        count: problems at most.
        rehearsal: share of them that is filled with mastered problems (all samples right), as far as there are some.
        like: a chooser whose number is not exceeded: a control of equal size.

    Raises UsageError where a chooser of one's own gives more than it was asked for, or what was not in the exam.
    """
    mastered = [each for each in results if all(each.right)]
    rehearsed = _drawn(mastered, round(rehearsal * count), seed, REHEARSAL, _share)
    kept_ids = {each.problem_id for each in rehearsed}
    rest = [each for each in results if each.problem_id not in kept_ids]
    left = count - len(rehearsed)
    if like is not None:
        left = len(_picked(like, rest, left, seed))
    picked = _picked(chooser, rest, left, seed)
    chosen = {each.problem_id: each for each in (*picked, *rehearsed)}
    return [chosen[each.problem_id] for each in results if each.problem_id in chosen]


def _picked(chooser: Chooser, results: Sequence[ExamResult], count: int, seed: str) -> list[Choice]:
    picked = chooser(results, count, seed)
    _check(picked, results, count)
    return picked


def _check(picked: Sequence[Choice], results: Sequence[ExamResult], count: int) -> None:
    ids = [each.problem_id for each in picked]
    strange = sorted(set(ids) - {each.problem_id for each in results})
    if strange or len(ids) > count or len(set(ids)) < len(ids):
        what = (
            f"{strange[0]}, which it was not given"
            if strange
            else f"{len(ids)} problems, {len(set(ids))} of them apart"
        )
        raise UsageError(
            f"the chooser gives {what}", f"it was asked for at most {count} of {len(results)}", "correct the chooser"
        )


def _drawn(
    results: Sequence[ExamResult], count: int, seed: str, by: str, reason: Callable[[ExamResult], str]
) -> list[Choice]:
    """So many of the results by lot, in their order."""
    order = sorted(results, key=lambda each: draw(seed, each.problem_id, by))
    taken = {each.problem_id for each in order[:count]}
    return [Choice(each.problem_id, by, reason(each)) for each in results if each.problem_id in taken]


def _share(result: ExamResult) -> str:
    return f"{sum(result.right)} of {len(result.right)} samples are right"


def _entropy(answers: Sequence[str | None]) -> float:
    """Of the distribution of answers, in nats; 0 where there is none. What could not be read is no answer."""
    counts = Counter(answer for answer in answers if answer is not None)
    total = counts.total()
    return -sum(number / total * log(number / total) for number in counts.values()) if len(counts) > 1 else 0.0
