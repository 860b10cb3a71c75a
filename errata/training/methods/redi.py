"""REDI: after plain distillation, right rationales up and wrong ones down, each per token, the wrong ones less.

Its first stage is `errata train sft`; this is its second (arXiv 2505.24850), which needs no reference model:

    L = -log p(y+) / |y+| + alpha * log p(y-) / |y-|        mean over the pairs of the step
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from errata.exports.pair_rows import DPO as FORMAT
from errata.exports.sequences import RIGHT_KINDS, WRONG_KINDS, Kind
from errata.training.arguments import Training, option
from errata.training.collate import IGNORED, Batch
from errata.training.encode import Group
from errata.training.losses import weighted_nll_sum
from errata.training.method import GRADER_ONLY, REPEAT_SFT, Control, Knobs, Method
from errata.training.terms import ForwardPass, Part, Term, reading


class Asymmetric(Term):
    """REDI's objective: each side's mean over its own tokens, then over the pairs; `alpha` weighs wrong sides.

    A rationale that stands in several pairs counts in each.
    """

    reads_pairs: ClassVar[bool] = True

    term: Literal["asymmetric"] = "asymmetric"
    alpha: float = Field(default=0.8, ge=0, le=1)
    weight: float = Field(default=1.0, ge=0)

    def parts(self) -> tuple[Part, ...]:
        return Part("redi/right", self.weight), Part("redi/wrong", -self.weight * self.alpha)

    def counts(self, batch: Batch) -> list[Tensor]:
        return [(reading(batch, kinds) * batch["sides"]).sum() for kinds in (RIGHT_KINDS, WRONG_KINDS)]

    def sums(self, forward: ForwardPass, batch: Batch) -> list[Tensor]:
        mask_BT = batch["labels"][:, 1:].ne(IGNORED)
        per_length_BT = mask_BT / mask_BT.sum(1, keepdim=True).clamp(min=1)

        def side(kinds: tuple[Kind, ...]) -> Tensor:
            times_B = reading(batch, kinds) * batch["sides"]
            return weighted_nll_sum(forward.logp_BT, times_B[:, None] * per_length_BT)

        return [side(RIGHT_KINDS), side(WRONG_KINDS)]

    def amount(self, group: Group) -> int:
        return len(group["pairs"])


@dataclass(frozen=True)
class RediKnobs(Knobs):
    alpha: float = option(0.8, "The weight of wrong rationales, between 0 and 1; that of right ones is 1.")


@dataclass
class RediTraining(Training):
    """TRL's flags with the paper's learning rate of its second stage."""

    learning_rate: float = 1e-6


def terms(knobs: RediKnobs) -> tuple[Term, ...]:
    return (Asymmetric(alpha=knobs.alpha),)


REDI = Method(
    name="redi",
    help="Second stage of REDI: right rationales up, wrong ones down by less.",
    paper="REDI, arXiv 2505.24850",
    format=FORMAT,
    terms=terms,
    knobs=RediKnobs,
    training=RediTraining,
    controls=(
        Control("right_only", "learn the right sides alone", {"alpha": 0.0}),
        Control("symmetric", "push wrong sides down as much as right ones up", {"alpha": 1.0}),
        REPEAT_SFT,
        GRADER_ONLY,
    ),
)
