"""What is asked at an eval: a source of problems with its mapping, read once, and where it meets training data.

A ready task is named in the recipe and may be changed there; one of your own needs a source and a mapping:

    tasks:
      gsm8k: {limit: 100}
      mine: {source: mine.jsonl, mapping: {question: q, answer: a, kind: number}, grader: my_grader.py:NAME}
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field

from errata.config.code import Reference
from errata.config.env import expand
from errata.data.contamination import EvalSet
from errata.data.problems import Problems
from errata.data.source import ProblemSource
from errata.errors import UsageError, did_you_mean
from errata.records import Problem, canonical

_DATA = "${ERRATA_DATA:-data}"


class Task(ProblemSource):
    """`domain` says whether training data is meant to look like it: `id`, `ood`, or a word of one's own."""

    domain: str = "id"
    limit: int | None = Field(default=None, ge=1)
    """The first so many problems."""
    grader: Reference | None = None
    """A scorer of one's own for this task, in place of the recipe's grader."""


def _classroom(split: str, domain: str) -> Task:
    return Task(source="classroom", options={"split": split, "count": 500, "seed": 1}, domain=domain)


READY: dict[str, Task] = {
    "gsm8k": Task(source=f"{_DATA}/gsm8k/test.jsonl", mapping="gsm8k"),
    # SVAMP has no split of its own: its test set is what the 700 problems of MCC-KD's training file leave
    "svamp": Task(
        source=f"{_DATA}/svamp/SVAMP.json",
        mapping="svamp",
        exclude=(ProblemSource(source=f"{_DATA}/mcc_kd/SVAMP/train.json", mapping="mcc_kd_svamp"),),
    ),
    "multiarith": Task(source=f"{_DATA}/multiarith/MultiArith.json", mapping="multiarith", domain="ood"),
    "aqua": Task(source=f"{_DATA}/aqua/test.json", mapping="aqua"),
    "commonsenseqa": Task(source=f"{_DATA}/commonsenseqa/dev_rand_split.jsonl", mapping="commonsenseqa"),
    "strategyqa": Task(source=f"{_DATA}/strategyqa/dev.json", mapping="strategyqa"),
    "logiqa": Task(source=f"{_DATA}/logiqa/Test.txt", mapping="logiqa"),
    "bbh": Task(source=f"{_DATA}/bbh/*.json", mapping="bbh", split="test"),
    # MATH problems of the NAT data stand in MATH's training split: a subject that training leaves out can be a test
    "math_counting": Task(
        source=f"{_DATA}/tdg/gpt4_math.jsonl",
        mapping="tdg_math",
        where={"type": "Counting & Probability"},
        domain="ood",
    ),
    "math_number_theory": Task(
        source=f"{_DATA}/tdg/gpt4_math.jsonl", mapping="tdg_math", where={"type": "Number Theory"}, domain="ood"
    ),
    "classroom_id": _classroom("id", "id"),
    "classroom_ood4": _classroom("ood4", "ood"),
    "classroom_dis2": _classroom("dis2", "ood"),
    "classroom_template": _classroom("template", "ood"),
}
"""By the names a recipe may use. No problem of the classroom's tests has the operations and numbers of a lesson's."""


@dataclass(frozen=True)
class TaskProblems:
    """A task's problems in input order, under the task's name in the recipe. `notes` tell what was left out."""

    name: str
    spec: Task
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    def about(self) -> dict[str, Any]:
        """The task as a manifest states it."""
        return {
            "source": self.spec.source,
            "split": self.spec.domain,
            "n": len(self.problems),
            "hash": content_hash(self.problems),
        } | ({"grader": str(self.spec.grader)} if self.spec.grader is not None else {})


