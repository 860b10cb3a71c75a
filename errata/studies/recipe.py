"""The recipe of a study: students, data, arms, claims, seeds, and how all of it is evaluated.

    students x seeds -> data -> arms (one training each, or one school) -> evals -> claims

Every arm is made for every student and seed. Whatever cannot be right is refused before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, PrivateAttr, model_validator

from errata.config.base import Settings
from errata.config.overrides import apply
from errata.config.recipe_kinds import refuse_other_verb, verb_of
from errata.config.yaml_file import read_mapping
from errata.errors import UsageError, did_you_mean
from errata.evals.claims import Claim, task_fault
from errata.steps.settings import BaseStudent, Flag, MethodName, TasksByName

UNTOUCHED = "untouched"
ARM = "arm:"
"""Begins a value that stands for what another arm makes with the same seed: `nat_checkpoint: arm:nat` in an arm's
flags, `ranker: arm:ranker` in a decoding."""
RANKER = "ranker"
"""The method whose arms answer no problems: they weigh the votes of others."""
Quantity = Literal["teacher_tokens", "target_tokens", "rows", "trained_weights", "cost_usd", "steps"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)


Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""As numpy and torch take them."""


class Data(Settings):
    """What arms learn from: a lesson that is run for every seed, or runs and files that are there.

    `vary` names what differs from seed to seed: a key of the lesson's recipe and its value at seed 0, to which the
    seed is added (`{seed: 0, problems.options.seed: 100}`). Where it is empty the lesson is run once for all seeds.
    """

    recipe: str | dict[str, Any] | None = None
    """A recipe of `errata synth`: a file beside the study, or the recipe itself."""
    vary: dict[str, int] = Field(default_factory=lambda: {"seed": 0})
    changes: dict[str, Any] = Field(default_factory=dict)
    """Other values of the recipe's keys, dotted as on a command line: `{settings.rationales.samples: 1}`."""
    sits_exam: bool = True
    """The study's student is the lesson's."""
    paths: tuple[str, ...] = ()
    """Run directories and exported files."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.recipe is None) == (not self.paths):
            raise ValueError("data has a recipe, which is run, or paths of what is there")
        return self


class StudySchool(Settings):
    """The school of those arms that are schools. Its student, name and place are the study's."""

    recipe: str | dict[str, Any]
    """A recipe of `errata school`: a file beside the study, or the recipe itself."""
    vary: dict[str, int] = Field(default_factory=lambda: {"seed": 0})
    """As that of a lesson: `{seed: 0, data.options.seed: 100, judge.tasks.classroom_id.options.seed: 5000}`."""


class StudyArm(Settings):
    """One training, a method of `errata train` with its flags; or one school."""

    method: MethodName | None = None
    """By its name, or one's own as `my_method.py:METHOD`."""
    school: dict[str, Any] | None = None
    """Other values of the school's keys, dotted as on a command line: `{rounds: 1, choose.by: random}`; `{}`: none."""
    data: str | None = None
    """A name in the study's `data`; may be left out where there is one alone."""
    start: str | None = None
    """The arm it goes on from; by default the untouched student."""
    flags: dict[str, Flag] = Field(default_factory=dict)

    @property
    def needs(self) -> tuple[str, ...]:
        """The arms whose students it reads."""
        return tuple(dict.fromkeys([*([self.start] if self.start else []), *arms_in(self.flags)]))


def arms_in(flags: Mapping[str, Flag]) -> Iterator[str]:
    """The arms that flags name as `arm:NAME`, in lists too."""
    for value in flags.values():
        texts = value if isinstance(value, list | tuple) else [value]
        yield from (text.removeprefix(ARM) for text in texts if isinstance(text, str) and text.startswith(ARM))


class StudyClaim(Claim):
    """A claim with what the study expects of it and what it holds equal."""

    sign: Literal["+", "-", "0"] = "+"
    """The sign that the source reports of arm minus control; `0`: no difference."""
    source: str | None = None
    """Where it is claimed: a paper and its table."""
    equal: tuple[Quantity, ...] = ()
    """What arm and control must have alike, to within 5 %; what else differs is said."""


class Judging(Settings):
    """The evals: tasks and decodings as in a recipe of `errata eval`. `vary` is as that of a lesson, per task.

    A decoding's `ranker` may be that of an arm, `arm:NAME` with `method: ranker`: of each seed its own.
    """

    tasks: TasksByName
    decodings: dict[str, dict[str, Any]] = Field(default_factory=lambda: dict[str, dict[str, Any]](greedy={}))
    vary: dict[str, int] = Field(default_factory=dict)
    """Of every task: a key and its value at seed 0, e.g. `{options.seed: 1000}`; without it all seeds share items."""
    concurrency: int = Field(default=128, ge=1)


class Limits(Settings):
    """What a study may take, over all its commands."""

    hours: float | None = Field(default=None, gt=0)
    """Of wall-clock time in which steps are begun."""


