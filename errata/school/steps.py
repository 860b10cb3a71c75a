"""What each node of the school does: its work through the runner, its outcome into school.json, and what follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from errata.school.choosing import REHEARSAL
from errata.school.graph import Node, State
from errata.school.nodes.train import has_diverged, nothing_learned
from errata.school.places import Places, Task, places, start_judge, start_run, untouched, within
from errata.school.recipe import SchoolRecipe
from errata.school.record import Round, School, Start, write_school
from errata.school.results import (
    accuracy_of,
    forgotten_of,
    gain_of,
    lost_in,
    mastered_of,
    paid_by_evals,
    paid_in,
)
from errata.school.runner import Runner
from errata.school.stopping import DIVERGED_TWICE, NO_PROBLEM, NOTHING_TO_LEARN, last_good, why_stop


class Steps:
    """The nodes of one school. `record` is what school.json holds."""

    def __init__(self, school: SchoolRecipe, runner: Runner, record: School) -> None:
        self.school, self.runner, self.record = school, runner, record

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes by the names in graph.NODES."""
        return {
            "start": self.start,
            "exam": self.exam,
            "choose": self.choose,
            "lesson": self.lesson,
            "train": self.train,
            "judge": self.judge,
            "stop": self.stop,
        }

    def begin(self) -> None:
        """Writes that the school goes on."""
        self._write(self.record.model_copy(update={"stopped": None}))

    def start(self, state: State) -> State:
        school, out = self.school, start_judge(self.school)
        self.runner.do(Task("start", 0), out)
        paid = paid_by_evals(start_run(school))
        start = Start(
            student=within(school, untouched(school)),
            judge=within(school, out),
            accuracy=accuracy_of(out, school.task),
            own_tokens=paid.own_tokens,
            dollars=paid.dollars,
            hours=self.runner.hours_of(0),
        )
        self._write(self.record.model_copy(update={"start": start}))
        return {"round": 1, "student": untouched(school), "judged": str(out), "again": False}

    def exam(self, state: State) -> State:
        here = self._here(state)
        self.runner.do(Task("exam", state["round"], state["student"]), here.exam)
        self._settle(state, exam=within(self.school, here.exam))
        return {}

    def choose(self, state: State) -> State:
        here = self._here(state)
        self.runner.do(Task("choose", state["round"], state["student"]), here.choices)
        by = [json.loads(line)["by"] for line in here.choices.read_bytes().splitlines()]
        self._settle(state, choices=within(self.school, here.choices), chosen=len(by), mastered=mastered_of(here))
        if all(name == REHEARSAL for name in by):
            return {"next": "stop", "stopped": NO_PROBLEM}
        return {"next": "lesson"}

    def lesson(self, state: State) -> State:
        here = self._here(state)
        usd, tokens = self.runner.left(state["round"])
        try:
            self.runner.do(Task("lesson", state["round"], state["student"], usd=usd, tokens=tokens), here.lesson)
        finally:
            self._settle(state)
        lost = lost_in(here.lesson)
        if lost:
            self.runner.say(f"round-{state['round']} lesson: {lost} problems were lost to a provider")
        self._settle(state, lesson=within(self.school, here.lesson), lost=lost)
        return {}

    def train(self, state: State) -> State:
        here, again, number = self._here(state), state["again"], state["round"]
        out = here.student(again)
        self.runner.do(Task("train", number, state["student"], again=again), out)
        if nothing := nothing_learned(here, again):
            return {"next": "stop", "stopped": f"round {number}: {NOTHING_TO_LEARN}: {nothing}"}
        if not has_diverged(here, again):
            rate = learning_rate_of(out)
            self._settle(state, student=within(self.school, out), learning_rate=rate, repeated=again)
            return {"next": "judge"}
        self._settle(state, repeated=again)
        if again:
            return {"next": "stop", "stopped": f"round {number}: {DIVERGED_TWICE}"}
        self.runner.say(f"round-{number} train: diverged; once more from the last good student, at half the rate")
        return {"next": "train", "again": True}

    def judge(self, state: State) -> State:
        here, number = self._here(state), state["round"]
        student = str(here.student(state["again"]))
        self.runner.do(Task("judge", number, state["student"], student), here.judge)
        accuracy, task = accuracy_of(here.judge, self.school.task), self.school.task
        gain, forgotten = gain_of(Path(state["judged"]), here.judge, task), forgotten_of(here)
        judge = within(self.school, here.judge)
        self._settle(state, judge=judge, accuracy=accuracy, gain=gain, forgotten=forgotten)
        self.runner.say(
            f"round-{number}: {100 * accuracy.value:.1f} % right, "
            f"{100 * gain.difference:+.1f} points [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}], {gain.verdict}"
        )
        why = why_stop(self.record.rounds[:number], self.school.stop, self.school.rounds)
        if why:
            return {"next": "stop", "stopped": why}
        return {"next": "exam", "round": number + 1, "student": student, "judged": str(here.judge), "again": False}

    def stop(self, state: State) -> State:
        self.ended(state["stopped"])
        return {}

    def ended(self, reason: str | None) -> None:
        """Writes why the school ends."""
        self._write(self.record.model_copy(update={"stopped": reason}))

    # ---- the record ----

    def _here(self, state: State) -> Places:
        return places(self.school, state["round"])

    def _settle(self, state: State, **known: Any) -> None:
        """Writes what is known of the round, and what it has taken so far."""
        number, paid = state["round"], paid_in(self._here(state))
        known |= paid._asdict() | {"hours": self.runner.hours_of(number)}
        changed: Round = self.record.round(number).model_copy(update=known)
        self._write(self.record.with_round(changed))

    def _write(self, record: School) -> None:
        good = last_good(record.rounds, self.school.stop) or record.start.student
        self.record = record.model_copy(update={"student": good})
        write_school(self.school.home, self.record)


def learning_rate_of(student: Path) -> float | None:
    """The rate that a training was told; None where its manifest does not say."""
    from errata.training.checkpoints import manifest_of

    rate = manifest_of(student).get("config", {}).get("training", {}).get("learning_rate")
    return float(rate) if isinstance(rate, int | float) else None
