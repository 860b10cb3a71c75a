"""The tiny student's school: from nothing to what the classroom's `school` split teaches.

    24,000 school problems --> a row each: solve, or (8 %) point out a mistake --> one epoch --> exam --> checkpoint

A schooled student chains steps and calculates, but has never read the withheld words (a half of the units, some verbs,
`fewer`, `times`): what it then gets wrong in a lesson is what a lesson can teach it. It reads the shipped prompts
through the one renderer, so that it sits an exam as `local/PATH` like any checkpoint. In about 100 s on one core the
seeds 0, 1 and 2 came to 93, 91 and 90 % of held-out school problems, and the first to 48 % of a lesson's. Of the second
mode it learns the language rather than the judgement: its remarks name a step and a right one, seldom the true ones.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock
from pydantic import Field

from errata.agents.prompts import Prompts, load_prompts
from errata.agents.student import explain_messages, student_messages
from errata.classroom.grammar import CONTAINERS, NAMES, OBJECTS, UNITS, VERBS, WITHHELD, parse
from errata.classroom.hashed_random import HashedRandom
from errata.classroom.problems import problems
from errata.classroom.solve import VOICES, work, write, wrong
from errata.config.base import Settings
from errata.errors import ErrataError, UsageError
from errata.grading.grader import Grader
from errata.llm.backends.simulated.feedback import explain
from errata.llm.backends.simulated.persona import persona
from errata.models.generate import generate
from errata.models.load import load
from errata.models.prompting import example_ids, prompt_ids
from errata.models.row import Generated
from errata.models.sampling import Decoding, Job
from errata.records import Message, Problem, digest, draw
from errata.training.classroom_student import loop as schooling
from errata.training.classroom_student import model as tiny

CONTEXT, LONGEST_ANSWER = 256, 128
RECORD = "school.json"
SPOKEN = "as many than away every before it are and so steps should lead right"
"""Words that a lesson's problems and teachers use and a short school may not."""
WORDS = (*NAMES, *OBJECTS, *CONTAINERS, *UNITS, *VERBS, *sorted(WITHHELD), *SPOKEN.split())
_SILENT_S = 1.8
"""Seconds at most between two lines of progress, as far as one step or row is no longer than that."""


