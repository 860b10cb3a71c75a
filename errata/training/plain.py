"""A training with one trainer over all rows: that of most methods, of combinations and of one's own methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from errata.training.load_student import lora_of
from errata.training.prepare import Prepared, prepare
from errata.training.trainer import build_trainer
from errata.training.training_run import TrainingRun


def run_plain(training: TrainingRun[Any], check: Callable[[Prepared], None] | None = None) -> int:
    """Trains and returns the exit code.

    Args:
        check: sees what is prepared before its adapter is made; raises UsageError for what cannot be trained with, and
            nothing has been written then.
    """
    arguments = training.arguments
    prepared = prepare(arguments)
    if check is not None:
        check(prepared)
    lora = lora_of(arguments.model)
    house = prepared.student.house(training.output) if lora else None
    training.describe(prepared)
    trainer = training.built(
        prepared.student,
        house,
        lambda: build_trainer(
            prepared.student.model,
            arguments.training,
            prepared.rows,
            prepared.student.tokenizer,
            prepared.objective,
            eval_rows=prepared.eval_rows,
            peft_config=lora,
            callbacks=training.callbacks,
        ),
    )
    return training.fit(trainer, training.output, training.resume)
