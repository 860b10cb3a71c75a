"""What a school will take, before anything runs: rounds, calls, teacher tokens, cost, and time as far as it is known.

A round's lesson is estimated as `errata plan` of an ordinary recipe does it, on the number of problems that are chosen.
Once rounds are done, what they took says what the next will take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from errata.runs.plan.estimate import estimate
from errata.school.nodes.lesson import lesson_data, recipe_in
from errata.school.places import STUDENT, Task, untouched
from errata.school.preflight import parts_of
from errata.school.recipe import SchoolRecipe
from errata.school.record import Round
from errata.school.run import record_of
from errata.school.stopping import goes_on

RANGE = ("least", "expected", "most")


def plan_school(school: SchoolRecipe, assume: Sequence[str] = ()) -> dict[str, Any]:
    """The plan of a school as `errata plan` prints it. Raises UsageError. Makes no call."""
    parts = parts_of(school)
    record = record_of(school)
    done = [each for each in record.rounds if each.gain is not None]
    chosen = min(school.choose.count, len(parts.taught))
    lesson = _of_lesson(school, assume)
    judged = sum(len(task.problems) for task in parts.judge)
    following = measured(done)
    left = max(0, school.rounds - len(done)) if goes_on(record, school.stop, school.rounds) else 0
    return {
        "school": school.name,
        "problems": {"taught": len(parts.taught), "chosen": chosen, "judge": judged},
        "rounds": {"all": school.rounds, "done": len(done), "left": left, "stopped": record.stopped},
        "round": {**lesson, "own_answers": len(parts.taught) * school.exam.samples + judged * _samples(school)},
        "left": _left(lesson, following, left),
        "next": following if left else None,
        "spent": _spent(record.rounds, record.start.hours),
        "budget": school.budget.model_dump(),
        "notes": [*parts.notes, *_over_budget(school, lesson, following, left, record.rounds)],
    }


def _samples(school: SchoolRecipe) -> int:
    return school.judge.decoding.samples


def _of_lesson(school: SchoolRecipe, assume: Sequence[str]) -> dict[str, Any]:
    """What a lesson on as many problems as are chosen pays to others than the student.

    The student's answers are stored, and recorded replies are no calls.
    """
    recipe = recipe_in(*lesson_data(school, Task("lesson", 1, untouched(school))), school)
    unpaid = {STUDENT} | {each.name for each in recipe.agents.everyone if each.recorded}
    paid = [amounts for name, amounts in estimate(recipe, assume=assume)["agents"].items() if name not in unpaid]
    return {
        name: {amount: _sum([each[key][amount] for each in paid]) for amount in RANGE}
        for name, key in (("teacher_calls", "calls"), ("teacher_tokens", "tokens"), ("cost_usd", "cost_usd"))
    }


def _sum(amounts: Sequence[float | None]) -> float | None:
    """None where one of them is unknown."""
    known_ones = [each for each in amounts if each is not None]
    return round(sum(known_ones), 6) if len(known_ones) == len(amounts) else None


def measured(done: Sequence[Round]) -> dict[str, Any] | None:
    """What the next round takes if it is like the mean of those that are done; None where none is."""
    if not done:
        return None
    dollars = [each.dollars for each in done]
    mean_dollars = _sum(dollars)
    return {
        "teacher_tokens": round(sum(each.teacher_tokens for each in done) / len(done)),
        "own_tokens": round(sum(each.own_tokens for each in done) / len(done)),
        "dollars": None if mean_dollars is None else round(mean_dollars / len(done), 6),
        "hours": round(sum(each.hours for each in done) / len(done), 4),
    }


def _left(lesson: Mapping[str, Any], following: Mapping[str, Any] | None, rounds: int) -> dict[str, Any]:
    """Over the rounds that are left: the estimate, what is expected by what is measured where something is."""
    left: dict[str, Any] = {
        name: {amount: _times(value, rounds) for amount, value in lesson[name].items()} for name in lesson
    }
    if following is not None:
        left["teacher_tokens"]["expected"] = following["teacher_tokens"] * rounds
        left["cost_usd"]["expected"] = _times(following["dollars"], rounds)
    return left | {"hours": None if following is None else round(following["hours"] * rounds, 4)}


def _times(value: float | None, rounds: int) -> float | None:
    return None if value is None else round(value * rounds, 6)


def _spent(rounds: Sequence[Round], start_hours: float) -> dict[str, Any]:
    return {
        "teacher_tokens": sum(each.teacher_tokens for each in rounds),
        "own_tokens": sum(each.own_tokens for each in rounds),
        "dollars": _sum([each.dollars for each in rounds]),
        "hours": round(start_hours + sum(each.hours for each in rounds), 4),
    }


def _over_budget(
    school: SchoolRecipe,
    lesson: Mapping[str, Any],
    following: Mapping[str, Any] | None,
    rounds: int,
    before: Sequence[Round],
) -> list[str]:
    """Which budgets will not do, by what is spent and what is expected of the rounds that are left."""
    spent, left = _spent(before, 0.0), _left(lesson, following, rounds)
    ahead = {
        "dollars": left["cost_usd"]["expected"],
        "teacher_tokens": left["teacher_tokens"]["expected"],
        "hours": left["hours"],
    }
    notes = []
    for unit, more in ahead.items():
        limit = getattr(school.budget, unit)
        if limit is not None and more is not None and (spent[unit] or 0) + more > limit:
            in_all = (spent[unit] or 0) + more
            notes.append(f"budget.{unit} is {limit:g}, and {in_all:.6g} is expected: the school would stop on the way")
    return notes
