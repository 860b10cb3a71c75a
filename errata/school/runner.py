"""Does a school's nodes, each once: in a worker process, within the budget, with what it came to written down at once.

A node that is done is known by its line in steps.jsonl, by what went into it, and by what it has left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from errata.errors import EXIT_BUDGET, EXIT_DONE, EXIT_INTERRUPTED, UsageError
from errata.records import digest
from errata.runs.progress import duration
from errata.school.places import Places, Task, log_of, places, start_run
from errata.school.recipe import SchoolRecipe
from errata.school.results import Payments, paid_by_evals, paid_in
from errata.steps.record import Finish, append, hours, read_record

Say = Callable[[str], None]


class Worker(Protocol):
    """Whoever does nodes, as a process of errata.school.worker does."""

    interrupted: bool
    """The command was asked to end."""

    def ask(self, request: Mapping[str, Any]) -> tuple[int, str | None]:
        """Has a node done: its exit code, and what went wrong."""


class Ended(Exception):
    """The school ends before its last round. `reason` stands in its record; None: the same command goes on."""

    def __init__(self, code: int, error: str | None = None, reason: str | None = None) -> None:
        super().__init__(error or reason)
        self.code, self.error, self.reason = code, error, reason


class Runner:
    """One command's work on a school's folder.

    Args:
        identity: of all that makes a node's outcome but for the nodes before it.
    """

    def __init__(self, school: SchoolRecipe, identity: str, worker: Worker, say: Say) -> None:
        self.school, self.identity, self.worker, self.say = school, identity, worker, say
        self.steps = read_record(school.home)
        self.before = hours(self.steps)
        self.begun, self.started = time.time(), time.monotonic()

    # ---- nodes ----

    def do(self, task: Task, out: Path) -> None:
        """Does a node that is not done yet. Raises Ended where it is stopped, fails, or may not begin."""
        if self.is_done(task, out):
            return
        self._refuse_to_begin(task)
        self.say(f"{task.name}: begun")
        started = time.monotonic()
        request = {"step": task.name, "log": str(log_of(self.school, task)), "task": task._asdict()}
        code, error = self.worker.ask(request)
        seconds = time.monotonic() - started
        finish = Finish(task.name, self._inputs(task), code, seconds, self.begun, time.monotonic() - self.started)
        append(self.school.home, finish)
        self.steps.append(finish)
        if code != EXIT_DONE:
            raise self._ended(task, code, error)
        self.say(f"{task.name}: done in {duration(seconds)}")

    def is_done(self, task: Task, out: Path) -> bool:
        """Whether the node has left what it should. Raises UsageError where it was done with other problems."""
        finish = next((each for each in self.steps if each.step == task.name and each.code == EXIT_DONE), None)
        if finish is None or not out.exists():
            return False
        if finish.inputs != self._inputs(task):
            raise UsageError(
                f"{out} was made from other problems",
                "questions, gold answers or their number have changed since, under the same recipe",
                "restore the data, or give this school a name of its own: name=...",
            )
        return True

    def _inputs(self, task: Task) -> str:
        return digest(self.identity, task.name)

    def _ended(self, task: Task, code: int, error: str | None) -> Ended:
        if code == EXIT_INTERRUPTED or self.worker.interrupted:
            return Ended(EXIT_INTERRUPTED)
        reason = f"the budget ended in {task.name}" if code == EXIT_BUDGET else None
        log = f"{task.name} failed, see {log_of(self.school, task)}"
        return Ended(code, "\n".join(filter(None, (None if reason else log, error))), reason)

    # ---- the budget ----

    def paid(self, but: int = 0) -> Payments:
        """In the school so far, but for one round's lesson."""
        total = paid_by_evals(start_run(self.school))
        for here in self._rounds(but):
            total = total.plus(paid_in(here))
        return total

    def left(self, number: int) -> tuple[float | None, int | None]:
        """Dollars and teachers' tokens that this round's lesson may pay in all, what it has paid already among them."""
        budget, others = self.school.budget, self.paid(but=number)
        usd = None if budget.dollars is None else max(0.0, budget.dollars - (others.dollars or 0.0))
        tokens = None if budget.teacher_tokens is None else max(0, budget.teacher_tokens - others.teacher_tokens)
        return usd, tokens

    def hours(self) -> float:
        """At work, over all commands."""
        return self.before + (time.monotonic() - self.started) / 3600

    def hours_of(self, number: int) -> float:
        """Of one round's nodes; 0 is the start."""
        first = f"round-{number} " if number else "start"
        return round(sum(each.seconds for each in self.steps if each.step.startswith(first)) / 3600, 4)

    def _rounds(self, but: int) -> Iterator[Places]:
        number = 1
        while (here := places(self.school, number)).folder.is_dir():
            if number != but:
                yield here
            number += 1

    def _refuse_to_begin(self, task: Task) -> None:
        if self.worker.interrupted:
            raise Ended(EXIT_INTERRUPTED)
        budget = self.school.budget
        if budget.hours is not None and self.hours() >= budget.hours:
            raise Ended(EXIT_BUDGET, reason=f"the budget of {budget.hours:g} hours is used up")
        if task.kind == "exam":
            usd, tokens = self.left(task.round)
            if usd == 0 and budget.dollars:
                raise Ended(EXIT_BUDGET, reason=f"the budget of {budget.dollars:g} dollars is used up")
            if tokens == 0 and budget.teacher_tokens:
                raise Ended(EXIT_BUDGET, reason=f"the budget of {budget.teacher_tokens:,} teacher tokens is used up")