class StudyRecipe(Settings):
    """`errata study`."""

    name: str
    """Of the study's folder; by default the file's stem."""
    runs: str = "runs"
    """The folder that the study's folder is made in."""
    seeds: tuple[Seed, ...] = Field(min_length=1)
    """Each arm is trained and judged once for each."""
    together: int | None = Field(default=None, ge=1)
    """Steps at a time; by default one per accelerator, else one per two cores."""
    students: dict[str, BaseStudent] = Field(min_length=1)
    data: dict[str, Data] = Field(default_factory=dict)
    """What trainings learn from; a school makes its own."""
    school: StudySchool | None = None
    training: dict[str, Flag] = Field(default_factory=dict)
    """Flags of every arm with a method; those of a school stand in its recipe."""
    arms: dict[str, StudyArm] = Field(min_length=1)
    claims: tuple[StudyClaim, ...] = ()
    evals: Judging
    budget: Limits = Limits()

    _file: Path = PrivateAttr(default_factory=Path)

    @property
    def home(self) -> Path:
        return Path(self.runs) / self.name

    @property
    def folder(self) -> Path:
        """Where the files that the recipe names are looked for: the folder of its own file."""
        return self._file.parent

    @property
    def judged(self) -> tuple[str, ...]:
        """The arms that sit the evals: all but rankers."""
        return tuple(name for name, arm in self.arms.items() if arm.method != RANKER)

    def data_of(self, arm: str) -> str:
        """The name of an arm's data."""
        return self.arms[arm].data or next(iter(self.data))

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        for fault in _faults(self):
            raise ValueError(fault)
        return self


def _faults(study: StudyRecipe) -> Iterator[str]:
    """What contradicts itself, in words."""
    for name in (study.name, *study.students, *study.data, *study.arms):
        if name in {"", ".", ".."} or set(name) & {"/", "\\", "\0"}:
            yield f"{name!r}: one folder name, without slashes"
    if UNTOUCHED in study.arms:
        yield f"no arm is called {UNTOUCHED}: that is the student before any training"
    if len(set(study.seeds)) < len(study.seeds):
        yield f"seeds {list(study.seeds)}: each seed once"
    for name, arm in study.arms.items():
        yield from _kind_faults(study, name, arm)
        if arm.school is None and arm.data is None and len(study.data) > 1:
            yield f"arm {name} names no data, and there are {', '.join(study.data)}"
        if arm.data is not None and arm.data not in study.data:
            yield f"arm {name}: no data is called {arm.data}; {did_you_mean(arm.data, study.data, 'add it')}"
        for other in arm.needs:
            if other not in study.arms:
                yield f"arm {name}: no arm is called {other}; {did_you_mean(other, study.arms, 'add it')}"
    for other in arms_in(study.training):
        yield f"training names arm {other}, which cannot read itself: name it in the flags of the arms that read it"
    yield from _circles(study.arms)
    for claim in study.claims:
        for side in (claim.arm, claim.control):
            if side != UNTOUCHED and side not in study.arms:
                yield f"claim {claim.name}: no arm is called {side}; {did_you_mean(side, study.arms, 'add it')}"
            elif side != UNTOUCHED and side not in study.judged:
                yield f"claim {claim.name}: {side} is a ranker, which answers nothing: name an arm that does"
        if fault := task_fault(claim, study.evals.tasks, "evals.tasks"):
            yield fault
        if claim.decoding is None and len(study.evals.decodings) > 1:
            yield f"claim {claim.name} names no decoding, and there are {', '.join(study.evals.decodings)}"
        for decoding in filter(None, (claim.decoding, claim.control_decoding)):
            if decoding not in study.evals.decodings:
                near = did_you_mean(decoding, study.evals.decodings, "add it to evals.decodings")
                yield f"claim {claim.name}: no decoding is called {decoding}; {near}"
    yield from _decoding_faults(study)
    names = [claim.name for claim in study.claims]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield f"two claims are called {', '.join(twice)}"


def _decoding_faults(study: StudyRecipe) -> Iterator[str]:
    """What a decoding says of an arm that is no ranker."""
    for name, decoding in study.evals.decodings.items():
        arm = ranker_arm(decoding)
        if arm is not None and (arm not in study.arms or study.arms[arm].method != RANKER):
            yield f"decoding {name}: no arm called {arm} is a ranker: add {arm}: {{method: {RANKER}}} to arms"


def ranker_arm(decoding: Mapping[str, Any]) -> str | None:
    """The arm whose ranker weighs a decoding's votes; None where it names none, or a folder."""
    ranker = decoding.get("ranker")
    return ranker.removeprefix(ARM) if isinstance(ranker, str) and ranker.startswith(ARM) else None


def _kind_faults(study: StudyRecipe, name: str, arm: StudyArm) -> Iterator[str]:
    """What contradicts an arm's being a training, or a school."""
    if (arm.method is None) == (arm.school is None):
        yield f"arm {name}: a method, or school: {{}} for the study's school"
    elif arm.school is None:
        if not study.data:
            yield f"arm {name} is a training, and the study has no data: add data"
    else:
        if study.school is None:
            yield f"arm {name} is a school, and the study has none: add school: {{recipe: ...}}"
        if set_too := [key for key in ("data", "start", "flags") if getattr(arm, key)]:
            yield f"arm {name} is a school and sets {', '.join(set_too)}: its recipe has its own"


def _circles(arms: dict[str, StudyArm]) -> Iterator[str]:
    for name in arms:
        reached, waiting = set[str](), [*arms[name].needs]
        while waiting:
            other = waiting.pop()
            if other in arms and other not in reached:
                reached.add(other)
                waiting += arms[other].needs
        if name in reached:
            yield f"arm {name} is made from itself, by way of the arms that it needs"
            return


def load_study(path: str | Path, overrides: Sequence[str] = ()) -> StudyRecipe:
    """The recipe of `errata study`; `name` is by default the file's stem. Raises UsageError on anything bad."""
    file = Path(path)
    data = read_mapping(file)
    refuse_other_verb(data, "study", str(file))
    data.setdefault("name", file.stem)
    study = apply(StudyRecipe, data, overrides, str(file))
    study._file = file
    return study


def is_study(path: Path) -> bool:
    """Whether a recipe's file is that of a study."""
    try:
        return verb_of(read_mapping(path)) == "study"
    except UsageError:
        return False
