"""The training of a round: a method of `errata train` on the lesson, on from the student that the round starts from.

A training that diverges leaves `diverged.json` beside what it has written, and the school repeats it at half the rate.
A lesson that it can learn nothing from leaves `nothing.json` alone, and the school ends.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from errata.errors import EXIT_DONE, Diverged, ErrataError, NothingToLearn
from errata.evals.results import write_json
from errata.graphs.stage import roles_of
from errata.runs.recipe import SynthRecipe
from errata.school.nodes.lesson import lesson_data, recipe_in
from errata.school.places import Places, Task, places
from errata.school.recipe import SchoolRecipe
from errata.steps.settings import method_beside

DIVERGED = "diverged.json"
NOTHING = "nothing.json"
SELF = "self"
"""The role of the student's own right answers."""


def train(school: SchoolRecipe, task: Task) -> int:
    """Trains, or goes on with a training; the exit code.

    Raises ErrataError where it fails, but for divergence and a lesson that leaves nothing to learn from.
    """
    from errata.school.divergence import Divergence
    from errata.school.schooling import write_schooling
    from errata.training.checkpoints import manifest_of
    from errata.training.job import main

    out = places(school, task.round).student(task.again)
    if (out / DIVERGED).exists() or (out / NOTHING).exists():
        return EXIT_DONE
    code = EXIT_DONE
    if manifest_of(out).get("status") != "finished":
        try:
            code = main(
                method_beside(school.folder, school.train.method),
                words(school, task),
                [Divergence(school.stop.divergence)],
            )
        except Diverged as error:
            return _leave(error, out / DIVERGED)
        except NothingToLearn as error:
            return _leave(error, out / NOTHING)
    if code == EXIT_DONE:
        write_schooling(out, task.student)
    return code


def _leave(error: ErrataError, file: Path) -> int:
    """Writes what ended a training for the school, which knows what to do; the exit code."""
    print(error, flush=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, {"found": error.found, "why": error.why})
    return EXIT_DONE


def has_diverged(here: Places, again: bool) -> bool:
    return (here.student(again) / DIVERGED).exists()


def nothing_learned(here: Places, again: bool) -> str | None:
    """Why the lesson leaves nothing to learn from; None where it leaves something."""
    file = here.student(again) / NOTHING
    return str(orjson.loads(file.read_bytes())["found"]) if file.exists() else None


def words(school: SchoolRecipe, task: Task) -> list[str]:
    """The flags of the training, as `errata train METHOD` takes them."""
    return [word for key, value in flags(school, task).items() for word in (f"--{key}", *_words(value))]


def flags(school: SchoolRecipe, task: Task) -> dict[str, Any]:
    """By name; of a repeated training with half the learning rate."""
    here = places(school, task.round)
    own = dict(school.train.flags)
    if task.again:
        own["learning_rate"] = rate_of(school, task._replace(again=False)) / 2
    config = {"config": str(school.folder / school.train.config)} if school.train.config else {}
    data, folder = lesson_data(school, task, only=here.choices)
    roles = roles_taught(school, recipe_in(data, folder, school))
    return config | {
        "dataset_name": [str(here.lesson)],
        "output_dir": str(here.student(task.again)),
        "model_name_or_path": task.student,
        "seed": school.seed + task.round,
        **({"roles": roles} if roles else {}),
        **own,
        "resume_from_checkpoint": "auto",
    }


def roles_taught(school: SchoolRecipe, recipe: SynthRecipe) -> list[str]:
    """The roles whose rationales are learned from; none named: all but the student's own."""
    if school.teach == "teachers":
        return []
    return [SELF] if school.teach == "self" else [*roles_of(recipe.pipeline), SELF]


def rate_of(school: SchoolRecipe, task: Task) -> float:
    """The learning rate of a training, by its flags, its file or the method's default."""
    from errata.training.parse_args import parse

    arguments = parse(method_beside(school.folder, school.train.method), words(school, task))
    return float(arguments.training.learning_rate)


def check_flags(school: SchoolRecipe, task: Task) -> None:
    """Raises UsageError for a method or flags that no training takes, before a lesson is paid for it."""
    rate_of(school, task)


def _words(value: Any) -> list[str]:
    if isinstance(value, list):
        return [word for each in value for word in _words(each)]
    return [str(value).lower() if isinstance(value, bool) else str(value)]
