"""A recipe in another verb's place is called by its name, whichever of both it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from errata.config.recipe_kinds import verb_of
from errata.config.yaml_file import read_mapping
from errata.errors import UsageError
from errata.evals.recipe import load_eval_recipe
from errata.runs.recipe import load_recipe
from errata.school.recipe import load_school
from errata.studies.recipe import load_study

RECIPES = Path(__file__).parents[2] / "recipes"
SHIPPED = {
    "synth": "lesson.yaml",
    "study": "study/svamp/recipe.yaml",
    "school": "school/classroom.yaml",
    "eval": "eval/tasks.yaml",
    "train": "train/sft.yaml",
}
LOADERS: dict[str, Callable[[Path], Any]] = {
    "synth": load_recipe,
    "study": load_study,
    "school": load_school,
    "eval": load_eval_recipe,
}


@pytest.mark.parametrize("verb", LOADERS)
@pytest.mark.parametrize("other", SHIPPED)
def test_a_recipe_of_another_verb_is_named(verb: str, other: str) -> None:
    file = RECIPES / SHIPPED[other]
    assert verb_of(read_mapping(file)) == other
    if verb == other:
        LOADERS[verb](file)
        return
    run = f"run errata {other} " if other != "train" else "run errata train METHOD --config "
    with pytest.raises(UsageError, match=f"is a recipe of `errata {other}`(.|\n)*{run}{file}"):
        LOADERS[verb](file)


def test_a_recipe_of_no_verb_is_left_to_its_loader() -> None:
    assert verb_of({"problems": {}}) is None
