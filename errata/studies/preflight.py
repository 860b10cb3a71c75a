"""What would go wrong at a step of a study, found before any step of it is begun."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from errata.cli_helpers import say_destinations
from errata.config.env import expand
from errata.config.hub_ids import is_hub_id, nearly_here
from errata.data.readers import KNOWN
from errata.errors import UsageError, did_you_mean
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


def check_places(study: StudyRecipe) -> None:
    """Raises UsageError for a student or data that are not there. What may be on the hub is not asked for."""
    for missing in missing_places(study):
        raise missing


def missing_places(study: StudyRecipe) -> Iterator[UsageError]:
    """The students and data that are not there."""
    for name, student in study.students.items():
        if student.model is not None:
            yield from _missing(f"students.{name}.model", student.model, (".gguf", ".safetensors"), owner=False)
    for name, data in study.data.items():
        for path in data.paths:
            yield from _missing(f"data.{name}.paths", path, KNOWN, owner=True)


def _missing(key: str, text: str, files: tuple[str, ...], owner: bool) -> Iterator[UsageError]:
    place = expand(text)
    if Path(place).expanduser().exists() or is_hub_id(place, owner=owner, files=files):
        return
    folder = Path(place).expanduser().parent
    beside = [nearly_here(place), *map(str, folder.iterdir())] if folder.is_dir() else [nearly_here(place)]
    do = did_you_mean(place, list(filter(None, beside)), "check the path")
    yield UsageError(f"{key}: nothing is at {place}", "a step of the study would fail by it", do)


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
