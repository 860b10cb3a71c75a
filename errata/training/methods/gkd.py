"""Generalized knowledge distillation: a teacher's whole distributions, by TRL's trainer.

arXiv 2306.13649. A share `lmbda` of the batches holds texts that the student writes itself, the rest the right
rationales of a run; over their tokens the student learns the teacher's distribution by a divergence between KL
(`beta` 0) and its reverse (1). The teacher is a checkpoint on this machine that reads the student's own tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datasets import Dataset

from errata.config.env import expand
from errata.config.hooks import Hooks, check_hooks
from errata.errors import UsageError
from errata.exports.correct_rows import SFT as FORMAT
from errata.models.files import Files, find
from errata.models.load import model_of, tokenizer_of, unloadable
from errata.training.arguments import option
from errata.training.encode import fingerprint
from errata.training.method import GRADER_ONLY, Knobs, Method
from errata.training.prepare import Prepared
from errata.training.refused_settings import refuse_settings
from errata.training.terms import Term
from errata.training.training_run import TrainingRun
from errata.training.trl_experimental import DataCollatorForChatML, GKDConfig, GKDTrainer
from errata.training.trl_methods import LossOfTrl, TrlFlags, as_dataset, run_trl
from errata.training.trl_rows import completion_rows

HOOKS: Hooks = {"compute_loss": ("model", "inputs"), "generate_on_policy_outputs": ("inputs",)}
"""What reads the rows that errata makes: `input_ids`, `labels`, `prompts` and their masks."""
COLUMNS: Hooks = {"__call__": ("examples",)}
"""What makes them batches: rows with `input_ids` and `completion_mask` are taken as they are."""


@dataclass(frozen=True)
class GkdKnobs(Knobs):
    teacher: str | None = option(
        None, "The teacher, a checkpoint on this machine with the student's own tokenizer: local/PATH."
    )


@dataclass
class GkdTraining(TrlFlags, GKDConfig):  # type: ignore[misc]
    """TRL's flags of GKD."""


def terms(knobs: GkdKnobs) -> tuple[Term, ...]:
    return (LossOfTrl(loss="gkd", reads=("right",)),)


def find_teacher(name: str | None) -> Files:
    """The checkpoint that `--teacher` names. Raises UsageError: none, one behind an API, or none there."""
    if not name:
        raise UsageError(
            "gkd without --teacher",
            "the student learns a teacher's distributions, token by token",
            "name a checkpoint on this machine: --teacher local/PATH",
        )
    path = expand(name.removeprefix("local/"))
    if path == name:
        raise UsageError(
            f"--teacher {name}",
            "a teacher behind an API gives no distribution over all tokens",
            "name a checkpoint on this machine: --teacher local/PATH; of others, `errata train sft` learns the texts",
        )
    return find(path)


def check_teacher(teacher: Files, prepared: Prepared, training: GkdTraining) -> None:
    """Raises UsageError: another vocabulary than the student's, or no room for what the student writes."""
    if fingerprint(tokenizer_of(teacher)) != fingerprint(prepared.student.tokenizer):
        raise UsageError(
            f"the tokenizer of {teacher.path} and that of {prepared.student.name} differ",
            "distillation compares their distributions token by token",
            "take a teacher of the student's own family, or `errata train sft` on the teacher's texts",
        )
    prompts = [member["prompt"] for row in prepared.rows for member in row["members"]]
    room = (prepared.student.context or 1 << 30) - training.max_new_tokens
    if training.lmbda and max(prompts) > room:
        raise UsageError(
            f"a prompt of {max(prompts)} tokens, and room for {room}",
            f"the student's context is {prepared.student.context} tokens, of which its text may take max_new_tokens",
            "lower --max_new_tokens, or let the student write none by --lmbda 0",
        )


def _refuse(training: GkdTraining) -> None:
    refuse_settings(training)
    for name in ("teacher_model_name_or_path", "teacher_model_init_kwargs"):
        if getattr(training, name) is not None:
            raise UsageError(
                f"the setting {name}", "it would have no effect", "name the teacher by --teacher local/PATH"
            )


def _frozen(teacher: Files) -> Any:
    """The teacher's weights, ready to be asked and never trained. Raises UsageError."""
    try:
        return model_of(teacher, dtype="auto").requires_grad_(False).eval()
    except UsageError:
        raise
    except Exception as error:  # every library below has errors of its own for a damaged file
        raise unloadable(f"the teacher {teacher.path}", teacher.folders, error) from error


def gkd_trainer(prepared: Prepared, teacher: Any, args: GkdTraining, lora: Any, callbacks: Any = None) -> GKDTrainer:
    """TRL's trainer over errata's own tokens. `teacher`: a frozen model; `lora`: the adapter to train, or None."""
    check_hooks(GKDTrainer, HOOKS)
    check_hooks(DataCollatorForChatML, COLUMNS, exact=True)

    def rows(groups: Dataset) -> Dataset:
        return as_dataset([*completion_rows(groups)])

    return GKDTrainer(
        prepared.student.model,
        teacher,
        args,
        train_dataset=rows(prepared.rows),
        eval_dataset=prepared.eval_rows and rows(prepared.eval_rows),
        processing_class=prepared.student.tokenizer,
        peft_config=lora,
        callbacks=callbacks,
    )


def run(training: TrainingRun[GkdKnobs]) -> int:
    """Trains and returns the exit code."""
    knobs, args = training.arguments.knobs, training.args
    assert isinstance(knobs, GkdKnobs)
    assert isinstance(args, GkdTraining)
    _refuse(args)
    teacher = find_teacher(knobs.teacher)
    return run_trl(
        training,
        lambda training, prepared, lora: gkd_trainer(prepared, _frozen(teacher), args, lora, training.callbacks),
        lambda prepared: check_teacher(teacher, prepared, args),
        teacher={"name": str(teacher.path), "fingerprint": teacher.fingerprint()},
    )


GKD = Method(
    name="gkd",
    help="A teacher's distributions over right and the student's own texts, by TRL's trainer.",
    paper="GKD, arXiv 2306.13649",
    format=FORMAT,
    terms=terms,
    knobs=GkdKnobs,
    training=GkdTraining,  # type: ignore[arg-type]
    controls=(GRADER_ONLY,),
    run=run,
)
