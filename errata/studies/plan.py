"""What a study will take and could show, before anything runs: steps, time, calls, cost, and each claim's reach.

What is not measured yet is assumed, and said: how far the trainings of several seeds lie apart, and on how many items
arm and control differ.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from math import sqrt
from typing import Any

from errata.errors import UsageError
from errata.evals.claims import side_words
from errata.evals.evidence import ALPHA, POWER, noncentrality
from errata.evals.recipe import Decoding
from errata.evals.two_parts import detectable_parts, parts_of
from errata.steps.record import hours, read_record
from errata.studies.preflight import missing_places
from errata.studies.recipe import StudyRecipe
from errata.studies.record import seconds_left
from errata.studies.results import claims_of
from errata.studies.run import by_default, finished
from errata.studies.schools import plan_schools
from errata.studies.steps import Step, steps_of
from errata.studies.work import eval_data

AIM = 0.02
"""The difference that is asked how many seeds would show it."""
MOST_SEEDS = 200


@dataclass(frozen=True)
class Assumptions:
    """Of the difference between arm and control, as shares of 1.

    seed_sd: its standard deviation over seeds beyond what the items make. discordant: items that only one of the two
    has right, in one seed. lasting: the part of that variance that stays with an item in every seed, where seeds share
    items.
    """

    seed_sd: float = 0.015
    discordant: float = 0.2
    lasting: float = 0.3


def assumptions_of(texts: Sequence[str]) -> Assumptions:
    """The assumptions with those given as `name=share`. Raises UsageError."""
    known = asdict(Assumptions())
    given = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            given[name] = float(value)
        except ValueError:
            given[name] = -1.0
        if name not in known or not 0 <= given[name] <= 1:
            raise UsageError(
                f"--assume {text}", "of a study it is one of these, a share from 0 to 1", f"known: {', '.join(known)}"
            )
    return replace(Assumptions(), **given)


@cache
def could_show(seeds: int, items: int, claims: int, shared: bool, assumed: Assumptions) -> float:
    """The smallest difference that so many seeds and items show with a power of 80 %, corrected for all claims.

    By the methods by which the claims are judged (evals/measure.py): Student's t over seeds that have items of their
    own; on shared items the lasting part of an item's variance does not shrink with more seeds (evals/two_parts.py).
    One seed speaks of its own trainings alone, so that only the items count.
    """
    per_item, alpha = assumed.discordant / items, ALPHA / claims
    if seeds == 1:
        return noncentrality(max(items - 1, 1), alpha, POWER) * sqrt(per_item)
    lasting = assumed.lasting * per_item if shared else 0.0
    varying = (assumed.seed_sd**2 + per_item - lasting) / seeds
    if varying + lasting == 0:
        return 0.0
    if not shared:
        return noncentrality(seeds - 1, alpha, POWER) * sqrt(varying)
    return detectable_parts(parts_of(0.0, varying, lasting, seeds, items), alpha, POWER)


def seeds_for(aim: float, items: int, claims: int, shared: bool, assumed: Assumptions) -> int | None:
    """How many seeds would show the difference; None where not even MOST_SEEDS would."""
    numbers = range(2, MOST_SEEDS + 1)
    place = bisect_left(numbers, True, key=lambda n: could_show(n, items, claims, shared, assumed) <= aim)
    return numbers[place] if place < len(numbers) else None


def plan_study(study: StudyRecipe, assume: Sequence[str] = ()) -> dict[str, Any]:
    """The plan of a study as `errata plan` prints it. Raises UsageError. Makes no call."""
    assumed = assumptions_of(assume)
    steps, record = steps_of(study), read_record(study.home)
    there = finished(study, steps, record)
    pending = steps.keys() - there
    items = _items(study, steps)
    together = study.together or by_default()
    lessons, schools = list(_lessons(study, steps)), list(plan_schools(study, steps))
    return {
        "study": study.name,
        "steps": {
            kind: {"all": number, "done": sum(steps[name].kind == kind for name in there)}
            for kind, number in Counter(step.kind for step in steps.values()).items()
        },
        "together": together,
        "hours": {
            "spent": round(hours(record), 2),
            "left": _in_hours(seconds_left(steps, pending, record, together)),
            "budget": study.budget.hours,
        },
        "lessons": lessons,
        "schools": schools,
        "items": items,
        "answers": _answers(study, items),
        "optimizer_steps": _optimizer_steps(study),
        "cost_usd": _cost(lessons, schools),
        "claims": list(_claims(study, items, assumed)),
        "assumptions": asdict(assumed),
        "notes": [f"{each.found}; {each.do}" for each in missing_places(study)],
    }


def _claims(study: StudyRecipe, items: dict[str, int], assumed: Assumptions) -> Iterator[dict[str, Any]]:
    """Every claim of every student, which are one family, and what it could show."""
    family = claims_of(study)
    for name, (claim, compared) in family.items():
        task = claim.task or next(iter(study.evals.tasks))
        sizes = items[task], len(family), not study.evals.vary, assumed
        yield {
            "name": name,
            "arm": side_words(*compared.sides[0]),
            "control": side_words(*compared.sides[1]),
            "task": task,
            "could_show": reach if (reach := could_show(len(study.seeds), *sizes)) <= 1 else None,
            "seeds_for_2_points": seeds_for(AIM, *sizes),
        }


def _answers(study: StudyRecipe, items: Mapping[str, int]) -> int:
    """Answers that all evals decode, samples counted one by one; decodings that draw alike share theirs."""
    decodings = [Decoding.model_validate(each) for each in study.evals.decodings.values()]
    drawn = {(each.sampling, each.samples, each.stop): each.samples for each in decodings}
    per_arm = sum(items.values()) * sum(drawn.values())
    return per_arm * (len(study.judged) + 1) * len(study.seeds) * len(study.students)


def _optimizer_steps(study: StudyRecipe) -> int | None:
    """Of all trainings; None where one does not say by `max_steps` how many it takes, or is a school's."""
    steps = [
        None if arm.school is not None else (study.training | arm.flags).get("max_steps") for arm in study.arms.values()
    ]
    known = [each for each in steps if isinstance(each, int) and each > 0]
    return sum(known) * len(study.seeds) * len(study.students) if len(known) == len(steps) else None


