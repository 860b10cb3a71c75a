"""A worker that writes what nodes would leave, as a script says, and a school that goes through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from errata.evals.results import ITEMS, MANIFEST, Item, Manifest, Sample, write_items, write_json
from errata.runs.run_dir import RunDir
from errata.school.graph import build_school
from errata.school.nodes.train import DIVERGED, NOTHING
from errata.school.places import AFTER, BEFORE, Task, places, start_judge, start_run
from errata.school.recipe import SchoolRecipe
from errata.school.record import School
from errata.school.run import record_of
from errata.school.runner import Ended, Runner
from errata.school.steps import Steps

Fate = Callable[[Task], tuple[int, str | None] | None]
"""How a node ends in place of well: exit code and error, or None."""


@dataclass
class Scripted:
    """A worker of plain files.

    right: of 40 judge items those that are right after each round, the start first. mastered, kept: problems that each
    exam shows as mastered, and how many of them the round's student keeps. diverges: (round, again) of trainings that
    diverge. empty: rounds whose lesson leaves nothing to learn from. chosen: by whom each round's problems are chosen.
    tokens: what each lesson pays.
    """

    school: SchoolRecipe
    right: Sequence[int] = (10, 25, 39, 39)
    mastered: int = 4
    kept: int = 4
    diverges: tuple[tuple[int, bool], ...] = ()
    empty: tuple[int, ...] = ()
    chosen: tuple[str, ...] = ("wrong", "rehearsal")
    tokens: int = 500
    usd: float = 0.25
    fate: Fate = lambda task: None
    asked: list[Task] = field(default_factory=list)
    interrupted: bool = False

    def ask(self, request: Mapping[str, Any]) -> tuple[int, str | None]:
        task = Task(**request["task"])
        self.asked.append(task)
        ended = self.fate(task)
        if ended is not None:
            return ended
        here = places(self.school, task.round)
        match task.kind:
            case "start":
                write_eval(start_judge(self.school), "untouched", self.school.task, 40, self.right[0])
                write_spent(start_run(self.school), 100)
            case "exam":
                write_eval(here.exam, "exam", "taught", 8, self.mastered)
                write_spent(here.exam_run, 200)
            case "choose":
                here.choices.write_text(
                    "".join(f'{{"id": "p{n}", "by": "{by}", "reason": "-"}}\n' for n, by in enumerate(self.chosen))
                )
                here.mastered_ids.write_text("".join(f'{{"id": "p{n}"}}\n' for n in range(self.mastered)))
            case "lesson":
                write_lesson(here.lesson, self.tokens, self.usd)
            case "train":
                out = here.student(task.again)
                if task.round in self.empty:
                    write_json_in(out, NOTHING, {"found": "no row: of 12 rationales 0 are right, 0 accepted"})
                    return 0, None
                config = {"training": {"learning_rate": 1e-4 if task.again else 2e-4}}
                write_json_in(out, "manifest.json", {"kind": "training", "status": "finished", "config": config})
                if (task.round, task.again) in self.diverges:
                    write_json_in(out, DIVERGED, {"found": "the loss is nan"})
            case "judge":
                write_eval(here.judge, f"round-{task.round}", self.school.task, 40, self.right[task.round])
                if self.mastered:
                    write_eval(here.mastered(BEFORE), "before", "taught", self.mastered, self.mastered)
                    write_eval(here.mastered(AFTER), "after", "taught", self.mastered, self.kept)
        return 0, None

    @property
    def done(self) -> list[str]:
        return [task.name for task in self.asked]


def gone_through(school: SchoolRecipe, worker: Scripted, said: list[str] | None = None) -> tuple[School, Ended | None]:
    """The school after one command, and how it ended before its last round, if it did."""
    school.home.mkdir(parents=True, exist_ok=True)
    runner = Runner(school, "the same", worker, (said if said is not None else []).append)
    steps = Steps(school, runner, record_of(school))
    steps.begin()
    try:
        build_school(steps.nodes).invoke({})
    except Ended as ended:
        return steps.record, ended
    return steps.record, None


def write_eval(folder: Path, label: str, task: str, items: int, right: int) -> None:
    """An eval directory whose first items are right."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        Item(
            id=f"p{n}",
            task=task,
            correct=n < right,
            answer=f"{label} {n}",
            samples=(Sample(text=f"{label} {n}", answer=str(n), correct=n < right),) * 2,
            meta={"split": "id"},
        )
        for n in range(items)
    ]
    write_items(folder / ITEMS, rows)
    manifest = Manifest(name=folder.name, label=label, model=f"local/{label}", decoding={"name": "judge"}, replicate=0)
    write_json(folder / MANIFEST, manifest.model_dump(by_alias=True))


def write_spent(run: Path, tokens: int) -> None:
    spent = {"paid": 1, "prompt_tokens": tokens // 2, "completion_tokens": tokens - tokens // 2, "usd": 0.0}
    write_json_in(run / "evals", "spent.json", {"all_runs": spent})


def write_lesson(folder: Path, tokens: int, usd: float, own: int = 0) -> None:
    """A lesson's run directory with what it has paid: the teachers' tokens, and the student's own in its exam."""
    folder.mkdir(parents=True, exist_ok=True)
    stages = {"exam": {"prompt_tokens": own, "completion_tokens": 0}}
    spent = {"paid": 9, "prompt_tokens": own + tokens, "completion_tokens": 0, "usd": usd, "stages": stages}
    RunDir(folder).write_manifest({"spent": {"all_runs": spent}, "problems": {"failed": {}}})


def write_json_in(folder: Path, name: str, value: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / name, value)
