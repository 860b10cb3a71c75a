"""GRPO with the grader as its reward, by TRL's trainer: the student answers problems, and right answers pay.

arXiv 2402.03300. The prompts are those of the exam; the reward of an answer is 1 where the shipped grader finds it
right, else 0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from trl import GRPOConfig, GRPOTrainer

from errata.config.hooks import Hooks, check_hooks
from errata.errors import UsageError
from errata.exports.problem_rows import GRPO as FORMAT
from errata.exports.sequences import SourceRow
from errata.grading.grader import Grader
from errata.models.prompting import prompt_ids
from errata.records import Message, Problem
from errata.training.load_rows import LoadedRows, Where, read
from errata.training.load_student import Student, lora_of, open_student
from errata.training.method import Knobs, Method
from errata.training.method_arguments import Arguments
from errata.training.prepare import Prepared
from errata.training.terms import Term
from errata.training.training_run import TrainingRun
from errata.training.trl_methods import TrlFlags, as_dataset

HOOKS: Hooks = {"_tokenize_prompts": ("prompts",)}
"""What is overridden of TRL's trainer: prompts are rendered as in the exam."""


@dataclass
class GrpoTraining(TrlFlags, GRPOConfig):  # type: ignore[misc]
    """TRL's flags of GRPO."""


class Reward:
    """1.0 for each completion that answers its problem rightly, else 0.0; TRL calls it with the rows' columns."""

    __name__ = "grader"

    def __init__(self) -> None:
        self._grader = Grader()

    def __call__(self, completions: Sequence[str], problem: Sequence[str], **_: Any) -> list[float]:
        return asyncio.run(self._grades(completions, problem))

    async def _grades(self, completions: Sequence[str], problems: Sequence[str]) -> list[float]:
        graded = (
            self._grader.grade(Problem.model_validate_json(problem), text)
            for problem, text in zip(problems, completions, strict=True)
        )
        return [float(grade.correct) for grade in await asyncio.gather(*graded)]

    def close(self) -> None:
        """Ends the grader's workers."""
        asyncio.run(self._grader.close())


class ExamTrainer(GRPOTrainer):
    """TRL's, with the prompts' token ids as the exam renders them. `ids_of` has those of each row's `prompt`."""

    def __init__(self, *args: Any, ids_of: dict[str, list[int]], **kwargs: Any) -> None:
        check_hooks(GRPOTrainer, HOOKS, exact=True)
        self.ids_of = ids_of
        super().__init__(*args, **kwargs)

    def _tokenize_prompts(self, prompts: list[Any]) -> Any:
        return [list(self.ids_of[prompt]) for prompt in prompts], None, {}


@dataclass(frozen=True)
class Exam:
    """The student, and what it is asked."""

    prepared: Prepared
    ids_of: dict[str, list[int]]


def prepare_exam(arguments: Arguments) -> Exam:
    """Raises UsageError, also where prompts leave no room for an answer; writes nothing."""
    data, training = arguments.data, arguments.training
    if arguments.entries:
        raise UsageError("terms for grpo", "it has the loss of TRL's own trainer", "leave them out")
    loaded = read(data.dataset_name or [], Where(FORMAT, arguments.form, config=data.dataset_config))
    prompts = [_messages(row.row, data.system) for row in loaded.rows]
    asked = [message.content for messages in prompts for message in messages]
    student = open_student(arguments.model, lambda: (asked, asked), training.seed, training.device_map)
    ids = [prompt_ids(student.tokenizer, messages) for messages in prompts]
    room = (student.context or 1 << 30) - training.max_completion_length  # type: ignore[attr-defined]
    fits = [len(each) <= room for each in ids]
    if not all(fits) and (data.too_long == "refuse" or not any(fits)):
        raise UsageError(
            f"{fits.count(False)} of {len(ids)} prompts are longer than {room} tokens",
            f"the student's context is {student.context} tokens, of which an answer may take max_completion_length",
            "lower --max_completion_length, or leave them out by --too_long skip",
        )
    rows = [
        {"prompt": "\n".join(message.content for message in messages), "problem": row.row.text("problem")}
        for row, messages, fit in zip(loaded.rows, prompts, fits, strict=True)
        if fit
    ]
    texts = [str(row["prompt"]) for row in rows]
    kept = dict(zip(texts, (each for each, fit in zip(ids, fits, strict=True) if fit), strict=True))
    return Exam(_prepared(loaded, student, rows, fits.count(False)), kept)


def _messages(row: SourceRow, system: str | None) -> tuple[Message, ...]:
    return (row if system is None else replace(row, system=system)).prompt


def _prepared(loaded: LoadedRows, student: Student, rows: list[dict[str, Any]], too_long: int) -> Prepared:
    return Prepared(
        student=student,
        rows=as_dataset(rows),
        eval_rows=None,
        terms=(),
        names=loaded.name,
        sources=[{"name": loaded.name, "rows": len(loaded.rows), "sha256": loaded.sha256}],
        sequences=len(rows),
        left_out={"too long": too_long} if too_long else {},
    )


def run(training: TrainingRun[Knobs]) -> int:
    """Trains and returns the exit code."""
    arguments = training.arguments
    exam = prepare_exam(arguments)
    prepared, lora, reward = exam.prepared, lora_of(arguments.model), Reward()
    house = prepared.student.house(training.output) if lora else None
    training.describe(prepared)
    try:
        trainer = training.built(
            prepared.student,
            house,
            lambda: ExamTrainer(
                prepared.student.model,
                reward,
                training.args,
                prepared.rows,
                processing_class=prepared.student.tokenizer,
                peft_config=lora,
                callbacks=training.callbacks,
                ids_of=exam.ids_of,
            ),
        )
        return training.fit(trainer, training.output, training.resume)
    finally:
        reward.close()


def terms(knobs: Knobs) -> tuple[Term, ...]:
    """None: it learns from its own answers."""
    return ()


GRPO = Method(
    name="grpo",
    help="GRPO on a run's problems with the grader as reward, by TRL's trainer.",
    paper="GRPO, arXiv 2402.03300",
    format=FORMAT,
    terms=terms,
    knobs=Knobs,
    training=GrpoTraining,  # type: ignore[arg-type]
    run=run,
)
