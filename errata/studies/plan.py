"""What a study will take and could show, before anything runs: steps, time, calls, cost, and each claim's reach.

What is not measured yet is assumed, and said: how far the trainings of several seeds lie apart, and on how many items
arm and control differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt
from typing import Any

from errata.errors import UsageError
from errata.evals.claims import side_words
from errata.evals.evidence import ALPHA, POWER, noncentrality
from errata.steps.record import hours, read_record
from errata.studies.recipe import StudyRecipe
from errata.studies.record import done, seconds_left
from errata.studies.run import by_default
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


def could_show(seeds: int, items: int, claims: int, shared: bool, assumed: Assumptions) -> float:
    """The smallest difference that so many seeds and items show with a power of 80 %, corrected for all claims.

    The standard error is that of a mean over seeds; on shared items the lasting part of an item's variance does not
    shrink with more seeds, and the degrees of freedom are Satterthwaite's for the two parts. One seed speaks of its own
    trainings alone, so that only the items count.
    """
    per_item = assumed.discordant / items
    if seeds == 1:
        return noncentrality(max(items - 1, 1), ALPHA / claims, POWER) * sqrt(per_item)
    lasting = assumed.lasting * per_item if shared else 0.0
    varying = (assumed.seed_sd**2 + per_item - lasting) / seeds
    freedom = (varying + lasting) ** 2 / (varying**2 / (seeds - 1) + lasting**2 / max(items - 1, 1))
    return noncentrality(freedom, ALPHA / claims, POWER) * sqrt(varying + lasting)


def seeds_for(aim: float, items: int, claims: int, shared: bool, assumed: Assumptions) -> int | None:
    """How many seeds would show the difference; None where not even MOST_SEEDS would."""
    enough = (n for n in range(2, MOST_SEEDS + 1) if could_show(n, items, claims, shared, assumed) <= aim)
    return next(enough, None)


def plan_study(study: StudyRecipe, assume: Sequence[str] = ()) -> dict[str, Any]:
    """The plan of a study as `errata plan` prints it. Raises UsageError. Makes no call."""
    assumed = assumptions_of(assume)
    steps, record = steps_of(study), read_record(study.home)
    finished = done(steps, record)
    pending = steps.keys() - finished
    items = _items(study, steps)
    together = study.together or by_default()
    return {
        "study": study.name,
        "steps": {
            kind: {"all": number, "done": sum(steps[name].kind == kind for name in finished)}
            for kind, number in Counter(step.kind for step in steps.values()).items()
        },
        "together": together,
        "hours": {
            "spent": round(hours(record), 2),
            "left": _in_hours(seconds_left(steps, pending, record, together)),
            "budget": study.budget.hours,
        },
        "lessons": list(_lessons(study, steps)),
        "schools": list(plan_schools(study, steps)),
        "items": items,
        "claims": [
            {
                "name": claim.name,
                "arm": side_words(*claim.sides[0]),
                "control": side_words(*claim.sides[1]),
                "task": (task := claim.task or next(iter(study.evals.tasks))),
                "could_show": could_show(
                    len(study.seeds), items[task], len(study.claims), not study.evals.vary, assumed
                ),
                "seeds_for_2_points": seeds_for(AIM, items[task], len(study.claims), not study.evals.vary, assumed),
            }
            for claim in study.claims
        ],
        "assumptions": asdict(assumed),
    }


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
