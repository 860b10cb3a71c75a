"""What a school has left behind, read for whoever shows it: its judged students, exams, and its lessons' explanations.

Directories that are missing or not finished are passed over: a school may be shown while it goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from errata.evals.results import ITEMS, Eval, Item, read_eval
from errata.records import Transcript
from errata.runs.run_dir import RunDir, is_run
from errata.runs.times import Times
from errata.runs.transcripts import read_transcripts
from errata.school.figures import Changed, Cure, Explained, Rights, changes, cures
from errata.school.places import AFTER, Places
from errata.school.record import Round, School, read_school
from errata.steps.record import read_record, times_of

MOST_CHARS = 600
"""Of an explanation or a question."""


@dataclass(frozen=True)
class History:
    """A school with what its directories hold."""

    home: Path
    school: School
    start: Eval | None = None
    judges: dict[int, Eval] = field(default_factory=dict)
    """By round."""
    exams: dict[int, Rights] = field(default_factory=dict)
    """By round, of the student that it started from, on what may be taught."""
    forgotten: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """By round, the problems that its student has wrong and the student before it had mastered."""
    explained: dict[int, list[Explained]] = field(default_factory=dict)
    """By round, the explanations of the student's mistakes in its lesson."""
    times: Times | None = None
    """When its nodes ran; None before one of them has ended."""

    @property
    def evals(self) -> list[Eval]:
        """All judged students, the untouched one first."""
        return [*([self.start] if self.start else []), *self.judges.values()]

    @property
    def task(self) -> str | None:
        """The judge's first task, which decides."""
        return next(iter(self.evals[0].by_task)) if self.evals else None

    @property
    def changed(self) -> list[Changed]:
        """On the judge's first task."""
        if self.start is None or self.task is None:
            return []
        task = self.task
        rounds = [(number, rights_of(each.by_task[task])) for number, each in self.judges.items()]
        return changes(rights_of(self.start.by_task[task]), rounds)

    @property
    def cures(self) -> list[Cure]:
        return cures(self.exams, self.explained)


def read_history(home: Path) -> History:
    """A school by its folder. Raises UsageError where there is no record, or an eval that cannot be read."""
    school = read_school(home)
    start = _finished(home, school.start.judge)
    history = History(home, school, start, times=times_of(read_record(home)))
    for each in school.rounds:
        _add(history, each)
    return history


def _add(history: History, done: Round) -> None:
    number, here = done.round, Places(Path(f"round-{done.round}"))
    if judge := _finished(history.home, done.judge):
        history.judges[number] = judge
    if exam := _finished(history.home, done.exam):
        history.exams[number] = rights_of(exam.items)
    if after := _finished(history.home, str(here.mastered(AFTER))):
        history.forgotten[number] = tuple(item for item, right in rights_of(after.items).items() if not right)
    if done.lesson and is_run(history.home / done.lesson):
        run = RunDir(history.home / done.lesson)
        history.explained[number] = list(explanations(read_transcripts(run.log, run.index().in_input_order())))


def rights_of(items: Iterable[Item]) -> Rights:
    """By the items' ids."""
    return {item.id: float(item.correct) > 0.5 for item in items}


def explanations(transcripts: Iterable[Transcript]) -> Iterator[Explained]:
    """Those of the student's mistakes."""
    for each in transcripts:
        mistaken = {rationale.id for rationale in each.rationales if rationale.role == "student"}
        for one in each.explanations:
            if one.rationale_id in mistaken:
                text, question = one.text[:MOST_CHARS], each.problem.question[:MOST_CHARS]
                yield Explained(each.problem.id, question, one.author, text, tuple(one.kinds))


def _finished(home: Path, place: str | None) -> Eval | None:
    if place is None or not (home / place / ITEMS).is_file():
        return None
    result = read_eval(home / place)
    return result if result.manifest.status == "finished" and result.items else None
