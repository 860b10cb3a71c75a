"""Self-distillation with privileged context: the student, told what it did not know, teaches itself; by TRL's trainer.

SDFT, arXiv 2601.19897. The student answers a problem; over its own tokens it learns the distribution that it has itself
when the prompt goes on with an explanation of a mistake in that problem, or with the right solution of it. The teacher
is the student as it was (`teacher_model_kind: base`), as it is (`live`), or a moving average of it (`ema`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from errata.config.hooks import Hooks, check_hooks
from errata.errors import UsageError
from errata.exports.pair_rows import PRIVILEGED as FORMAT
from errata.exports.sequences import SourceRow
from errata.models.prompting import prompt_ids
from errata.records import Message
from errata.training.arguments import option
from errata.training.method import Knobs, Method
from errata.training.method_arguments import Arguments
from errata.training.prompted import Prompted, PromptRow, prepare_prompts
from errata.training.terms import Term
from errata.training.training_run import TrainingRun
from errata.training.trl_experimental import SDFTConfig, SDFTTrainer, SyncTeacherModelCallback
from errata.training.trl_methods import TrlFlags, fit_trl, frozen_copy

HOOKS: Hooks = {"_tokenize_prompts": ("prompts",), "_setup_teacher_model": ()}
"""What is overridden of TRL's trainer: prompts are rendered as in the exam, and the student before the training is a
copy, where TRL would read its folder once more: a student that errata made may lie in none."""


@dataclass
class SdftTraining(TrlFlags, SDFTConfig):  # type: ignore[misc]
    """TRL's flags of SDFT."""

    max_prompt_length: int | None = option(None, "Leave it out: no prompt is cut.")


class PrivilegedTrainer(SDFTTrainer):
    """TRL's, with prompts as the exam renders them. `frozen`: the teacher, where it is a model of its own."""

    def __init__(self, *args: Any, frozen: Any, **kwargs: Any) -> None:
        check_hooks(SDFTTrainer, HOOKS, exact=True)
        self.frozen = frozen
        super().__init__(*args, **kwargs)

    def _tokenize_prompts(self, prompts: list[Any]) -> list[list[int]]:
        return [prompt_ids(self._tokenizer, [Message(**turn) for turn in prompt]) for prompt in prompts]

    def _setup_teacher_model(self) -> None:
        if self.frozen is None:
            super()._setup_teacher_model()
            return
        self.teacher_model = self.accelerator.prepare_model(self.frozen, evaluation_mode=True)
        if self.args.teacher_model_kind == "ema":  # type: ignore[attr-defined]
            self.add_callback(SyncTeacherModelCallback(self.teacher_model, accelerator=self.accelerator))


def prepare_privileged(arguments: Arguments) -> Prompted:
    """Prompts with what is known of them. Raises UsageError, also where they leave no room; writes nothing."""
    template = arguments.training.teacher_prompt_template  # type: ignore[attr-defined]

    def to_row(row: SourceRow) -> PromptRow:
        *before, question = row.prompt
        if question.role != "user":
            raise row.error(f"a prompt that ends with a message of the role {question.role}", "it is no question")
        context = row.text("privileged_context")
        content = template.format(prompt=question.content, privileged_context=context)
        return PromptRow(
            {"prompt": [turn.model_dump() for turn in row.prompt], "privileged_context": context},
            (row.prompt, (*before, Message(role="user", content=content))),
        )

    return prepare_prompts(arguments, FORMAT, to_row)


def _refuse(args: SdftTraining, training: TrainingRun[Knobs]) -> None:
    if args.teacher_model_kind not in ("base", "live", "ema"):
        raise UsageError(f"--teacher_model_kind {args.teacher_model_kind}", "it is base, live or ema", "choose one")
    if args.teacher_model_kind == "ema" and training.resume:
        raise UsageError(
            f"{training.output} holds a training with a moving average for its teacher",
            "checkpoints hold the student alone, so the average could not go on",
            "name another --output_dir",
        )


def sdft_trainer(data: Prompted, args: SdftTraining, lora: Any, callbacks: Any = None) -> PrivilegedTrainer:
    """TRL's trainer over `data`. `lora`: the adapter to train, or None."""
    frozen = None if args.teacher_model_kind == "live" else frozen_copy(data.prepared, lora)
    return PrivilegedTrainer(
        data.prepared.student.model,
        args,
        data.prepared.rows,
        processing_class=data.prepared.student.tokenizer,
        peft_config=lora,
        callbacks=callbacks,
        frozen=frozen if frozen is None else frozen.requires_grad_(False),
    )


def run(training: TrainingRun[Knobs]) -> int:
    """Trains and returns the exit code."""
    args = training.args
    assert isinstance(args, SdftTraining)
    _refuse(args, training)
    data = prepare_privileged(training.arguments)
    return fit_trl(
        training, data.prepared, lambda training, _, lora: sdft_trainer(data, args, lora, training.callbacks)
    )


def terms(knobs: Knobs) -> tuple[Term, ...]:
    """None: it learns from its own answers."""
    return ()


SDFT = Method(
    name="sdft",
    help="The student taught by itself with its mistakes explained, by TRL's trainer.",
    paper="SDFT, arXiv 2601.19897",
    format=FORMAT,
    terms=terms,
    knobs=Knobs,
    training=SdftTraining,  # type: ignore[arg-type]
    run=run,
)
