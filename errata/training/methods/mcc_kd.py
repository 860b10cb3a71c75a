"""MCC-KD (arXiv 2310.14747): likelihood of right rationales, and consistency of the answers that they end in.

Unlike the paper and its code:

- the likelihood is a mean over all completion tokens of the step, so that a long rationale counts by its length, as in
  every other method here; the paper's, half the sum of two rationales' own means, is `--per_rationale`;
- the consistency is read where the answer's tokens are predicted, one place before them; the released code reads one
  place later, and adds 7e-5 to every probability;
- both sides are divided by the temperature, there one;
- the adapter leaves out the output head;
- rationales whose answers are not written in the same tokens as most of their problem are left out, with their count
  (comparable.py); the paper's data write all answers alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from trl import ModelConfig

from errata.exports.correct_rows import MCC_KD as FORMAT
from errata.training.arguments import Training, option
from errata.training.method import Control, Knobs, Method
from errata.training.terms import Consistency, Likelihood, Term


@dataclass(frozen=True)
class MccKdKnobs(Knobs):
    alpha: float = option(0.1, "Weight of the consistency term; 0 is the control with the same rationales.")
    temperature: float = option(1.0, "Divides both sides' logits.")
    pairs: int | None = option(1, "Pairs of rationales drawn per problem at each epoch; none takes all of them.")
    reads: list[str] = field(
        default_factory=lambda: ["right"],
        metadata={"help": "Whose answers are compared; anything but right rationales is refused."},
    )
    per_rationale: bool = option(
        False, "The likelihood as in the paper: a mean over each rationale's own tokens, then over rationales."
    )


@dataclass
class MccKdTraining(Training):
    """Numbers of the released code."""

    learning_rate: float = 1e-5
    num_train_epochs: float = 24.0
    per_device_train_batch_size: int = 6
    max_length: int | None = 512


@dataclass
class MccKdModel(ModelConfig):
    """As released, without its adapter on the output head: rank 128, no scaling, no dropout."""

    use_peft: bool = True
    lora_r: int = 128
    lora_alpha: int = 128
    lora_dropout: float = 0.0
    lora_target_modules: list[str] | None = field(default_factory=lambda: ["all-linear"])


def terms(knobs: MccKdKnobs) -> tuple[Term, ...]:
    compared = {"weight": knobs.alpha, "temperature": knobs.temperature, "pairs": knobs.pairs, "reads": knobs.reads}
    return Likelihood(per_sequence=knobs.per_rationale), Consistency.model_validate(compared)


MCC_KD = Method(
    name="mcc-kd",
    help="Right rationales whose answers shall agree (MCC-KD).",
    paper="MCC-KD, arXiv 2310.14747",
    format=FORMAT,
    terms=terms,
    knobs=MccKdKnobs,
    training=MccKdTraining,
    model=MccKdModel,
    controls=(Control("alpha_zero", "the same rationales without the term", knobs={"alpha": 0.0}),),
)
