"""Key-step learning on pairs (EDIT, arXiv 2405.19737, second step), from a student distilled by `errata train sft`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trl import ModelConfig

from errata.errors import UsageError
from errata.exports.pair_rows import EDIT as FORMAT
from errata.exports.transcript_view import Options
from errata.training.align import AlignMode
from errata.training.arguments import Training, option
from errata.training.checkpoints import manifest_of
from errata.training.method import GRADER_ONLY, REPEAT_SFT, Knobs, Method
from errata.training.plain import run_plain
from errata.training.prepare import Prepared
from errata.training.terms import KeySteps, Likelihood, Term
from errata.training.training_run import TrainingRun


@dataclass(frozen=True)
class EditKnobs(Knobs):
    alpha: float = option(1.0, "Weight of the right side's key tokens.")
    beta: float = option(0.025, "Weight of the wrong side's key tokens; 0 or more, it is subtracted.")
    gamma: float = option(0.0, "Weight of the right side's other tokens.")
    bounded: bool = option(False, "-log(1 - p) for the wrong side in place of log p, which falls without end.")
    anchor: float = option(0.0, "Weight of the likelihood of all the right side's tokens, which holds the student.")
    align: AlignMode = option(
        "edit", "Key tokens: by edit distance, of the first divergence alone, as many at random, or all of them."
    )

    def alignment(self) -> AlignMode | None:
        return self.align


@dataclass(frozen=True)
class EditFlags(EditKnobs):
    max_edit_ratio: float | None = option(
        None, "Of a run: only pairs at most so far apart; of a run without rewrites, natural pairs are taken."
    )
    sound_only: bool = option(
        False, "Of a run: only pairs whose right side the panel accepted, or that is known to be sound."
    )
    rate_ratio: float | None = option(
        None, "Learning rate as a share of the first step's, in place of learning_rate; the paper's is 0.025."
    )
    from_base: bool = option(False, "Start from a student that was not distilled first.")

    def options(self) -> Options:
        return replace(super().options(), max_edit_ratio=self.max_edit_ratio, sound_only=self.sound_only)


@dataclass
class EditTraining(Training):
    """The paper multiplies the rate by 0.95 each of 10 epochs; here it falls to the same end as half a cosine.

    Its 256 pairs per step are 16 x 16 on one device. The rate is a fortieth of its first step's 2e-4: most tokens of a
    pair have no weight, and nothing but a small step keeps what the student can write already (see rate_ratio, anchor).
    """

    learning_rate: float = 5e-6
    lr_scheduler_type: str = "cosine_with_min_lr"
    lr_scheduler_kwargs: dict[str, Any] | str | None = field(default_factory=lambda: {"min_lr_rate": 0.6})
    num_train_epochs: float = 10.0
    per_device_train_batch_size: int = 16
    gradient_accumulation_steps: int = 16


@dataclass
class EditModel(ModelConfig):
    use_peft: bool = True
    lora_r: int = 64
    lora_alpha: int = 32
    lora_target_modules: list[str] | None = field(default_factory=lambda: ["q_proj", "v_proj"])


def terms(knobs: EditKnobs) -> tuple[Term, ...]:
    keys = KeySteps(alpha=knobs.alpha, beta=knobs.beta, gamma=knobs.gamma, bounded=knobs.bounded)
    return (keys, Likelihood(weight=knobs.anchor, reads=("chosen",))) if knobs.anchor else (keys,)


def run(training: TrainingRun[EditKnobs]) -> int:
    """As any method, from a student that knows how to write rationales: EDIT's second step wants its first."""

    def check(prepared: Prepared) -> None:
        knobs, name = training.arguments.knobs, str(training.arguments.model.model_name_or_path)
        from_base = isinstance(knobs, EditFlags) and knobs.from_base
        if from_base or any(term.distils() for term in prepared.terms):
            return
        if not manifest_of(Path(name)).get("distilled"):
            raise UsageError(
                f"{name} was not distilled by errata",
                "key-step learning weighs a few tokens of rationales that the student shall know how to write",
                "train it on right and rectified rationales first (`errata train sft`) and name that checkpoint; "
                "--from_base true goes on all the same",
            )

    knobs = training.arguments.knobs
    if isinstance(knobs, EditFlags) and knobs.rate_ratio is not None:
        training.args.learning_rate = knobs.rate_ratio * _first_rate(str(training.arguments.model.model_name_or_path))
    return run_plain(training, check)


def _first_rate(start: str) -> float:
    """The learning rate by which the student was distilled."""
    rate = manifest_of(Path(start)).get("config", {}).get("training", {}).get("learning_rate")
    if not isinstance(rate, int | float):
        raise UsageError(
            f"--rate_ratio from {start}",
            "its folder does not say by which learning rate it was trained",
            "set --learning_rate itself",
        )
    return float(rate)


EDIT = Method(
    name="edit",
    help="Key steps of right and wrong pairs, from an sft checkpoint (EDIT).",
    paper="EDIT, arXiv 2405.19737",
    format=FORMAT,
    terms=terms,
    knobs=EditKnobs,
    flags=EditFlags,
    training=EditTraining,
    model=EditModel,
    controls=(REPEAT_SFT, GRADER_ONLY),
    run=run,
)
