"""What became of a school: `school.json`, written anew after every node, and what a reader may rely on in it.

Paths are relative to the school's folder. What a node has not come to is null.
"""

from __future__ import annotations

from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from errata.config.files import read_plain, write_whole
from errata.errors import UsageError
from errata.evals.evidence import Verdict
from errata.records import to_json

FILE = "school.json"
CHECKPOINT = "config.json"
"""What no folder of a school holds, and every checkpoint."""


class _Part(BaseModel):
    """Frozen; keys of later versions are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Accuracy(_Part):
    """On the judge's first task, a share from 0 to 1 with its 95 % interval."""

    value: float
    low: float
    high: float


class Gain(_Part):
    """Accuracy minus that of the student that the round started from, on the same items, with its 95 % interval."""

    difference: float
    low: float
    high: float
    p: float
    verdict: Verdict


class Round(_Part):
    """One round, as far as it has come."""

    round: int
    """Counted from 1."""
    exam: str | None = None
    """Eval directory of the student that the round started from, on all problems that may be taught."""
    choices: str | None = None
    """JSON lines `{"id", "by", "reason"}`, one per chosen problem."""
    lesson: str | None = None
    """Run directory."""
    student: str | None = None
    """The checkpoint that the round made."""
    judge: str | None = None
    """Eval directory of that student, on problems that are never taught."""
    teacher_tokens: int = 0
    """Paid to others than the student, prompts and replies."""
    own_tokens: int = 0
    """The student's own: exam, lesson and judging."""
    dollars: float | None = 0.0
    """Paid in this round; null where a price is unknown."""
    hours: float = 0.0
    """Of its nodes, those that failed or were stopped among them."""
    learning_rate: float | None = None
    repeated: bool = False
    """The training diverged at twice this rate, and was repeated from the last good student."""
    chosen: int | None = None
    """Problems of the lesson."""
    lost: int = 0
    """Problems of the lesson that a provider failed."""
    accuracy: Accuracy | None = None
    gain: Gain | None = None
    mastered: float | None = None
    """Share of the problems that may be taught of which the exam has every sample right."""
    forgotten: float | None = None
    """On the mastered problems, asked anew and greedily: accuracy before the round minus that after it."""


class Start(_Part):
    """The untouched student."""

    student: str | None = None
    """Relative to the school's folder where it lies in it, else as the recipe names it."""
    judge: str | None = None
    accuracy: Accuracy | None = None
    own_tokens: int = 0
    dollars: float | None = 0.0
    hours: float = 0.0


class School(_Part):
    """A school as it stands. `student` is the last good one; `stopped` says why it ended, null while it goes on."""

    name: str
    start: Start = Start()
    rounds: tuple[Round, ...] = ()
    stopped: str | None = None
    student: str | None = None

    def round(self, number: int) -> Round:
        """The round of this number, a new one where it has not begun."""
        return next((each for each in self.rounds if each.round == number), Round(round=number))

    def with_round(self, changed: Round) -> School:
        others = [each for each in self.rounds if each.round != changed.round]
        return self.model_copy(update={"rounds": tuple(sorted((*others, changed), key=lambda each: each.round))})


def write_school(home: Path, school: School) -> None:
    """Replaces school.json at once."""
    plain = orjson.loads(to_json(school.model_dump()))
    write_whole(home / FILE, orjson.dumps(plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read_school(home: Path) -> School:
    """The record in a school's folder. Raises UsageError where there is none, or one that cannot be read."""
    file = home / FILE
    try:
        return School.model_validate(orjson.loads(read_plain(file)))
    except (OSError, orjson.JSONDecodeError, ValidationError) as error:
        raise UsageError(
            f"{file} cannot be read: {error}"[:300], "it says how a school stands", "run `errata school RECIPE`"
        ) from error


def holds_school(folder: Path) -> bool:
    """Whether the record of a school lies there, as a plain file: a pipe or a link is none.

    Nor is the `school.json` of a pre-trained student, which lies in a checkpoint.
    """
    file = folder / FILE
    return file.is_file() and not file.is_symlink() and not (folder / CHECKPOINT).exists()


def placed(home: Path, student: Path) -> Path:
    """Where a student lies that the record names: within the school's folder, or as the recipe names it."""
    return home / student if (home / student).exists() else student
