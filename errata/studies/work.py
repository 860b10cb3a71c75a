"""Doing one step of a study, by the functions behind `errata synth`, `train` and `eval`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

from errata.config.overrides import assignment, override
from errata.config.yaml_file import read_mapping
from errata.errors import EXIT_DONE, UsageError
from errata.steps.evals import evaluate_all
from errata.steps.pretraining import pretrain_student
from errata.steps.settings import method_beside
from errata.studies.recipe import UNTOUCHED, StudyRecipe, ranker_arm
from errata.studies.schools import do_school
from errata.studies.steps import Step, base_of, home_of, label_of, made_by, training_words


def do(study: StudyRecipe, step: Step) -> int:
    """Does a step, from the start or from where it stands; the exit code of its verb. Raises ErrataError."""
    match step.kind:
        case "pretrain":
            return _pretrain(study, step)
        case "lesson":
            return _lesson(study, step)
        case "train":
            return _train(study, step)
        case "school":
            return do_school(study, step)
        case "eval":
            return _eval(study, step)


def _pretrain(study: StudyRecipe, step: Step) -> int:
    pretrain_student(step.out, study.students[step.student].pretrain or {})
    return EXIT_DONE


def lesson_data(study: StudyRecipe, step: Step) -> tuple[dict[str, Any], Path]:
    """A lesson's recipe as plain data with what its seed changes, and the folder of the files that it names."""
    spec = study.data[step.part]
    if isinstance(spec.recipe, str):
        file = study.folder / spec.recipe
        data, folder = read_mapping(file), file.parent
    else:
        data, folder = deepcopy(spec.recipe or {}), study.folder
    override(data, [assignment(key, value) for key, value in spec.changes.items()])
    override(data, [f"{key}={value + (step.seed or 0)}" for key, value in spec.vary.items()])
    data |= {"name": step.out.name, "runs": str(step.out.parent)}
    if spec.sits_exam:
        student = {"name": "student", "model": f"local/{base_of(study, step.student)}"}
        data.setdefault("agents", {})["student"] = student | study.students[step.student].as_agent
    return data, folder


def _lesson(study: StudyRecipe, step: Step) -> int:
    from errata.runs.recipe import check, recipe_of
    from errata.steps.lessons import run_lesson

    data, folder = lesson_data(study, step)
    return run_lesson(check(recipe_of(data, folder, str(folder / study.name))))


def _train(study: StudyRecipe, step: Step) -> int:
    from errata.training.checkpoints import manifest_of
    from errata.training.job import main

    if manifest_of(step.out).get("status") == "finished":
        return EXIT_DONE
    method = study.arms[step.part].method
    assert method is not None
    return main(method_beside(study.folder, method), training_words(study, step))


def check_flags(study: StudyRecipe, trainings: Iterable[Step]) -> int:
    """Reads the flags of trainings as they would; of each arm one speaks for all. Raises UsageError."""
    from errata.training.parse_args import parse

    for step in {step.part: step for step in trainings}.values():
        method = study.arms[step.part].method
        assert method is not None
        try:
            parse(method_beside(study.folder, method), training_words(study, step, student_of=Path))
        except UsageError as error:
            raise UsageError(f"arm {step.part}: {error.found}", error.why, error.do) from error
    return EXIT_DONE


def eval_data(study: StudyRecipe, step: Step, arms: Iterable[str] | None = None) -> dict[str, Any]:
    """The recipe of a seed's evals as plain data: the untouched student and every arm, or those that are named."""
    assert step.seed is not None
    home, student_of = home_of(study, step.student, step.seed), partial(made_by, study, step.student, step.seed)
    own: dict[str, Any] = {"replicate": step.seed, **study.students[step.student].as_agent}
    evals = study.evals
    tasks: dict[str, Any] = {name: _varied(task, evals.vary, step.seed) for name, task in evals.tasks.items()}
    return {
        "name": study.name,
        "run": str(home),
        "baseline": _model(study, step, UNTOUCHED, base_of(study, step.student)) | own,
        "models": [
            _model(study, step, arm, str(student_of(arm))) | own for arm in (study.judged if arms is None else arms)
        ],
        "tasks": tasks,
        "decodings": {name: _with_ranker(each, student_of) for name, each in evals.decodings.items()},
        "concurrency": evals.concurrency,
        # the untouched student's greedy replies are the same for all seeds, and found in the store by the next
        "seed": step.seed if any(each.get("temperature", 0) != 0 for each in evals.decodings.values()) else 0,
    }


def _with_ranker(decoding: Mapping[str, Any], made_by: Callable[[str], Path]) -> dict[str, Any]:
    """A decoding with the folder of its ranker in place of the arm that makes it."""
    arm = ranker_arm(decoding)
    return {**decoding, **({"ranker": str(made_by(arm)), "ranker_label": arm} if arm else {})}


def _model(study: StudyRecipe, step: Step, arm: str, path: str) -> dict[str, Any]:
    return {"name": arm, "label": label_of(study, step.student, arm), "model": f"local/{path}"}


def _varied(task: Mapping[str, Any], vary: Mapping[str, int], seed: int) -> dict[str, Any]:
    changed = deepcopy(dict(task))
    override(changed, [f"{key}={value + seed}" for key, value in vary.items()])
    return changed


def _eval(study: StudyRecipe, step: Step) -> int:
    from errata.config.code import Loader
    from errata.config.overrides import validate
    from errata.evals.recipe import EvalRecipe

    loader = Loader(study.folder)
    return evaluate_all(validate(EvalRecipe, eval_data(study, step), (), study.name, loader.load))
