"""What methods over TRL's own trainers share: flags, the term that stands for TRL's loss, and how they are run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from datasets import Dataset
from transformers import Trainer

from errata.errors import UsageError
from errata.exports.sequences import Kind
from errata.training.arguments import defaults_of_device, option
from errata.training.encode import Group
from errata.training.load_student import lora_of
from errata.training.method_arguments import Arguments
from errata.training.prepare import Prepared, prepare
from errata.training.terms import Part, Term
from errata.training.trainer import check_rows
from errata.training.training_run import TrainingRun


@dataclass
class TrlFlags:
    """The flags of errata's trainings that TRL's other configurations lack. A base class before one of them."""

    device_map: str | None = option(None, "Where a student's layers lie: auto spreads them over all devices.")
    activation_checkpointing: bool | None = option(None, "Less memory for a third more time. On, but not on a CPU.")
    gradient_checkpointing: bool | None = option(None, "Former name of activation_checkpointing.")
    resume_from_checkpoint: str | None = option(
        None, "auto: go on from the latest whole checkpoint in output_dir, if there is one; or the folder of one."
    )

    packing: ClassVar[bool] = False
    eos_token: ClassVar[str | None] = None
    tokens_per_batch: ClassVar[int | None] = None

    def __post_init__(self) -> None:
        defaults_of_device(self)
        super().__post_init__()  # type: ignore[misc]


class LossOfTrl(Term):
    """Stands for the loss of a TRL trainer: it says which sequences are read, and TRL computes the rest."""

    term: Literal["TRL's own"] = "TRL's own"
    loss: str
    pairs: bool = False
    """It reads pairs, whose sides are all members of a group."""
    reads: tuple[Kind, ...] = ()

    def parts(self) -> tuple[Part, ...]:
        return (Part(self.loss, self.weight),)

    def amount(self, group: Group) -> int:
        return len(group["pairs"]) if self.pairs else super().amount(group)


Build = Callable[[TrainingRun[Any], Prepared, Any], Trainer]
"""Makes the trainer of a run, of what is prepared, and of the adapter, if one is trained."""


def refuse_terms(arguments: Arguments) -> None:
    """Raises UsageError for a combination: its terms would have no effect."""
    if arguments.entries:
        raise UsageError(f"terms for {arguments.method.name}", "it has the loss of TRL's own trainer", "leave them out")


def run_trl(
    training: TrainingRun[Any], build: Build, check: Callable[[Prepared], None] = lambda prepared: None, **facts: Any
) -> int:
    """Trains by a TRL trainer and returns the exit code. Nothing is cut: what is too long is refused or left out.

    Args:
        check: raises UsageError for what this trainer cannot be given, before anything is written.
        facts: what the manifest says besides.
    """
    arguments = training.arguments
    refuse_terms(arguments)
    prepared = prepare(arguments)
    check(prepared)
    for rows in (prepared.rows, prepared.eval_rows):
        if rows is not None:
            check_rows(rows, prepared.student.tokenizer, prepared.objective, arguments.training.max_length)
    arguments.training.max_length = None  # nothing is left to cut
    return fit_trl(training, prepared, build, **facts)


def fit_trl(training: TrainingRun[Any], prepared: Prepared, build: Build, **facts: Any) -> int:
    """Writes the manifest, which says `facts` besides, trains what is prepared and returns the exit code."""
    lora = lora_of(training.arguments.model)
    house = prepared.student.house(training.output) if lora else None
    training.describe(prepared, **facts)
    trainer = training.built(prepared.student, house, lambda: build(training, prepared, lora))
    return training.fit(trainer, training.output, training.resume)


def frozen_copy(prepared: Prepared, lora: Any) -> Any:
    """The student as it is now, to be compared with; None with an adapter, which is switched off for that."""
    return None if lora else copy.deepcopy(prepared.student.model).eval()


def as_dataset(rows: Sequence[dict[str, Any]]) -> Dataset:
    return Dataset.from_list(list(rows))
