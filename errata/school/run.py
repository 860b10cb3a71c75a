"""Runs a school, from the start or from where it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from errata.errors import EXIT_DONE, EXIT_SOME_FAILED, ErrataError
from errata.records import digest
from errata.runs.run_dir import locked
from errata.school.graph import build_school
from errata.school.preflight import check_lesson, parts_of
from errata.school.recipe import SchoolRecipe
from errata.school.record import FILE, School, read_school
from errata.school.runner import Ended, Runner, Worker
from errata.school.saved import plain_recipe, refuse_another, save, unchangeable
from errata.school.steps import Steps
from errata.school.stopping import DIVERGED_TWICE

Say = Callable[[str], None]


class Outcome(NamedTuple):
    """What a command came to: how the school stands, the exit code, and what went wrong."""

    school: School
    code: int
    error: str | None = None


class Listening(Worker, Protocol):
    """A worker that ends the node at work when it is asked to."""

    def listening(self) -> AbstractContextManager[None]:
        """As long as this holds, Ctrl-C ends the node at work where it can go on from."""


def run(school: SchoolRecipe, worker: Listening, say: Say, trusted: Sequence[str] = ()) -> Outcome:
    """Does what is not done yet.

    Args:
        worker: who does the nodes.
        trusted: hosts to which a provider's key may go.

    Raises:
        UsageError: problems, judge or lesson that cannot be right; a school of another recipe in the folder, or one
            that another process is at.
    """
    parts = parts_of(school)
    plain = plain_recipe(school, parts.code)
    refuse_another(school, plain)
    before = record_of(school)
    if _has_lessons_ahead(before, school):
        check_lesson(parts, say, trusted)
    for note in parts.notes:
        say(f"note: {note}")
    with locked(school.home):
        save(school, plain)
        runner = Runner(school, digest(unchangeable(plain), parts.hashes), worker, say)
        steps = Steps(school, runner, before)
        steps.begin()
        say(f"school    {len(parts.taught):,} problems may be taught; logs in {school.home / 'logs'}")
        with worker.listening():
            ended = _through(steps)
        if ended.reason is not None:
            steps.ended(ended.reason)
        return Outcome(steps.record, ended.code, ended.error)


def _through(steps: Steps) -> Ended:
    """Goes through the graph to its end, or to where the school ends before it."""
    try:
        end = build_school(steps.nodes).invoke({})
    except Ended as ended:
        return ended
    except ErrataError as error:
        return Ended(error.exit_code, str(error))
    return Ended(EXIT_SOME_FAILED if DIVERGED_TWICE in end["stopped"] else EXIT_DONE)


def record_of(school: SchoolRecipe) -> School:
    """How the school stands by its record; a new one where there is none."""
    return read_school(school.home) if (school.home / FILE).exists() else School(name=school.name)


def _has_lessons_ahead(record: School, school: SchoolRecipe) -> bool:
    return sum(each.lesson is not None for each in record.rounds) < school.rounds
