"""The lesson of a round: an ordinary recipe of `errata synth` on what was chosen, with the student as it is.

Its exam repeats the answers that the student has given in the round's exam, which are stored: it asks nothing anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from errata.config.yaml_file import read_mapping
from errata.runs.recipe import SynthRecipe, check, recipe_of
from errata.school.places import STUDENT, Task, places, store
from errata.school.recipe import SchoolRecipe
from errata.steps.lessons import run_lesson


def lesson(school: SchoolRecipe, task: Task) -> int:
    """Runs the lesson, or goes on with it. Raises ErrataError."""
    here = places(school, task.round)
    data, folder = lesson_data(school, task, only=here.choices)
    recipe = recipe_in(data, folder, school)
    return run_lesson(recipe)


def recipe_in(data: dict[str, Any], folder: Path, school: SchoolRecipe) -> SynthRecipe:
    """The lesson's recipe. Raises UsageError where it cannot be right."""
    return check(recipe_of(data, folder, f"{folder / school.name}: lesson"))


def lesson_data(school: SchoolRecipe, task: Task, only: Path | None = None) -> tuple[dict[str, Any], Path]:
    """The lesson's recipe as plain data, and the folder of the files that it names.

    Args:
        only: the file that names what is taught; None: all that may be, as a plan looks at it.
    """
    data, folder = written_lesson(school)
    here = places(school, task.round)
    data |= {"name": here.lesson.name, "runs": str(here.folder), "store": store(school), "seed": school.seed}
    data["problems"] = school.data.model_dump(mode="json", exclude={"limit"}) | ({"only": str(only)} if only else {})
    data["limit"] = school.choose.count
    data.setdefault("agents", {})["student"] = _student(school, task)
    data.setdefault("settings", {})["exam"] = _exam(school)
    data["budget"] = _least(data.get("budget") or {}, {"usd": task.usd, "tokens": task.tokens})
    if school.teach == "self":
        data |= {"graph": "exam", "stages": None}
    elif school.teach == "both" and data.get("stages") and "exam" not in data["stages"]:
        data["stages"] = ["exam", *data["stages"]]
    return data, folder


def written_lesson(school: SchoolRecipe) -> tuple[dict[str, Any], Path]:
    """The lesson's recipe as it is written, and its folder."""
    if isinstance(school.lesson, str):
        file = school.folder / school.lesson
        return read_mapping(file), file.parent
    return deepcopy(school.lesson), school.folder


def _student(school: SchoolRecipe, task: Task) -> dict[str, Any]:
    """The student, asked as in its exam, so that its answers are those that are stored."""
    agent = {"name": STUDENT, "model": f"local/{task.student}", "extra": {"stop_at_answer": True}, "tries": 1}
    return agent | school.student.as_agent


def _exam(school: SchoolRecipe) -> dict[str, Any]:
    sampling = school.exam.model_dump(exclude={"samples"}, exclude_none=True)
    return {"samples": school.exam.samples, "sampling": sampling}


def _least(own: Mapping[str, Any], left: Mapping[str, Any]) -> dict[str, Any]:
    """The lesson's own budget, nowhere above what is left of the school's."""
    limits = {key: [each for each in (own.get(key), left[key]) if each is not None] for key in left}
    return {**own, **{key: min(both) for key, both in limits.items() if both}}