def task_data(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """A task of a recipe as plain data: one's own where it names a source, else the ready one of this name, changed."""
    if changes.get("source"):
        return dict(changes)
    if name not in READY:
        raise UsageError(
            f"tasks.{name} has no source, and no ready task is called {name}",
            "a task says where its problems come from",
            did_you_mean(name, READY, f"give it a source and a mapping, or name one of {', '.join(READY)}"),
        )
    ready = READY[name]
    return {**ready.model_dump(), **changes, "options": {**ready.options, **changes.get("options", {})}}


def read_task(name: str, spec: Task) -> TaskProblems:
    """Reads a task's problems. Raises UsageError naming the file and record that is none, or without gold answers."""
    if spec.gold != "all":
        raise UsageError(
            f"tasks.{name}.gold is {spec.gold}",
            "an eval says how many answers are right, which only gold answers tell",
            "leave gold out and name the field with the answers, or evaluate on another task",
        )
    problems = Problems(spec, spec.limit)
    read = tuple(problems)
    return TaskProblems(name, spec, read, tuple(f"{name}: {note}" for note in problems.notes()))


def content_hash(problems: Iterable[Problem]) -> str:
    """Of questions, options and gold answers, in order."""
    content = hashlib.sha256()
    for each in problems:
        content.update(canonical([each.id, each.question, each.choices, each.answer, *each.answers]))
    return content.hexdigest()[:16]


# ---- what an item tells of its problem -------------------------------------------------------------------------------


def question_meta(problem: Problem) -> dict[str, Any]:
    """What an item's meta tells of the question and of what it is graded by; no options and further golds unless any.

    `{"gold": "B", "question": "Which is prime?", "choices": ["8", "7"]}`
    """
    several = {"choices": list(problem.choices), "answers": list(problem.answers)}
    return {
        "gold": problem.answer,
        "question": problem.question,
        **{key: each for key, each in several.items() if each},
    }


def meta_of(task: TaskProblems, problem: Problem) -> dict[str, Any]:
    """What was asked (`QUESTION_META`), `split`, subject, level, steps and the classroom's words, where known."""
    meta: dict[str, Any] = {**question_meta(problem), "split": task.spec.domain}
    steps = _steps(problem)
    if steps is not None:
        meta["steps"] = steps
    own = problem.meta
    subject = own.get("type") or own.get("Type") or own.get("subject")
    if problem.task.startswith("bbh_"):
        subject = problem.task.removeprefix("bbh_")
    if subject is not None:
        meta["subject"] = str(subject)
    if problem.task != "classroom" and own.get("level") is not None:
        meta["level"] = str(own["level"])
    for key in ("units", "withheld", "distractors"):
        if problem.task == "classroom" and key in own:
            meta[key] = own[key]
    return meta


def _steps(problem: Problem) -> int | None:
    """How many steps the data's own solution has, where it is known to be written step by step."""
    if problem.task == "classroom":
        return len(problem.meta["steps"])
    if problem.task == "gsm8k" and problem.rationale:
        return len([line for line in problem.rationale.splitlines() if line.strip()])
    if isinstance(problem.meta.get("decomposition"), list):
        return len(problem.meta["decomposition"])
    for key in ("lEquations", "Equation"):
        if key in problem.meta:
            return len(re.findall(r"(?<=[\d.)\s])[-+*/](?=[\d.(\s])", str(problem.meta[key]))) or None
    return None


# ---- does training data hold it? -------------------------------------------------------------------------------------


def overlap_with(tasks: Sequence[TaskProblems], training: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many items of each task stand in the training data: `question`, the same but for case and punctuation, or
    else `ngram`, 13 words in a row.

    Args:
        training: run directories and exported files.
    """
    if not training:
        return {}
    known = EvalSet("training", (each for path in training for each in _trained_on(Path(expand(path)))))
    overlap: dict[str, dict[str, int]] = {}
    for task in tasks:
        met = [known.meets(problem) for problem in task.problems]
        overlap[task.name] = {"question": met.count("question"), "ngram": met.count("ngram")}
    return overlap


def _trained_on(path: Path) -> Iterable[Problem]:
    """The problems behind a run's log or an export, as far as an overlap needs them."""
    file = path / "transcripts.jsonl" if path.is_dir() else path
    try:
        with file.open("rb") as lines:
            for line in lines:
                yield from _questions(orjson.loads(line))
    except (OSError, orjson.JSONDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read: {error}", "an overlap with it was asked for", "name a run or an exported file"
        ) from error


def _questions(row: dict[str, Any]) -> Iterable[Problem]:
    problem = row.get("problem")
    if isinstance(problem, dict):
        yield Problem.model_validate({key: problem[key] for key in Problem.model_fields if key in problem})
        return
    prompt = row.get("prompt") or row.get("messages")
    if isinstance(prompt, list):
        prompt = next((turn.get("content") for turn in prompt if turn.get("role") == "user"), None)
    if isinstance(prompt, str):
        question, choices = _asked_in(prompt)
        yield Problem(id="-", task="-", question=question, answer="-", kind="string", choices=choices)


_OPTION = re.compile(r"^[A-Z]\. (.*)$")


def _asked_in(prompt: str) -> tuple[str, tuple[str, ...]]:
    """Question and options of an exported prompt: what stands before the shipped instruction to reason step by step."""
    lines = (prompt.rpartition("\nReason step by step")[0].strip() or prompt).split("\n")
    choices: list[str] = []
    while len(lines) > 1 and (option := _OPTION.match(lines[-1])):
        choices.insert(0, option[1])
        lines.pop()
    return "\n".join(lines).strip(), tuple(choices)
