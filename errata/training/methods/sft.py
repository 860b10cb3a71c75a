"""Plain distillation: the likelihood of right rationales."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errata.errors import UsageError
from errata.exports.correct_rows import SFT as FORMAT
from errata.training.arguments import option
from errata.training.capacity import adapted_shapes, widen
from errata.training.checkpoints import manifest_of
from errata.training.load_student import lora_of
from errata.training.method import GRADER_ONLY, Control, Knobs, Method
from errata.training.method_arguments import Arguments
from errata.training.plain import run_plain
from errata.training.prepare import Prepared
from errata.training.terms import Likelihood, Term
from errata.training.training_run import TrainingRun

ADAPTER = ("use_peft", "lora_r", "lora_alpha", "lora_dropout", "lora_target_modules")


@dataclass(frozen=True)
class SftFlags(Knobs):
    target_tokens: int | None = option(
        None, "Completion tokens of an epoch: rows are left out or repeated in hashed order until they come to this."
    )
    capacity_of: str | None = option(
        None, "Train as many weights as this training did, in an adapter on the same modules: the folder of a student."
    )

    def epoch_tokens(self) -> int | None:
        return self.target_tokens


def terms(knobs: Knobs) -> tuple[Term, ...]:
    return (Likelihood(),)


def run(training: TrainingRun[Knobs]) -> int:
    """As any method; with `capacity_of` by the adapter of another training."""
    arguments = training.arguments
    like = arguments.knobs.capacity_of if isinstance(arguments.knobs, SftFlags) else None
    if like is None:
        return run_plain(training)
    other = _adapter_of(Path(like))
    for name in ADAPTER:
        setattr(arguments.model, name, other["config"]["model"][name])
    return run_plain(training, lambda prepared: _as_wide(arguments, prepared, other["trained_weights"]))


def _adapter_of(folder: Path) -> dict[str, Any]:
    """The manifest of a training, which says what it trained."""
    manifest = manifest_of(folder)
    if not manifest.get("trained_weights"):
        raise UsageError(
            f"{folder} does not say what was trained there",
            "its adapter and its trained weights are taken from its manifest",
            "name the folder that `errata train` wrote",
        )
    return manifest


def _as_wide(arguments: Arguments, prepared: Prepared, weights: int) -> None:
    """Gives the adapter the rank of as many weights: NAT's gate counts as well."""
    if lora := lora_of(arguments.model):
        widen(arguments.model, adapted_shapes(prepared.student.model, lora), weights)


SFT = Method(
    name="sft",
    help="Plain distillation of right rationales.",
    format=FORMAT,
    terms=terms,
    knobs=Knobs,
    flags=SftFlags,
    controls=(Control("answer_only", "learn the final sentence alone", answer_only=True), GRADER_ONLY),
    gives_way=False,
    run=run,
)
