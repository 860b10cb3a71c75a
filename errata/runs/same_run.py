"""Refusals of a run directory that holds something else: transcripts of another recipe, other prompts or other code."""

from __future__ import annotations

from collections.abc import Mapping

from errata.agents.prompts import Prompts
from errata.config.code import Code
from errata.errors import UsageError
from errata.runs.recipe import SynthRecipe
from errata.runs.run_dir import RunDir
from errata.runs.saved_recipe import refuse_other_recipe


def refuse_another(directory: RunDir, recipe: SynthRecipe, prompts: Prompts) -> None:
    """Raises UsageError where the run directory holds transcripts of another recipe, other prompts or other code."""
    refuse_other_recipe(directory.recipe, recipe)
    refuse_other_prompts(directory, prompts)
    refuse_other_code(directory, recipe.code)


def refuse_other_prompts(directory: RunDir, prompts: Prompts) -> None:
    """Raises UsageError where the run directory's problems were asked with other prompt texts."""
    there, here = directory.manifest().get("prompts", {}), prompts.hashes()
    # others came with a later errata, for stages that this recipe does not have
    known = {name.partition("@")[0] for name in there}
    differing = (name for name in there.keys() | here.keys() if there.get(name) != here.get(name))
    changed = sorted(name for name in differing if name.partition("@")[0] in known)
    if changed:
        raise UsageError(
            f"{directory.path} was run with other texts of {', '.join(changed)}",
            "one run directory holds the transcripts of one recipe and its prompts",
            "give this run a name of its own: name=..., or restore the prompts",
        )


def refuse_other_code(directory: RunDir, code: Mapping[str, Code]) -> None:
    """Raises UsageError where the run directory's problems ran through other code of one's own."""
    there = directory.manifest().get("code", {})
    changed = [name for name, known in there.items() if name in code and known.get("sha256") != code[name].sha256]
    if changed:
        raise UsageError(
            f"{directory.path} was run with another {', '.join(changed)}",
            "the file has changed since, and one run directory holds the transcripts of one code",
            "give this run a name of its own: name=..., or restore the file",
        )