class Pretraining(Settings):
    """What is taught, how, and when a student is admitted. The same settings give the same student on the same kind of
    machine; another seed gives another student, of other problems."""

    problems: int = Field(default=24_000, gt=0)
    """Each gives one row, read once."""
    explained: float = Field(default=0.08, ge=0, le=1)
    """Share of the rows that ask for the mistake in a wrong solution."""
    batch: int = Field(default=32, gt=0)
    learning_rate: float = Field(default=4e-3, gt=0)
    seed: int = 0
    examined: int = Field(default=400, gt=0)
    """Held-out school problems, none with the numbers of a schooled one."""
    admitted: float = Field(default=0.85, ge=0, le=1)
    """The least share of them that an admitted student solves."""

    @property
    def steps(self) -> int:
        return -(-self.problems // self.batch)


class PretrainedStudent(NamedTuple):
    """An admitted student: a checkpoint's folder, and the shares of its exam.

    solved: of held-out school problems. explained: of held-out mistakes, those pointed out in the reference's words.
    """

    path: Path
    solved: float
    explained: float


class Example(NamedTuple):
    """One thing taught: what is read, what is written, and the operations and numbers of its problem."""

    messages: tuple[Message, ...]
    completion: str
    signature: str


def pretrain(folder: Path, school: Pretraining, tell: Callable[[str], None]) -> PretrainedStudent:
    """The student of this school: from `folder` if it is there, else schooled and put there.

    Not to be called from a running event loop. `tell` gets a line of progress every two seconds. Raises ErrataError
    where the student fails its exam; then, or if killed, nothing stays that would be taken for a checkpoint.
    """
    name = f"tiny-{recipe_hash(school)}"
    path, part = folder / name, folder / f".{name}.part"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{name}.lock"):
        if not path.is_dir():
            shutil.rmtree(part, ignore_errors=True)  # of one that was killed
            with schooling.one_thread():
                _train(part, school, tell)
            part.rename(path)
        return _recorded(path)


def recipe_hash(school: Pretraining) -> str:
    """Of all that makes the student: settings, shape, and a sample of the very rows, prompts included."""
    sample = rows(school.model_copy(update={"problems": 200}), load_prompts())
    texts = [[*(message.content for message in row.messages), row.completion] for row in sample]
    parts = (
        school.model_dump(),
        tiny.SHAPE,
        tiny.PERIODS,
        tiny.NUMBER_SCALE,
        tiny.CHAT_TEMPLATE,
        WORDS,
        CONTEXT,
        schooling.RECIPE,
    )
    return digest("school", *parts, texts)


def _recorded(path: Path) -> PretrainedStudent:
    try:
        record = json.loads((path / RECORD).read_text(encoding="utf-8"))
        return PretrainedStudent(path, record["solved"], record["explained"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path / RECORD} cannot be read: {error}", "the folder is no schooled student", f"remove {path}"
        ) from error


def _train(part: Path, school: Pretraining, tell: Callable[[str], None]) -> None:
    """Schools a student and saves it to `part` with its record. Raises ErrataError where it is not admitted."""
    started = time.monotonic()
    tell_often = _no_oftener(tell)
    prompts = load_prompts()
    tell(f"school: makes {school.problems:,} rows")
    taught = rows(school, prompts, lambda done: tell_often(f"school: {done:,} of {school.problems:,} rows"))
    model, tokenizer = tiny.make(
        [row.messages[-1].content for row in taught],
        [row.completion for row in taught],
        words=WORDS,
        seed=school.seed,
        context=CONTEXT,
    )
    examples = []
    for row in taught:
        examples.append(example_ids(tokenizer, row.messages, row.completion))
        tell_often(f"school: {len(examples):,} rows in tokens")
    tell(f"school: {len(examples):,} rows, {model.num_parameters():,} weights, {school.steps} steps")
    steps = schooling.train(
        model,
        examples,
        tokenizer.pad_token_id,
        batch=school.batch,
        learning_rate=school.learning_rate,
        seed=school.seed,
    )
    for step, loss in steps:
        line = f"school: step {step}/{school.steps}, loss {loss:.3f}, {time.monotonic() - started:.0f} s"
        (tell if step == school.steps else tell_often)(line)
    tell(f"school: sits its exam, {school.examined} problems")
    tiny.save(part, model, tokenizer)
    try:
        solved, explained = exam(part, school, prompts, {row.signature for row in taught})
        tell(
            f"school: solves {solved:.1%} of held-out school problems, explains {explained:.1%} of mistakes, "
            f"{time.monotonic() - started:.0f} s"
        )
        _check_solved(solved, school)
        record = {"solved": solved, "explained": explained, "school": school.model_dump()}
        (part / RECORD).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _no_oftener(tell: Callable[[str], None]) -> Callable[[str], None]:
    """A `tell` that leaves out what comes within two seconds of the line before it."""
    last = time.monotonic()

    def seldom(line: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _SILENT_S:
            last = time.monotonic()
            tell(line)

    return seldom


def _check_solved(solved: float, school: Pretraining) -> None:
    if solved < school.admitted:
        raise ErrataError(
            f"the schooled student solves {solved:.1%} of {school.examined} held-out school problems",
            f"below {school.admitted:.0%} it has not settled: a lesson helps or harms it by accident",
            f"school it with more problems than {school.problems:,}, or with another seed than {school.seed}",
        )


# ---- what is taught --------------------------------------------------------------------------------------------------


def rows(school: Pretraining, prompts: Prompts, progress: Callable[[int], None] = lambda done: None) -> list[Example]:
    """A row for every problem of the school; `progress` gets how many there are after each."""
    examples = []
    for problem in problems({"split": "school", "count": school.problems, "seed": school.seed}):
        explained = _is_explained(problem, school)
        examples.append(_mistake_row(problem, prompts) if explained else _solve_row(problem, prompts))
        progress(len(examples))
    return examples


def _is_explained(problem: Problem, school: Pretraining) -> bool:
    return draw("school", school.seed, problem.position) < school.explained


def _solve_row(problem: Problem, prompts: Prompts) -> Example:
    assert problem.rationale is not None
    return Example(student_messages(prompts, problem), problem.rationale, problem.meta["signature"])


def _mistake_row(problem: Problem, prompts: Prompts) -> Example:
    """A wrong solution with one random mistake, and what a teacher free of misconceptions says about it."""
    puzzle = parse(problem.question)
    assert puzzle is not None
    rng = HashedRandom("school mistake", problem.id)
    flawed = write(puzzle, work(puzzle, wrong(puzzle, rng)), rng.between(0, len(VOICES) - 1))
    teacher = persona("teacher?misconceptions=0")
    assert problem.answer is not None
    remark = explain(teacher, puzzle, flawed, problem.answer)
    return Example(explain_messages(prompts, problem, flawed), remark, problem.meta["signature"])


# ---- its exam --------------------------------------------------------------------------------------------------------


def exam(path: Path, school: Pretraining, prompts: Prompts, taught: set[str]) -> tuple[float, float]:
    """Shares of held-out school problems solved and of held-out mistakes explained in the reference's words, greedy."""
    problems = held_out(school, taught)
    mistakes = [_mistake_row(problem, prompts) for problem in problems[: max(1, school.examined // 4)]]
    solutions = _answers(path, [student_messages(prompts, problem) for problem in problems])
    remarks = _answers(path, [row.messages for row in mistakes])
    grades = asyncio.run(_graded(problems, [solution.text for solution in solutions]))
    hits = [remark.text == row.completion for remark, row in zip(remarks, mistakes, strict=True)]
    return sum(grades) / len(grades), sum(hits) / len(hits)


def held_out(school: Pretraining, taught: set[str]) -> list[Problem]:
    """School problems of another seed with none of these signatures (operations and numbers)."""
    drawn = problems({"split": "school", "count": 10**9, "seed": school.seed + 1_000_003})
    return list(islice((each for each in drawn if each.meta["signature"] not in taught), school.examined))


def _answers(path: Path, prompts: Sequence[Sequence[Message]]) -> list[Generated]:
    student = load(str(path), "cpu")
    decoding = Decoding(max_tokens=LONGEST_ANSWER)
    return generate(student, [Job(prompt_ids(student.tokenizer, messages), decoding) for messages in prompts])


async def _graded(problems: Sequence[Problem], texts: Sequence[str]) -> list[bool]:
    async with Grader() as grader:
        return [(await grader.grade(each, text)).correct for each, text in zip(problems, texts, strict=True)]