def _cost(lessons: Sequence[Mapping[str, Any]], schools: Sequence[Mapping[str, Any]]) -> float | None:
    """Dollars of all lessons and schools; None where a price is not known."""
    costs = [(each.get("cost_usd"), each["runs"]) for each in (*lessons, *schools)]
    return sum(cost * runs for cost, runs in costs) if all(cost is not None for cost, _ in costs) else None


def _in_hours(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 3600, 2)


def _items(study: StudyRecipe, steps: dict[str, Step]) -> dict[str, int]:
    """Items of one seed, by task. Raises UsageError for a task that cannot be read."""
    from errata.config.code import Loader
    from errata.config.overrides import validate
    from errata.evals.recipe import EvalRecipe
    from errata.evals.tasks import read_task

    step = next(step for step in steps.values() if step.kind == "eval")
    recipe = validate(EvalRecipe, eval_data(study, step, arms=()), (), study.name, Loader(study.folder).load)
    return {name: len(read_task(name, task).problems) for name, task in recipe.tasks.items()}


def _lessons(study: StudyRecipe, steps: dict[str, Step]) -> list[dict[str, Any]]:
    """Of each lesson, how often it is run and what is expected of one run: calls, tokens, dollars."""
    from errata.runs.plan.estimate import estimate
    from errata.studies.preflight import lesson_of

    lessons: dict[str, dict[str, Any]] = {}
    for step in steps.values():
        if step.kind != "lesson":
            continue
        if step.part not in lessons:
            planned = estimate(lesson_of(study, step))
            totals = {key: planned[key]["expected"] for key in ("calls", "tokens", "cost_usd") if planned.get(key)}
            refused = [note for note in planned["notes"] if "would refuse" in note]
            lessons[step.part] = {
                "name": step.part,
                "runs": 0,
                "problems": planned["problems"],
                **totals,
                "refused": refused,
            }
        lessons[step.part]["runs"] += 1
    return list(lessons.values())
