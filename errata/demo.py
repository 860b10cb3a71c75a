"""What `errata demo` does beyond the lesson: a student is schooled, sits the exam, is taught in two ways, and judged.

    school --> student --exam--> lesson --log--+--> plain      one teacher's rationales, right answers only --+
                  |                            +--> committee  peer-reviewed, rectified, several per problem -+-> evals
                  +-------------------------------> untouched -------------------------------------------------+

Both are trained on as many target tokens, by the commands a person would type, at the same time.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from ast import literal_eval
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import click

from errata.cli_helpers import run_recipe, show_exported, show_run, write_export
from errata.config.yaml_file import read_mapping
from errata.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_SOME_FAILED, ErrataError, UsageError
from errata.exports.formats import FORMATS
from errata.models.load import MissingLibrary, need_torch
from errata.runs.recipe import load_recipe
from errata.starter import COMMITTEE, DEMO, EXAM, PLAIN

SCHOOL = Path("runs/school")
_POLL_S = 0.2

Tell = Callable[[str], None]


def play(problems: int, *, lesson_only: bool, quiet: bool) -> int:
    """The whole demo over so many lesson problems, in runs/demo; the exit code.

    `lesson_only` stops after the lesson and its data sets, with a simulated student; so does the lack of the extra
    `train`.
    """

    def tell(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

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
    if student:
        click.echo(f"untouched {keep_untouched(run, student)}")
        for name, folder in teach(run, student, tell).items():
            click.echo(f"{name:<10}{folder}")
        code = judge(run, quiet=quiet) or code
    click.echo(f"report    {report(run, tell)}")
    click.echo(f"log       {run / 'transcripts.jsonl'}\nnext      errata init my-project")
    return code


def _write_every_format(run: Path) -> None:
    for form in FORMATS:
        try:
            show_exported(write_export((str(run),), form, run / "exports" / f"{form.name}.jsonl"))
        except UsageError as none:  # too few problems to hold a row of every format
            click.echo(f"{form.name:<11}{none.found}")


def _student_if_installed(tell: Tell) -> Path | None:
    try:
        return schooled_student(tell)
    except MissingLibrary as missing:
        click.echo(f"the lesson alone, with a simulated student: {missing.found}; {missing.do}", err=True)
        return None


def schooled_student(tell: Tell) -> Path:
    """The checkpoint of the embedded student: schooled now, or before and kept in SCHOOL by the hash of its recipe."""
    need_torch()
    from errata.training.classroom_student.pretrain import Pretraining, pretrain

    done = pretrain(SCHOOL, Pretraining(), tell)
    tell(f"student   {done.path}: solves {done.solved:.0%} of held-out problems made of the words it was taught")
    return done.path


def forget_students_of_another_lesson(run: Path, problems: int) -> None:
    """Removes what an earlier demo made of another number of problems; the log goes on and is kept."""
    if (run / "recipe.yaml").is_file() and read_mapping(run / "recipe.yaml").get("limit") != problems:
        for name in ("students", "evals"):
            shutil.rmtree(run / name, ignore_errors=True)


def keep_untouched(run: Path, student: Path) -> Path:
    """A link to the student beside those that are taught, so that it has a name that does not change; returns it."""
    link = run / "students" / "untouched"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(student, link.parent), target_is_directory=True)
    return link


def teach(run: Path, student: Path, tell: Tell, more: Sequence[str] = ()) -> dict[str, Path]:
    """Trains the student in both ways; their folders by name.

    Args:
        more: further flags for both.

    Raises:
        ErrataError: a training that failed, after its own last lines. KeyboardInterrupt if one was interrupted.
    """
    from errata.training.checkpoints import manifest_of

    def words(method: str, config: Path, folder: Path, *own: str) -> list[str]:
        named = ["--dataset_name", str(run), "--model_name_or_path", str(student), "--output_dir", str(folder)]
        return ["train", method, "--config", str(config), *named, *own, *more]

    folders = {name: run / "students" / name for name in ("committee", "plain")}
    children: list[Child] = []
    try:
        committee = Child("committee", words("mcc-kd", COMMITTEE, folders["committee"]), tell)
        children.append(committee)
        tokens = None
        while tokens is None and committee.running:
            tokens = manifest_of(folders["committee"]).get("target_tokens_an_epoch")
            time.sleep(_POLL_S)
        if tokens is not None:
            target = ("--target_tokens", str(tokens))
            children.append(Child("plain", words("sft", PLAIN, folders["plain"], *target), tell))
        for child in children:
            child.finish()
    finally:
        for child in children:
            child.stop()
    return folders


def judge(run: Path, more: Sequence[str] = (), *, quiet: bool) -> int:
    """Evaluates the three students on fresh problems and prints how they compare; the exit code.

    Args:
        more: further `key=value` overrides of the evaluation's recipe.
    """
    from errata.evals.commands import run_eval
    from errata.evals.compare import compare
    from errata.evals.tables import show_comparison

    names = {"baseline": "untouched", "models.0": "plain", "models.1": "committee"}
    students = [f"{place}.model=local/{run}/students/{name}" for place, name in names.items()]
    done = run_eval(EXAM, [f"run={run}", f"training.0={run}", *students, *more], quiet=quiet)
    if done.exit_code == EXIT_DONE:
        show_comparison(compare(done.evals))
    return done.exit_code


def report(run: Path, tell: Tell) -> str:
    """Writes RUN/report.html; where it is, or what it takes to write it."""
    from errata.report.build import write_report
    from errata.report.vega_svg import MissingDrawing

    try:
        return str(write_report(run, say=tell).out)
    except MissingDrawing as missing:
        return f"not written: {missing.found}; {missing.do}"


class Child:
    """`errata ...` in a process of its own; its output is shown under its name."""

    def __init__(self, name: str, words: Sequence[str], tell: Tell) -> None:
        tell(f"{name:<10}errata {shlex.join(words)}")
        self.name, self.tell = name, tell
        one_thread = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}  # two of them share the cores
        self.process = subprocess.Popen(
            [sys.executable, "-m", "errata", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **one_thread},
        )
        assert self.process.stdout is not None
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._relay, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def _relay(self, lines: IO[str]) -> None:
        for line in lines:
            self.lines.append(line.rstrip())
            if short := shortened(line.rstrip()):
                self.tell(f"{self.name:<10}{short}")

    def finish(self) -> None:
        code = self.process.wait()
        self._reader.join()
        if code in (EXIT_INTERRUPTED, -2, -15):
            raise KeyboardInterrupt
        if code:
            raise ErrataError("\n".join(self.lines[-12:]), f"the training `{self.name}` ended with exit code {code}")

    def stop(self) -> None:
        """As Ctrl-C, if it still runs: it keeps its last checkpoint."""
        if self.running:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=30)


def shortened(line: str) -> str | None:
    """A line of a training as the demo tells it: what it learns from, and the loss now and then; else None."""
    if line.startswith(("data ", "tokens ", "steps ")):
        return line
    if not line.startswith("{'loss'"):
        return None
    try:
        logged = literal_eval(line)
        terms = ", ".join(f"{name} {float(logged[name]):.4f}" for name in logged if name.startswith("loss/"))
        return f"epoch {float(logged['epoch']):.1f}: {terms}"
    except (ValueError, SyntaxError, KeyError):
        return None
