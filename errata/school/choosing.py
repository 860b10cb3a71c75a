"""Which problems a round teaches, by what the student did in its exam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from errata.records import draw


class ExamResult(NamedTuple):
    problem_id: str
    right: tuple[bool, ...]
    answers: tuple[str | None, ...]
    teachers: tuple[str | None, ...] = ()


class Choice(NamedTuple):
    problem_id: str
    by: str
    reason: str


Chooser = Callable[[Sequence[ExamResult], int, str], list[Choice]]


def _drawn(results: Sequence[ExamResult], count: int, seed: str, by: str, reason: str) -> list[Choice]:
    first = sorted(results, key=lambda each: draw(seed, each.problem_id, by))[:count]
    taken = {each.problem_id for each in first}
    return [Choice(each.problem_id, by, reason) for each in results if each.problem_id in taken]


def wrong(results: Sequence[ExamResult], count: int, seed: str) -> list[Choice]:
    return _drawn([each for each in results if not any(each.right)], count, seed, "wrong", "all samples are wrong")


def reachable(results: Sequence[ExamResult], count: int, seed: str) -> list[Choice]:
    some = [each for each in results if any(each.right) and not all(each.right)]
    return _drawn(some, count, seed, "reachable", "some samples are right")


def random(results: Sequence[ExamResult], count: int, seed: str) -> list[Choice]:
    return _drawn(results, count, seed, "random", "drawn")


CHOOSERS: tuple[tuple[str, Chooser], ...] = (("wrong", wrong), ("reachable", reachable), ("random", random))


def choose(results: Sequence[ExamResult], chooser: Chooser, count: int, rehearsal: float, seed: str) -> list[Choice]:
    mastered = [each for each in results if all(each.right)]
    kept = _drawn(mastered, round(rehearsal * count), seed, "rehearsal", "all samples are right")
    chosen = {each.problem_id: each for each in (*chooser(results, count - len(kept), seed), *kept)}
    return [chosen[each.problem_id] for each in results if each.problem_id in chosen]
