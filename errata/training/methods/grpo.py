"""GRPO with the grader as its reward, by TRL's trainer: the student answers problems, and right answers pay.

arXiv 2402.03300. The prompts are those of the exam; the reward of an answer is 1 where the shipped grader finds it
right, else 0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trl import GRPOConfig, GRPOTrainer

from errata.config.hooks import Hooks, check_hooks
from errata.exports.problem_rows import GRPO as FORMAT
from errata.exports.sequences import SourceRow
from errata.grading.grader import Grader
from errata.records import Problem
from errata.training.method import Knobs, Method
from errata.training.method_arguments import Arguments
from errata.training.prepare import Prepared
from errata.training.prompted import Prompted, PromptRow, prepare_prompts
from errata.training.terms import Term
from errata.training.training_run import TrainingRun
from errata.training.trl_methods import TrlFlags, fit_trl

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


def prepare_exam(arguments: Arguments) -> Prompted:
    """The exam's prompts. Raises UsageError, also where they leave no room for an answer; writes nothing."""
    return prepare_prompts(arguments, FORMAT, _prompt_row)


def _prompt_row(row: SourceRow) -> PromptRow:
    prompt = "\n".join(message.content for message in row.prompt)
    return PromptRow({"prompt": prompt, "problem": row.text("problem")}, (row.prompt,))


def run(training: TrainingRun[Knobs]) -> int:
    """Trains and returns the exit code."""
    exam, reward = prepare_exam(training.arguments), Reward()

    def build(training: TrainingRun[Knobs], prepared: Prepared, lora: Any) -> ExamTrainer:
        return ExamTrainer(
            prepared.student.model,
            reward,
            training.args,
            prepared.rows,
            processing_class=prepared.student.tokenizer,
            peft_config=lora,
            callbacks=training.callbacks,
            ids_of=dict(zip(prepared.rows["prompt"], exam.ids, strict=True)),
        )

    try:
        return fit_trl(training, exam.prepared, build)
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
