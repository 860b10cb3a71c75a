"""NAT's two stages: an adapter learns wrong rationales, then a second one and a gate learn right ones beside it.

    base + LoRA --wrong--> negative adapter --frozen--> base + negative + positive + gate --right--> NAT student

(arXiv 2312.12832, section on negative assistant training; stage 3, its distillation, is nce.py)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from errata.errors import UsageError
from errata.models.gate import NatModel
from errata.training.objective import Objective, Term, sft
from errata.training.terms import Likelihood
from errata.training.trainer import build_trainer


def wrong_only() -> tuple[Term, ...]:
    """Stage 1: the likelihood of wrong rationales is raised, in an adapter of their own."""
    return (Likelihood(reads=("wrong",)),)


def negative_trainer(
    student: Any, args: SFTConfig, rows: Any, tokenizer: Any, lora: Any, *, eval_rows: Any = None, **kwargs: Any
) -> SFTTrainer:
    """Stage 1. Rows without a wrong rationale are left out. What it saves is an ordinary LoRA adapter.

    Args:
        lora: the peft.LoraConfig of both adapters.
        kwargs: passed on to build_trainer.

    Raises:
        UsageError: without `lora`, or as build_trainer does.
    """
    if lora is None:
        raise UsageError(
            "NAT with full fine-tuning",
            "what wrong and right rationales teach is kept apart in two adapters",
            "set use_peft: true and the LoRA settings",
        )
    objective = Objective(wrong_only())
    read, held = _read(rows, objective), _read(eval_rows, objective)
    return build_trainer(student, args, read, tokenizer, objective, eval_rows=held, peft_config=lora, **kwargs)


def positive_trainer(
    nat: NatModel, args: SFTConfig, rows: Any, tokenizer: Any, *, eval_rows: Any = None, **kwargs: Any
) -> SFTTrainer:
    """Stage 2, from `gate.new_nat`. Rows without a right rationale are left out. Saves the whole NAT student.

    `kwargs` and errors as in build_trainer.
    """
    objective = Objective(sft())
    read, held = _read(rows, objective), _read(eval_rows, objective)
    trainer = build_trainer(nat, args, read, tokenizer, objective, eval_rows=held, **kwargs)
    trainer.add_callback(_KeepBest())
    return trainer


def _read(rows: Any, objective: Objective) -> Any:
    return None if rows is None else rows.filter(objective.takes)


class _KeepBest(TrainerCallback):  # type: ignore[misc]
    """`load_best_model_at_end`: transformers finds no adapter at the top of a checkpoint that has two below it."""

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if args.load_best_model_at_end and state.best_model_checkpoint:
            model.load_weights(Path(state.best_model_checkpoint))
