"""The steps of a study: what each makes, from what, and where it lies.

    runs/STUDY/
      students/NAME/                     an embedded student, pre-trained
      data/NAME/                         a lesson that all seeds share
      STUDENT/seed-N/data/NAME/          a lesson's run directory
      STUDENT/seed-N/students/ARM/       a trained student
      STUDENT/seed-N/schools/ARM/        a school
      STUDENT/seed-N/evals/ARM-DECODING/ its evals

A step is told from another by what goes into it: where that has changed since the step was done, the study says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from errata.config.env import expand
from errata.records import digest
from errata.steps.settings import BaseStudent
from errata.studies.recipe import ARM, UNTOUCHED, StudyRecipe

Kind = Literal["pretrain", "lesson", "train", "school", "eval"]


@dataclass(frozen=True)
class Step:
    """One piece of a study. `name` says which: `train base seed-0 sft`."""

    name: str
    kind: Kind
    out: Path
    needs: tuple[str, ...]
    inputs: str
    """Hash of what goes into it."""
    student: str
    seed: int | None = None
    part: str = ""
    """The arm or the data."""
    leaves: tuple[str, ...] = ()
    """What it leaves in `out`, where that is known before."""

    @property
    def is_there(self) -> bool:
        """Whether all that the step leaves is there."""
        return self.out.exists() and all((self.out / name).exists() for name in self.leaves)


def steps_of(study: StudyRecipe) -> dict[str, Step]:
    """Every step by its name, in an order in which each comes after those that it needs."""
    steps: dict[str, Step] = {}
    for name, student in study.students.items():
        if student.pretrain is not None:
            _add(
                steps,
                Step(f"pretrain {name}", "pretrain", _home_of_base(study, name), (), digest(student.pretrain), name),
            )
        for seed in study.seeds:
            _add_seed(steps, study, name, student, seed)
    return steps


def _add(steps: dict[str, Step], step: Step) -> Step:
    return steps.setdefault(step.name, step)


def _add_seed(steps: dict[str, Step], study: StudyRecipe, name: str, student: BaseStudent, seed: int) -> None:
    base = (f"pretrain {name}",) if student.pretrain is not None else ()
    origin = digest(student.model_dump(mode="json", exclude={"extra"}))
    exam_key = digest(origin, student.extra) if student.extra else origin
    lessons = {data: _lesson(study, name, seed, data, base, exam_key) for data in study.data}
    for step in lessons.values():
        if step is not None:
            _add(steps, step)
    trained: dict[str, Step] = {}
    for arm in _in_order(study):
        if study.arms[arm].school is not None:
            trained[arm] = _add(steps, _school(study, name, seed, arm, base, exam_key))
            continue
        lesson = lessons[study.data_of(arm)]
        before = [trained[other] for other in study.arms[arm].needs]
        needs = (*base, *([lesson.name] if lesson else ()), *(step.name for step in before))
        spec = study.arms[arm].model_dump(mode="json")
        data = lesson.inputs if lesson else list(study.data[study.data_of(arm)].paths)
        inputs = digest(spec, study.training, data, origin, seed, [step.inputs for step in before])
        out = home_of(study, name, seed) / "students" / arm
        trained[arm] = _add(
            steps, Step(f"train {name} seed-{seed} {arm}", "train", out, needs, inputs, name, seed, arm)
        )
    evals = study.evals.model_dump(mode="json")
    arms = tuple(step.name for step in trained.values())
    inputs = digest(evals, seed, exam_key, [step.inputs for step in trained.values()])
    out = home_of(study, name, seed) / "evals"
    leaves = tuple(f"{arm}-{decoding}" for arm in (UNTOUCHED, *study.judged) for decoding in study.evals.decodings)
    _add(steps, Step(f"eval {name} seed-{seed}", "eval", out, (*base, *arms), inputs, name, seed, leaves=leaves))


def _lesson(
    study: StudyRecipe, student: str, seed: int, data: str, base: tuple[str, ...], exam_key: str
) -> Step | None:
    """The step that makes an arm's data; None where it is there."""
    spec = study.data[data]
    if spec.recipe is None:
        return None
    where = run_of(study, student, seed, data)
    seeded, sits = bool(spec.vary), spec.sits_exam
    name = " ".join(["lesson", *([student] if sits else []), *([f"seed-{seed}"] if seeded else []), data])
    inputs = digest(spec.model_dump(mode="json"), seed if seeded else None, exam_key if sits else None)
    return Step(name, "lesson", where, base if sits else (), inputs, student, seed, data)


