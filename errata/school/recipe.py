"""The recipe of a school: a student, what it may be taught, how it is examined and judged, and when that ends.

    student -> exam -> choose -> lesson -> train -> judge -> again, or stop

Whatever cannot be right is refused before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from errata.config.base import Settings
from errata.config.code import Code, Loader, is_reference
from errata.config.env import Location, expand
from errata.config.overrides import apply
from errata.config.recipe_kinds import refuse_other_verb, verb_of
from errata.config.yaml_file import read_mapping
from errata.data.source import ProblemSource
from errata.errors import UsageError, did_you_mean
from errata.evals.recipe import Decoding
from errata.school.choosing import CHOOSERS, Chooser
from errata.steps.settings import BaseStudent, Flag, MethodName, TasksByName

Teach = Literal["teachers", "self", "both"]
OF_THE_SCHOOL = ("dataset_name", "model_name_or_path", "output_dir", "seed", "roles", "resume_from_checkpoint")
"""Flags of a training that the school sets itself."""


class TaughtProblems(ProblemSource):
    """What may be taught: a source of problems with gold answers. Each round chooses among them."""

    limit: int | None = Field(default=None, ge=1)
    """The first so many."""


class Exam(Settings):
    """How the student answers every problem that may be taught, at the start of each round."""

    samples: int = Field(default=4, ge=1)
    """Answers to a problem."""
    temperature: float = Field(default=0.7, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int = Field(default=512, gt=0)

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"exam: {self.samples} samples at temperature 0 are all the same: set a temperature")
        return self


class Choosing(Settings):
    """Which problems a round teaches."""

    by: str = "reachable"
    """A chooser by name, or one's own as `my_choosers.py:FN`."""
    like: str | None = None
    """Another chooser, whose number is not exceeded: `{by: random, like: reachable}` is a control of equal size."""
    count: int = Field(ge=1)
    """Problems of a round at most."""
    rehearsal: float = Field(default=0.2, ge=0, lt=1)
    """Share of them that the student masters already: all its samples right."""


class Training(Settings):
    """The training of a round: a method of `errata train`, on from the student as it is."""

    method: MethodName = "sft"
    """By its name, or one's own as `my_method.py:METHOD`."""
    config: str | None = None
    """A file of flags, as `errata train METHOD --config FILE` takes it; a combination's `terms` stand there."""
    flags: dict[str, Flag] = Field(default_factory=dict)

    @field_validator("flags")
    @classmethod
    def _leaves_the_schools_flags_alone(cls, flags: dict[str, Flag]) -> dict[str, Flag]:
        if taken := [name for name in flags if name in OF_THE_SCHOOL]:
            raise ValueError(f"train.flags sets {', '.join(taken)}: the school sets that itself, roles by `teach`")
        return flags


class Judge(Settings):
    """The judge of every round: problems that are never taught.

    The first task decides about going on; all of them stand in the eval directories.
    """

    tasks: TasksByName = Field(min_length=1)
    """As in a recipe of `errata eval`."""
    decoding: Decoding = Decoding()


class SchoolBudget(Settings):
    """What the school may take in all, over its rounds and commands."""

    dollars: float | None = Field(default=None, ge=0)
    """Paid for lessons, exams and judging."""
    teacher_tokens: int | None = Field(default=None, ge=0)
    """Paid to others than the student, prompts and replies."""
    hours: float | None = Field(default=None, gt=0)
    """Of wall-clock time in which nodes are begun."""


class Stop(Settings):
    """When a school ends before its last round."""

    patience: int = Field(default=2, ge=1)
    """Rounds in a row whose gain could be noise."""
    forgetting: float = Field(default=5.0, gt=0, le=100)
    """Points that a round may lose on the problems that the student had mastered; 100: any number."""
    worse: bool = True
    """Whether a round that is shown worse than the student before ends the school. Where all schools of a comparison
    are to be of one length it is false, and the last student stands, however it fares."""
    divergence: float = Field(default=4.0, gt=1)
    """A logged training loss of more than so many times the first one counts as diverged."""


