"""The exam and the judge: evals of the student on what may be taught, on what is never taught, on what it mastered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from errata.config.code import Loader
from errata.config.overrides import validate
from errata.errors import EXIT_DONE
from errata.evals.recipe import EvalRecipe
from errata.school.nodes.train import check_flags
from errata.school.places import (
    AFTER,
    BEFORE,
    EXAM,
    JUDGE,
    MASTERED,
    STUDENT,
    Task,
    places,
    pretrained,
    start_run,
    store,
    untouched,
)
from errata.school.recipe import SchoolRecipe
from errata.steps.evals import evaluate_all
from errata.steps.pretraining import pretrain_student

TAUGHT = "taught"
"""What the problems that may be taught are called as a task."""


def start(school: SchoolRecipe, task: Task) -> int:
    """The untouched student: the embedded one is pre-trained first, then it is judged.

    Raises UsageError for a training's flags that cannot be right, which round 1 would find when its lesson is paid.
    """
    check_flags(school, task._replace(round=1, student=untouched(school)))
    if school.student.pretrain is not None:
        pretrain_student(pretrained(school), school.student.pretrain)
    return evaluate_all(judge_recipe(school, start_run(school), untouched(school), "untouched"))


def exam(school: SchoolRecipe, task: Task) -> int:
    """The student that the round starts from, `samples` times on every problem that may be taught."""
    decoding = school.exam.model_dump()
    return evaluate_all(
        _recipe(
            school,
            places(school, task.round).exam_run,
            [_model(school, STUDENT, task.student, f"round-{task.round}")],
            {TAUGHT: taught(school)},
            {EXAM: decoding},
        ),
        untouched=task.round == 1,
    )


def judge(school: SchoolRecipe, task: Task) -> int:
    """The student that the round made on what is never taught, and it and the one before on what that one mastered."""
    here = places(school, task.round)
    code = evaluate_all(judge_recipe(school, here.judge_run, task.result, f"round-{task.round}"), untouched=False)
    if code != EXIT_DONE or not here.mastered_ids.read_bytes():
        return code
    both = [
        _model(school, BEFORE, task.student, f"before round-{task.round}"),
        _model(school, AFTER, task.result, f"round-{task.round}"),
    ]
    decoding = {"max_tokens": school.exam.max_tokens}
    mastered = {TAUGHT: taught(school, only=here.mastered_ids)}
    return evaluate_all(
        _recipe(school, here.mastered_run, both, mastered, {MASTERED: decoding}), untouched=task.round == 1
    )


def judge_recipe(school: SchoolRecipe, run: Path, student: str, label: str) -> EvalRecipe:
    """The eval of a student on what is never taught. Raises UsageError for a task that there is not."""
    decoding = school.judge.decoding.model_dump(mode="json")
    return _recipe(school, run, [_model(school, STUDENT, student, label)], dict(school.judge.tasks), {JUDGE: decoding})


def taught(school: SchoolRecipe, only: Path | None = None) -> dict[str, Any]:
    """The problems that may be taught as a task, or those of them that a file names."""
    return school.data.model_dump(mode="json") | ({"only": str(only)} if only else {})


def _model(school: SchoolRecipe, name: str, path: str, label: str) -> dict[str, Any]:
    return {"name": name, "label": label, "model": f"local/{path}", "replicate": school.seed} | school.student.as_agent


def _recipe(
    school: SchoolRecipe,
    run: Path,
    models: list[dict[str, Any]],
    tasks: dict[str, Any],
    decodings: dict[str, Any],
) -> EvalRecipe:
    data = {
        "name": school.name,
        "run": str(run),
        "baseline": models[0],
        "models": models[1:],
        "tasks": tasks,
        "decodings": decodings,
        "store": store(school),
        "concurrency": school.concurrency,
        "seed": school.seed,
    }
    return validate(EvalRecipe, data, (), school.name, Loader(school.folder).load)