def _school(study: StudyRecipe, student: str, seed: int, arm: str, base: tuple[str, ...], exam_key: str) -> Step:
    """The step of an arm that is a school."""
    assert study.school is not None
    spec, changes = study.school.model_dump(mode="json"), study.arms[arm].school
    out = school_home(study, student, seed, arm)
    inputs = digest(spec, changes, exam_key, seed)
    return Step(f"school {student} seed-{seed} {arm}", "school", out, base, inputs, student, seed, arm)


def school_home(study: StudyRecipe, student: str, seed: int, arm: str) -> Path:
    """The folder of an arm's school."""
    return home_of(study, student, seed) / "schools" / arm


def run_of(study: StudyRecipe, student: str, seed: int, data: str) -> Path:
    """The run directory of a lesson: shared by seeds that do not vary it, and by students that do not sit in it."""
    spec = study.data[data]
    home = study.home / student if spec.sits_exam else study.home
    return (home / f"seed-{seed}" if spec.vary else home) / "data" / data


def home_of(study: StudyRecipe, student: str, seed: int) -> Path:
    return study.home / student / f"seed-{seed}"


def _home_of_base(study: StudyRecipe, student: str) -> Path:
    return study.home / "students" / student


def label_of(study: StudyRecipe, student: str, arm: str) -> str:
    """What an arm is called in evals: by its name, after its student where there are several."""
    return arm if len(study.students) == 1 else f"{student}:{arm}"


def base_of(study: StudyRecipe, student: str) -> str:
    """The untouched student as `--model_name_or_path` takes it."""
    return study.students[student].untouched(_home_of_base(study, student))


def _in_order(study: StudyRecipe) -> list[str]:
    """The arms, each after those whose students it reads."""
    ordered: list[str] = []

    def place(arm: str) -> None:
        for other in study.arms[arm].needs:
            place(other)
        if arm not in ordered:
            ordered.append(arm)

    for arm in study.arms:
        place(arm)
    return ordered


def made_by(study: StudyRecipe, student: str, seed: int, arm: str) -> Path:
    """The student that an arm makes; of a school the one that stands. Raises UsageError where it has not begun."""
    if study.arms[arm].school is None:
        return home_of(study, student, seed) / "students" / arm
    from errata.school.record import placed, read_school

    home = school_home(study, student, seed, arm)
    return placed(home, Path(read_school(home).student or ""))


def training_words(study: StudyRecipe, step: Step, student_of: Callable[[str], Path] | None = None) -> list[str]:
    """The flags of an arm's training, as `errata train METHOD` takes them.

    Args:
        student_of: where the student of another arm lies; by default where that arm has made it.
    """
    assert step.seed is not None
    arm = study.arms[step.part]
    student_of = student_of or partial(made_by, study, step.student, step.seed)
    data = study.data[study.data_of(step.part)]
    lesson = run_of(study, step.student, step.seed, study.data_of(step.part))
    source = [expand(path) for path in data.paths] or [str(lesson)]
    flags: dict[str, Any] = {"dataset_name": source, "output_dir": str(step.out), "seed": step.seed}
    if arm.start is not None:
        flags["model_name_or_path"] = str(student_of(arm.start))
    elif not arm.needs:  # what reads another arm's student finds its base there
        flags["model_name_or_path"] = base_of(study, step.student)
    flags |= {**study.training, **arm.flags, "resume_from_checkpoint": "auto"}
    return [word for key, value in flags.items() for word in (f"--{key}", *_words(value, student_of))]


def _words(value: Any, student_of: Callable[[str], Path]) -> list[str]:
    """A flag's value on a command line."""
    if isinstance(value, list):
        return [word for each in value for word in _words(each, student_of)]
    if isinstance(value, bool):
        return [str(value).lower()]
    text = str(value)
    return [str(student_of(text.removeprefix(ARM))) if text.startswith(ARM) else text]
