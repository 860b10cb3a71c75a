"""The recipe that a school keeps, so that no school goes on as another than it began."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import yaml

from errata.config.code import Code
from errata.config.files import write_whole
from errata.config.overrides import MOST_FAULTS, short
from errata.config.yaml_file import read_mapping
from errata.errors import UsageError
from errata.runs.recipe import CHANGEABLE_OF_AGENT
from errata.runs.saved_recipe import at, differing
from errata.school.nodes.lesson import written_lesson
from errata.school.recipe import SchoolRecipe

FILE = "recipe.yaml"
CHANGEABLE = ("runs", "rounds", "budget", "stop", "concurrency")
"""What may differ between the commands of one school; of the lesson's agents see errata.runs.recipe."""
OF_LESSON = ("budget", "concurrency")
"""The same of its lesson."""
FILES = "files"
"""Under which the hashes of code of one's own and of the training's file are saved."""


def plain_recipe(school: SchoolRecipe, code: Mapping[str, Code]) -> dict[str, Any]:
    """The recipe as plain data, its lesson written out, with the hashes of the files that it names."""
    plain = school.model_dump(mode="json")
    if school.choose.like is None:
        del plain["choose"]["like"]  # schools begun before there was this key go on
    if not school.student.extra:
        del plain["student"]["extra"]  # those begun before this one too
    plain["lesson"] = written_lesson(school)[0] if school.lesson else {}
    files = {name: each.sha256 for name, each in code.items()}
    if school.train.config:
        files[school.train.config] = _hash(school)
    return plain | {FILES: files}


def _hash(school: SchoolRecipe) -> str:
    file = school.folder / str(school.train.config)
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise UsageError(
            f"train.config: {file}: {error.strerror or error}", "the training's flags stand in it", "check the path"
        ) from error


def unchangeable(plain: Mapping[str, Any]) -> dict[str, Any]:
    """What of a saved recipe may not differ between the commands of one school."""
    rest = {key: value for key, value in plain.items() if key not in CHANGEABLE}
    lesson = {key: value for key, value in plain["lesson"].items() if key not in OF_LESSON}
    if isinstance(lesson.get("agents"), dict):
        agents = {who: agent for who, agent in lesson["agents"].items() if who != "standby"}
        lesson["agents"] = _without_manners(agents)
    return rest | {"lesson": lesson}


def _without_manners(agents: Any) -> Any:
    """Agents without how they are reached, paid and replaced, which changes no reply."""
    if isinstance(agents, list):
        return [_without_manners(each) for each in agents]
    if not isinstance(agents, dict):
        return agents
    left_out = CHANGEABLE_OF_AGENT if "model" in agents else set[str]()
    return {key: _without_manners(value) for key, value in agents.items() if key not in left_out}


def save(school: SchoolRecipe, plain: Mapping[str, Any]) -> None:
    """Writes the recipe into the school's folder."""
    text = yaml.safe_dump(dict(plain), sort_keys=False, allow_unicode=True, width=120)
    write_whole(school.home / FILE, text.encode())


def refuse_another(school: SchoolRecipe, plain: Mapping[str, Any]) -> None:
    """Raises UsageError where the school in the folder is that of another recipe, with what has changed."""
    saved = school.home / FILE
    if not saved.exists():
        return
    there, here = unchangeable(read_mapping(saved)), unchangeable(plain)
    files = there.pop(FILES, {}), here.pop(FILES)
    changes = [
        f"{path} is {short(at(there, path))} there, {short(at(here, path))} here" for path in differing(there, here)
    ]
    changes += [f"{name} is another file than it was" for name in files[0] if files[0][name] != files[1].get(name)]
    if changes:
        raise UsageError(
            f"{school.home} holds a school of another recipe: {'; '.join(changes[:MOST_FAULTS])}"
            f"{'; ...' * (len(changes) > MOST_FAULTS)}",
            "its rounds were made by that recipe, and the next ones would be by this",
            f"give this school a name of its own: name=..., or restore the recipe ({saved})",
        )
