"""What `errata demo` does beyond the lesson: a student is schooled, sits the exam, and learns in a study of four arms.

    school --> student --exam--> lesson --log--> grader_only -> panel -> rectified -> consistent --> evals --> claims

The study is that of starter/study.yaml, in the lesson's own run directory: each arm adds one thing to the arm before.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from errata.cli_helpers import run_recipe, show_exported, show_run, write_export
from errata.config.yaml_file import read_mapping
from errata.errors import EXIT_DONE, EXIT_SOME_FAILED, UsageError
from errata.exports.format import Format
from errata.exports.formats import FORMATS
from errata.models.load import MissingLibrary, need_torch
from errata.runs.recipe import load_recipe
from errata.starter import DEMO, ROUNDS, STUDY
from errata.waiting import loading, waiting

SCHOOL = Path("runs/school")
OF_A_LESSON = ("students", "embedded", "logs", "steps.jsonl", "study.json", "card.md")
"""What a demo makes of its lesson."""

Tell = Callable[[str], None]


def play(problems: int, *, lesson_only: bool, quiet: bool) -> int:
    """The whole demo over so many lesson problems, in runs/demo; the exit code.

    `lesson_only` stops after the lesson and its data sets, with a simulated student; so does the lack of the extra
    `train`.
    """

    def tell(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    tell("demo: a student is schooled, three teachers give it a lesson, and four arms show what each part of it bought")
    student = None if lesson_only else _student_if_installed(tell)
    pupil = [f"agents.student.model=local/{student}"] if student else []
    recipe = load_recipe(DEMO, [f"limit={problems}", *pupil])
    run = Path(recipe.runs) / recipe.name
    forget_students_of_another_lesson(run, problems)
    click.echo(f"demo: {problems} classroom problems through the graph {recipe.graph}, simulated teachers")
    code = run_recipe(recipe, quiet=quiet)
    if code not in (EXIT_DONE, EXIT_SOME_FAILED):
        return code
    show_run(run)
    _write_every_format(run)
    click.echo(f"log       {run / 'transcripts.jsonl'}\nnext      errata init my-project")
    if student is None:
        click.echo(f"report    {report(run, tell)}")
        return code
    keep_untouched(run, student)
    return study(run, quiet=quiet) or code


def _write_every_format(run: Path) -> None:
    with waiting("writing a data set of every format"):
        results = [(form.name, _exported(run, form)) for form in FORMATS]
    for name, result in results:
        if isinstance(result, UsageError):
            click.echo(f"{name:<11}{result.found}")
        else:
            show_exported(result)


def _exported(run: Path, form: Format) -> Any:
    """What was written, or the UsageError that says why nothing was: too few problems hold no row of every format."""
    try:
        return write_export((str(run),), form, run / "exports" / f"{form.name}.jsonl")
    except UsageError as none:
        return none


def _student_if_installed(tell: Tell) -> Path | None:
    try:
        return schooled_student(tell)
    except MissingLibrary as missing:
        click.echo(f"the lesson alone, with a simulated student: {missing.found}; {missing.do}", err=True)
        return None


def schooled_student(tell: Tell) -> Path:
    """The checkpoint of the embedded student: schooled now, or before and kept in SCHOOL by the hash of its recipe."""
    need_torch()
    with loading("PyTorch"):
        from errata.training.classroom_student.pretrain import Pretraining, pretrain

    done = pretrain(SCHOOL, Pretraining(), tell)
    tell(f"student   {done.path}: solves {done.solved:.0%} of held-out problems made of the words it was taught")
    return done.path


def forget_students_of_another_lesson(run: Path, problems: int) -> None:
    """Removes what an earlier demo made of another number of problems; the log goes on and is kept."""
    if (run / "recipe.yaml").is_file() and read_mapping(run / "recipe.yaml").get("limit") != problems:
        for path in (run / name for name in OF_A_LESSON):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def keep_untouched(run: Path, student: Path) -> Path:
    """A link to the student in the run directory, so that it has a name that does not change; returns it."""
    link = run / "students" / "untouched"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(student, link.parent), target_is_directory=True)
    return link


def study(run: Path, more: Sequence[str] = (), *, quiet: bool) -> int:
    """Teaches and judges the student as starter/study.yaml says, and prints its claims; the exit code.

    Args:
        run: the lesson's directory, with the untouched student in it; the study's files go there too.
        more: further `key=value` overrides of the study.
    """
    from errata.studies.commands import study_command

    here = [
        f"name={run.name}",
        f"runs={run.parent}",
        f"students.embedded.model={run}/students/untouched",
        f"data.lesson.paths.0={run}",
    ]
    return study_command(STUDY, [*here, *more], as_json=False, quiet=quiet)


def rounds(problems: int, more: Sequence[str] = (), *, quiet: bool) -> int:
    """Two rounds of a school for the embedded student as starter/school.yaml says, in runs/demo-school; the exit code.

    Args:
        problems: that may be taught.
        more: further `key=value` overrides of the school.
    """
    from errata.school.commands import school_command

    def tell(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    here = [f"student.model={schooled_student(tell)}", f"data.options.count={problems}"]
    return school_command(ROUNDS, [*here, *more], as_json=False, quiet=quiet)


def report(run: Path, tell: Tell) -> str:
    """Writes RUN/report.html; where it is, or what it takes to write it."""
    from errata.report.build import write_report
    from errata.report.vega_svg import MissingDrawing

    try:
        return str(write_report(run, say=tell).out)
    except MissingDrawing as missing:
        return f"not written: {missing.found}; {missing.do}"
