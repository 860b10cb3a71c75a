"""What would go wrong at a lesson's first call, found before any step of the study is begun."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from errata.cli_helpers import say_destinations
from errata.llm.preflight import check, check_access
from errata.runs.recipe import SynthRecipe, recipe_of
from errata.runs.recipe import check as checked
from errata.studies.recipe import StudyRecipe
from errata.studies.steps import Step
from errata.studies.work import lesson_data


def lesson_of(study: StudyRecipe, step: Step) -> SynthRecipe:
    """The recipe of a lesson's step. Raises UsageError where it cannot be right."""
    data, folder = lesson_data(study, step)
    return checked(recipe_of(data, folder, str(folder / study.name)))


def check_lessons(
    study: StudyRecipe, steps: Iterable[Step], say: Callable[[str], None], trusted: Sequence[str] = ()
) -> None:
    """Says whom the lessons ask with which key; of each lesson, one seed speaks for all.

    Raises UsageError for a lesson whose agents cannot be asked, and where a provider's own key would go to another host
    than its own or a trusted one.
    """
    lessons = {step.part: step for step in steps if step.kind == "lesson"}
    for step in lessons.values():
        recipe = lesson_of(study, step)
        say_destinations(recipe.agents.everyone, trusted, say, f"{step.part} ")
        check(recipe.agents, recipe.budget)
        check_access(recipe.callees)
