"""A person's marks: which rationales of a run are right or wrong, and where a wrong one first goes wrong.

    RUN/marks.jsonl   {"rationale": ID, "verdict": "right"}
                      {"rationale": ID, "verdict": "wrong", "first_wrong_step": 1}

Lines are only ever added; of several about one rationale the last counts. The log itself stays as it is: marks are laid
over its transcripts when they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from errata.errors import UsageError
from errata.grading.steps import steps_of
from errata.records import Rationale, Record, StepVote, Transcript, WrongStep
from errata.runs.run_dir import RunDir

PERSON = "person"


class Mark(Record):
    """What a person says of one rationale: whether its answer is right, and of a wrong one perhaps the step, from 0."""

    rationale: str
    verdict: Literal["right", "wrong"]
    first_wrong_step: int | None = None

    @property
    def right(self) -> bool:
        return self.verdict == "right"


Marks = Mapping[str, Mark]
"""By rationale id, the last of each."""


def marks_file(run: RunDir) -> Path:
    return run.path / "marks.jsonl"


def read_marks(path: Path) -> dict[str, Mark]:
    """The marks in a file of JSON lines. Raises UsageError where it cannot be read, and on a line that is no mark."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror or error}", "a person's marks are read from it", "check the path"
        ) from error
    marks = (_mark(path, number, line) for number, line in enumerate(lines, 1) if line.strip())
    return {mark.rationale: mark for mark in marks}


def marks_in(run: RunDir) -> dict[str, Mark]:
    """The marks that a run holds; none where nobody has marked anything."""
    return read_marks(marks_file(run)) if marks_file(run).is_file() else {}


def _mark(path: Path, number: int, line: bytes) -> Mark:
    try:
        mark = Mark.model_validate_json(line)
    except ValidationError as error:
        raise UsageError(
            f"{path}, line {number} is no mark",
            'a mark is {"rationale": ID, "verdict": "right" or "wrong"}, of a wrong one "first_wrong_step" if known',
            "correct the line, or remove it",
        ) from error
    if mark.right and mark.first_wrong_step is not None:
        raise UsageError(
            f"{path}, line {number}: a right rationale with a first wrong step",
            "a mark says whether the answer is right",
            "write wrong, or leave the step out",
        )
    return mark


# ---- over the log ----------------------------------------------------------------------------------------------------


def with_marks(transcripts: Iterable[Transcript], marks: Marks) -> Iterator[Transcript]:
    """The transcripts with a person's marks in their rationales: `marked`, and the first wrong step."""
    for transcript in transcripts:
        if not any(each.id in marks for each in transcript.rationales):
            yield transcript
            continue
        rationales = tuple(_marked(each, marks.get(each.id)) for each in transcript.rationales)
        yield transcript.model_copy(update={"rationales": rationales})


def _marked(rationale: Rationale, mark: Mark | None) -> Rationale:
    if mark is None:
        return rationale
    changed: dict[str, object] = {"marked": mark.right}
    if mark.first_wrong_step is not None:
        changed["wrong_step"] = _certain(rationale, mark.first_wrong_step)
    return rationale.model_copy(update=changed)


def _certain(rationale: Rationale, step: int) -> WrongStep:
    """The first wrong step as a person saw it, beside the votes of the log."""
    steps = steps_of(rationale.text)
    votes = rationale.wrong_step.votes if rationale.wrong_step else ()
    return WrongStep(
        span=steps[step],
        probability=1.0,
        steps=steps,
        probabilities=tuple(float(number == step) for number in range(len(steps))),
        votes=(*votes, StepVote(source=PERSON, step=step)),
    )
