"""Where everything of a school lies.

runs/SCHOOL/
  school.json  recipe.yaml  steps.jsonl  logs/  .calls/
  student/                     the embedded student, pre-trained
  start/evals/                 the untouched student, judged
  round-N/exam/evals/          the student that the round starts from, on all that may be taught
  round-N/choices.jsonl        what is taught
  round-N/mastered.jsonl       what the exam shows to be mastered
  round-N/lesson/              a run directory
  round-N/student/             the trained student; student-again/ where its training was repeated
  round-N/judge/evals/         that student, on what is never taught
  round-N/mastered/evals/      both students, on what was mastered
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from errata.school.recipe import SchoolRecipe

Kind = Literal["start", "exam", "choose", "lesson", "train", "judge"]
STUDENT = "student"
"""What the student is called in lessons and evals: one name, so that what it has answered once is stored."""
LOGS = "logs"
BEFORE, AFTER = "before", "after"
EXAM, JUDGE, MASTERED = "exam", "judge", "mastered"
"""Names of decodings, which are parts of eval directories' names."""


class Task(NamedTuple):
    """One node of one round, as a worker is told to do it."""

    kind: Kind
    round: int
    """0 for the start."""
    student: str = ""
    """The student that the round starts from, as `local/` and `--model_name_or_path` take it."""
    result: str = ""
    """The student that the round made."""
    again: bool = False
    """The training is repeated, at half the rate."""
    usd: float | None = None
    """What the lesson may pay in all; None: any."""
    tokens: int | None = None

    @property
    def name(self) -> str:
        if self.kind == "start":
            return "start"
        return f"round-{self.round} {self.kind}{' again' if self.again else ''}"


@dataclass(frozen=True)
class Places:
    """The folders of one round."""

    folder: Path

    @property
    def exam_run(self) -> Path:
        return self.folder / "exam"

    @property
    def exam(self) -> Path:
        return _eval(self.exam_run, STUDENT, EXAM)

    @property
    def choices(self) -> Path:
        return self.folder / "choices.jsonl"

    @property
    def mastered_ids(self) -> Path:
        return self.folder / "mastered.jsonl"

    @property
    def lesson(self) -> Path:
        return self.folder / "lesson"

    def student(self, again: bool) -> Path:
        return self.folder / ("student-again" if again else "student")

    @property
    def judge_run(self) -> Path:
        return self.folder / "judge"

    @property
    def judge(self) -> Path:
        return _eval(self.judge_run, STUDENT, JUDGE)

    @property
    def mastered_run(self) -> Path:
        return self.folder / "mastered"

    def mastered(self, who: str) -> Path:
        return _eval(self.mastered_run, who, MASTERED)


def _eval(run: Path, model: str, decoding: str) -> Path:
    return run / "evals" / f"{model}-{decoding}"


def places(school: SchoolRecipe, number: int) -> Places:
    return Places(school.home / f"round-{number}")


def start_run(school: SchoolRecipe) -> Path:
    return school.home / "start"


def start_judge(school: SchoolRecipe) -> Path:
    return _eval(start_run(school), STUDENT, JUDGE)


def pretrained(school: SchoolRecipe) -> Path:
    return school.home / "student"


def untouched(school: SchoolRecipe) -> str:
    """The student before any lesson, as `local/` and `--model_name_or_path` take it."""
    return school.student.untouched(pretrained(school))


def store(school: SchoolRecipe) -> str:
    """The response store of exams, lessons and judging."""
    return school.store or str(school.home / ".calls")


def within(school: SchoolRecipe, path: Path | str) -> str:
    """A path as school.json has it: relative to the school's folder where it lies in it."""
    path = Path(path)
    return str(path.relative_to(school.home)) if path.is_relative_to(school.home) else str(path)


def log_of(school: SchoolRecipe, task: Task) -> Path:
    return school.home / LOGS / f"{task.name.replace(' ', '-')}.log"


def node_of(log: str) -> str:
    """The name of the node whose log is called so."""
    return re.sub(r"^(round-\d+)-", r"\1 ", log).replace("-again", " again")
