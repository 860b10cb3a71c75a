"""A recipe on its way to another process: its YAML, and where its own code lies.

The model of a recipe has a section per stage and is made where it is loaded, so that it cannot be pickled. Files of
one's own code, like prompts, are read from the same folder on every machine.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from errata.config.code import is_reference
from errata.config.yaml_file import parse_yaml
from errata.errors import UsageError
from errata.runs.recipe import SynthRecipe, check, recipe_of
from errata.runs.saved_recipe import dump_recipe


class PackedRecipe(NamedTuple):
    """A recipe as it travels between processes."""

    yaml: str
    folder: str
    """Where files of one's own code are looked for."""


def pack(recipe: SynthRecipe) -> PackedRecipe:
    """The recipe for another process. Raises UsageError where its own parts have no name to load them by again."""
    own = [name for name, code in recipe.code.items() if code.sha256 is None or not is_reference(name)]
    if own:
        raise UsageError(
            f"{', '.join(own)} cannot be sent to workers",
            "a worker loads code of one's own by its name",
            "name it in the recipe: my_parts.py:NAME, a file beside it",
        )
    return PackedRecipe(dump_recipe(recipe), os.path.abspath(recipe.folder))


def unpack(packed: PackedRecipe) -> SynthRecipe:
    """The recipe again, with its own code loaded. Raises UsageError where that is not there."""
    return check(recipe_of(parse_yaml(packed.yaml, "the recipe"), Path(packed.folder), "the recipe"))
