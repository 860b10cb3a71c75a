"""What a step is made from beside the study's own text: the files that it names and the models that variables name.

A recipe tells one `lesson.yaml`, prompt, checkpoint or `${MODEL}` from another by its name alone. The hash of what
stands there is kept with a step, so that a study does not go on with another under the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from errata.config.env import expand
from errata.config.files import content_hash
from errata.config.yaml_file import read_mapping
from errata.errors import UsageError
from errata.models.files import find
from errata.records import digest
from errata.school.saved import OF_LESSON
from errata.studies.recipe import UNTOUCHED, StudyRecipe
from errata.studies.schools import school_data, spec_of
from errata.studies.steps import Step, label_of
from errata.studies.work import lesson_data

MODEL = "model"
FILE_KEYS = frozenset({"source", "file", "prompts", "lesson", "config", "only", "paths", MODEL})
"""Keys of recipes that name files, folders or models."""
_CODE = re.compile(r"(?P<file>.+\.py):[A-Za-z_]\w*")
_OF_FOLDER = ("*.md", "transcripts.jsonl", "marks.jsonl")
"""What of a folder is read: prompts, or the log of a run and a person's marks."""


def contents_of(study: StudyRecipe, step: Step) -> str:
    """A hash of what the step reads from elsewhere; equal as long as nothing of it changes.

    Raises UsageError where a recipe that the study names cannot be read.
    """
    read = list(_read_by(study, step))
    return digest([each.text for each in read], [part for each in read for part in _parts(each.data, each.folder)])


class _Read(NamedTuple):
    """Plain data, the folder beside which the files that it names are looked for, and what of it counts itself."""

    data: Any
    folder: Path
    text: Any = None


def _read_by(study: StudyRecipe, step: Step) -> Iterator[_Read]:
    student = study.students[step.student]
    base = {MODEL: student.model} if student.pretrain is None else {}
    match step.kind:
        case "lesson":
            spec = study.data[step.part]
            data, folder = lesson_data(study, step)
            agents = {who: agent for who, agent in data.get("agents", {}).items() if who != "student"}
            yield _Read([data | {"agents": agents}, base if spec.sits_exam else {}], folder)
            if isinstance(spec.recipe, str):
                yield _of_file(study.folder / spec.recipe)
        case "train":
            arm = study.arms[step.part]
            paths = study.data[study.data_of(step.part)].paths
            yield _Read([arm.flags, study.training, {"paths": paths}, base], Path())
            yield _Read(arm.method, study.folder)
        case "school":
            data, file = school_data(study, step)
            yield _Read(data | {"student": base}, file.parent)
            if isinstance(spec_of(study).recipe, str):
                yield _of_file(file)
            if isinstance(data.get("lesson"), str):
                yield _of_file(file.parent / data["lesson"])
        case "eval":
            names = [label_of(study, step.student, arm) for arm in (UNTOUCHED, *study.judged)]
            yield _Read([study.evals.tasks, study.evals.decodings, base], study.folder, names)
        case "pretrain":
            pass


def _of_file(file: Path) -> _Read:
    """A recipe in a file of its own."""
    data = read_mapping(file)
    return _Read(data, file.parent, {key: value for key, value in data.items() if key not in OF_LESSON})


def _parts(value: Any, folder: Path, key: str = "") -> Iterator[str]:
    """The hash of every file that plain data names, and every text of a model with its variables filled in."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _parts(inner, folder, str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _parts(inner, folder, key)
    elif isinstance(value, str):
        yield from _of_text(value, folder, key)


def _of_text(text: str, folder: Path, key: str) -> Iterator[str]:
    if code := _CODE.fullmatch(text):
        yield from _hashes(folder / code["file"])
    elif key in FILE_KEYS:
        with suppress(UsageError):  # of an unset variable: what needs it says so
            text = expand(text)
        place = Path(text.removeprefix("local/")).expanduser()
        hashes = [each for at in dict.fromkeys((place, folder / place)) for each in _hashes(at, key)]
        yield from hashes or ([text] if key == MODEL else [])


def _hashes(place: Path, key: str = "") -> list[str]:
    """Of a file, a checkpoint, or what of a folder counts; nothing where there is none."""
    try:
        if key == MODEL:
            return [find(str(place)).fingerprint()] if place.exists() else []
        if place.is_file():
            return [content_hash(place)]
        files = sorted({each for pattern in _OF_FOLDER for each in place.rglob(pattern)} if place.is_dir() else ())
        return [digest(str(each.relative_to(place)), content_hash(each)) for each in files]
    except (OSError, ValueError, UsageError):  # what reads it says what is wrong with it
        return []
