"""What the nodes of a round came to, read from the directories that they have written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from errata.config.files import read_json
from errata.data.only import ids_in
from errata.evals.compare import compare
from errata.evals.measure import interval_of
from errata.evals.reply_store import LEDGER, SPENT
from errata.evals.results import read_eval
from errata.runs.run_dir import RunDir
from errata.school.places import AFTER, BEFORE, Places
from errata.school.record import Accuracy, Gain


class Payments(NamedTuple):
    """Tokens, prompts and replies, and dollars that were paid; None where a price is unknown."""

    teacher_tokens: int = 0
    own_tokens: int = 0
    dollars: float | None = 0.0

    def plus(self, other: Payments) -> Payments:
        unknown = self.dollars is None or other.dollars is None
        return Payments(
            self.teacher_tokens + other.teacher_tokens,
            self.own_tokens + other.own_tokens,
            None if unknown else round((self.dollars or 0.0) + (other.dollars or 0.0), 8),
        )


def accuracy_of(folder: Path, task: str) -> Accuracy:
    """On one task of an eval directory."""
    interval = interval_of(read_eval(folder).by_task[task])
    return Accuracy(value=interval.value, low=interval.low, high=interval.high)


def gain_of(before: Path, after: Path, task: str) -> Gain:
    """Of one student over another on a task that both were judged on; raises UsageError where items differ."""
    old, new = read_eval(before), read_eval(after)
    pair = (new.manifest.label, old.manifest.label)
    one = compare([old, new], pairs=[pair], claims=(), tasks=[task]).differences[0]
    interval = one.difference
    return Gain(difference=interval.value, low=interval.low, high=interval.high, p=one.p, verdict=one.verdict)


def mastered_of(here: Places) -> float:
    """Share of the exam's problems of which every sample is right."""
    return len(ids_in(here.mastered_ids)) / len(read_eval(here.exam).items)


def forgotten_of(here: Places) -> float | None:
    """What accuracy on the mastered problems fell by, both students asked anew; None where none was mastered."""
    if not here.mastered(AFTER).is_dir():
        return None
    before, after = (
        sum(float(item.correct) for item in items) / len(items)
        for items in (read_eval(here.mastered(who)).items for who in (BEFORE, AFTER))
    )
    return before - after


# ---- what was paid ---------------------------------------------------------------------------------------------------


def paid_in(here: Places) -> Payments:
    """In one round so far: by its lesson, and by its exam and judging."""
    total = paid_by_lesson(here.lesson)
    for run in (here.exam_run, here.judge_run, here.mastered_run):
        total = total.plus(paid_by_evals(run))
    return total


def paid_by_lesson(lesson: Path) -> Payments:
    """By the ledger of a lesson's run. What its exam asks is the student's own, all else is the teachers'."""
    spent = RunDir(lesson).manifest().get("spent", {}).get("all_runs")
    if not spent:
        return Payments()
    own = _tokens(spent.get("stages", {}).get("exam", {}))
    return Payments(_tokens(spent) - own, own, spent["usd"])


def paid_by_evals(run: Path) -> Payments:
    """By the ledger of an eval's run."""
    spent = read_json(run / LEDGER / SPENT)
    return Payments(0, _tokens(spent["all_runs"]), spent["all_runs"]["usd"]) if spent else Payments()


def _tokens(spent: dict[str, Any]) -> int:
    return int(spent.get("prompt_tokens", 0)) + int(spent.get("completion_tokens", 0))


def lost_in(lesson: Path) -> int:
    """Problems of a lesson that a provider failed."""
    failed: dict[str, int] = RunDir(lesson).manifest().get("problems", {}).get("failed", {})
    return sum(failed.values())