class SchoolRecipe(Settings):
    """`errata school`."""

    name: str
    """Of the school's folder; by default the file's stem."""
    runs: Location = "runs"
    """The folder that the school's folder is made in."""
    store: Location | None = None
    """The response store; by default `.calls` in the school's folder, so that what it takes is what it pays."""
    seed: int = 0
    """Of draws, samples and trainings."""
    student: BaseStudent
    data: TaughtProblems
    exam: Exam = Exam()
    choose: Choosing
    lesson: str | dict[str, Any] = Field(default_factory=dict)
    """A recipe of `errata synth`, a file beside this one or the recipe itself. Its problems, student, exam, seed, store
    and name are the school's."""
    teach: Teach = "teachers"
    """Whose rationales are learned from: the teachers', the student's own right answers in its exam, or both."""
    train: Training = Training()
    judge: Judge
    rounds: int = Field(default=4, ge=1)
    """At most; `stop` may end it before."""
    budget: SchoolBudget = SchoolBudget()
    stop: Stop = Stop()
    concurrency: int = Field(default=128, ge=1)
    """Calls in flight at most in exams and judging; a local student decodes in batches of those that wait."""

    _file: Path = PrivateAttr(default_factory=Path)
    _chooser: Chooser | None = PrivateAttr(default=None)
    _like: Chooser | None = PrivateAttr(default=None)
    _code: dict[str, Code] = PrivateAttr(default_factory=dict)

    @property
    def home(self) -> Path:
        return Path(expand(self.runs)) / self.name

    @property
    def folder(self) -> Path:
        """Where the files that the recipe names are looked for: the folder of its own file."""
        return self._file.parent

    @property
    def chooser(self) -> Chooser:
        assert self._chooser is not None, "load_school loads it"
        return self._chooser

    @property
    def like(self) -> Chooser | None:
        """Whose number of problems the chooser may not exceed."""
        return self._like

    @property
    def code(self) -> dict[str, Code]:
        """The files of choosers of one's own, by what the recipe calls them."""
        return dict(self._code)

    @property
    def task(self) -> str:
        """The judge's task that decides."""
        return next(iter(self.judge.tasks))

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        for fault in _faults(self):
            raise ValueError(fault)
        return self


def _faults(school: SchoolRecipe) -> Iterator[str]:
    """What contradicts itself, in words."""
    name = school.name
    if name in {"", ".", ".."} or set(name) & set("/\\$") or not name.isprintable():
        yield f"name {name!r}: one folder name, without slashes, $ or control characters"
    if school.data.gold != "all":
        yield f"data.gold is {school.data.gold}: an exam tells right from wrong by gold answers"
    if school.data.only:
        yield "data.only: the school chooses what is taught; narrow its data by where, split or limit"
    if not school.lesson and school.teach != "self":
        yield f"teach is {school.teach}, and there is no lesson: name its recipe, or write teach: self"


def load_school(path: str | Path, overrides: Sequence[str] = ()) -> SchoolRecipe:
    """The recipe of `errata school`; `name` is by default the file's stem. Raises UsageError on anything bad."""
    file = Path(path)
    data = read_mapping(file)
    refuse_other_verb(data, "school", str(file))
    data.setdefault("name", file.stem)
    return school_of(data, file, overrides)


def school_of(data: dict[str, Any], file: Path, overrides: Sequence[str] = ()) -> SchoolRecipe:
    """The school that plain data describes; what it names is looked for beside `file`. Raises UsageError."""
    school = apply(SchoolRecipe, data, overrides, str(file))
    loader, settings = Loader(file.parent), school.choose
    school._file, school._chooser = file, _chooser("by", settings.by, loader)
    school._like = _chooser("like", settings.like, loader) if settings.like else None
    school._code = loader.code
    return school


def _chooser(key: str, by: str, loader: Loader) -> Chooser:
    known = dict(CHOOSERS)
    if by in known:
        return known[by]
    if not is_reference(by):
        raise UsageError(
            f"choose.{key} is {by}",
            f"the choosers are {', '.join(known)}",
            did_you_mean(by, known, "one's own is written my_choosers.py:NAME"),
        )
    chooser = loader.load(by)
    if not callable(chooser):
        raise UsageError(
            f"choose.{key}: {by} is a {type(chooser).__name__}",
            "a chooser is a function (results, how many, seed) -> choices",
            "name one",
        )
    own: Chooser = chooser
    return own


def is_school(path: Path) -> bool:
    """Whether a recipe's file is that of a school."""
    try:
        return verb_of(read_mapping(path)) == "school"
    except UsageError:
        return False
