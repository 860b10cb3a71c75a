"""The recipe that a run directory keeps: written as YAML, read again, and compared with the one at hand.

Reading it runs no code: what must be known of one's own stages stands in the manifest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from errata.config.overrides import MOST_FAULTS, dotted, short, validate
from errata.config.yaml_file import read_mapping, unshared
from errata.errors import UsageError
from errata.graphs.pipeline import SHIPPED, STAGES
from errata.graphs.stage import PipelineSettings
from errata.llm.spec import Sampling
from errata.runs.recipe import CHANGEABLE, CHANGEABLE_OF_AGENT, SynthRecipe, recipe_model


def load_saved_recipe(path: Path) -> SynthRecipe:
    """The recipe in a run directory, to be read and not to be run: no code that it names is loaded.

    Sections of one's own stages are left out; their names stand in `stages`. Recipes of versions that had `stages`
    among the settings are read too. Raises UsageError.
    """
    data = _read(path)
    data.setdefault("name", path.stem)
    known = {*PipelineSettings.model_fields, *(stage.name for stage in SHIPPED)}
    if isinstance(data.get("settings"), dict):
        data["settings"] = {key: value for key, value in data["settings"].items() if key in known}
    return validate(recipe_model(SHIPPED), data, (), str(path))


def _read(path: Path) -> dict[str, Any]:
    """The data of a saved recipe, in the keys of today. Raises UsageError, also of a FIFO: it would be waited for."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no plain file", "a run's recipe is read from it", "remove it, or name another run")
    return upgraded(read_mapping(path))


def stages_run(manifest: Mapping[str, Any], recipe: SynthRecipe) -> tuple[tuple[str, Mapping[str, str]], ...]:
    """The stages of a finished run with the roles that each writes and their use, without loading any code.

    The manifest states them; where it is older or missing, the recipe's shipped stages do.
    """
    stated = manifest.get("stages")
    if isinstance(stated, list):
        return tuple((str(each["name"]), dict(each["roles"])) for each in stated)
    return tuple((stage.name, dict(stage.roles)) for stage in recipe.pipeline)


def upgraded(data: dict[str, Any]) -> dict[str, Any]:
    """The data of a saved recipe with the keys of older versions under their names of today."""
    settings = data.get("settings")
    if isinstance(settings, dict) and "stages" in settings:
        named = settings.pop("stages")
        if named:  # they ran in the order of the graph, not of the list
            data.setdefault("stages", [stage.name for stage in STAGES if stage.name in named])
    return data


# ---- the same run? ---------------------------------------------------------------------------------------------------


def dump_recipe(recipe: SynthRecipe) -> str:
    """The resolved recipe as YAML: every key, but for an agent's decoding parameters where they are left to the stage.

    Loading it gives an equal recipe.
    """
    return yaml.dump(_plain(recipe), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Escapes U+0085, which PyYAML otherwise writes as a line break and reads back as a space."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = '"' if "\x85" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.represent_str)


def differences(old: SynthRecipe, new: SynthRecipe) -> list[str]:
    """Dotted paths at which two recipes differ, apart from what may change between runs of one directory."""
    return [path for path in differing(_plain(old), _plain(new)) if not _changeable(path)]


def refuse_other_recipe(saved: Path, recipe: SynthRecipe) -> None:
    """Raises UsageError where the recipe saved in a run directory is another one; no saved recipe, no objection."""
    if not saved.exists():
        return
    there = validate(type(recipe), _known_sections(_read(saved), recipe), (), str(saved))
    paths = differences(there, recipe)
    if not paths:
        return
    old, new = _plain(there), _plain(recipe)
    changes = [f"{path} is {short(at(old, path))} there, {short(at(new, path))} here" for path in paths[:MOST_FAULTS]]
    raise UsageError(
        f"{saved.parent} holds a run of another recipe: {'; '.join(changes)}{'; ...' * (len(paths) > MOST_FAULTS)}",
        "one run directory holds the transcripts of one recipe",
        f"give this run a name of its own: name=..., or restore the recipe ({saved})",
    )


def _known_sections(data: dict[str, Any], recipe: SynthRecipe) -> dict[str, Any]:
    """Without the settings of own stages that this recipe does not know: its list of stages differs anyway."""
    if isinstance(data.get("settings"), dict):
        known = type(recipe.settings).model_fields
        data["settings"] = {key: value for key, value in data["settings"].items() if key in known}
    return data


def _plain(recipe: SynthRecipe) -> dict[str, Any]:
    data: dict[str, Any] = unshared(recipe.model_dump())
    agents = data["agents"]
    pairs = [(recipe.agents.student, agents["student"])]
    pairs += zip(recipe.agents.teachers, agents["teachers"], strict=True)
    pairs += zip(recipe.agents.reviewers or (), agents["reviewers"] or (), strict=True)
    pairs += zip(recipe.agents.standby, agents["standby"], strict=True)
    for key, specs in recipe.agents.named_others.items():
        plain = agents["others"][key]
        pairs += zip(specs, plain if isinstance(plain, list) else [plain], strict=True)
    for spec, plain in pairs:
        for key in Sampling.model_fields:
            # left out, the stage's value holds; an explicit null means "do not send it"
            if spec is not None and key not in spec.model_fields_set:
                del plain[key]
    return data


def differing(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Dotted paths at which two values of plain data differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*old, *(key for key in new if key not in old)):
            if key not in old or key not in new:
                yield dotted(path, key)
            else:
                yield from differing(old[key], new[key], dotted(path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from differing(left, right, dotted(path, place))
    elif old != new or type(old) is not type(new):
        yield path


def _changeable(path: str) -> bool:
    top, *rest = path.split(".")
    if top == "agents" and rest:
        if rest[0] == "standby":
            return True
        key = rest[1:2] if rest[0] == "student" else rest[2:3]
        return bool(key) and key[0] in CHANGEABLE_OF_AGENT
    return top in CHANGEABLE


def at(value: Any, path: str) -> Any:
    """What stands at a dotted path of plain data; None where it leads nowhere."""
    for part in path.split("."):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (LookupError, ValueError, TypeError):
            return None
    return value
