"""Plain distillation: the likelihood of right rationales."""

from __future__ import annotations

from dataclasses import dataclass

from errata.exports.correct_rows import SFT as FORMAT
from errata.training.arguments import option
from errata.training.method import GRADER_ONLY, Control, Knobs, Method
from errata.training.terms import Likelihood, Term


@dataclass(frozen=True)
class SftFlags(Knobs):
    target_tokens: int | None = option(
        None, "Completion tokens of an epoch: rows are left out or repeated in hashed order until they come to this."
    )

    def epoch_tokens(self) -> int | None:
        return self.target_tokens


def terms(knobs: Knobs) -> tuple[Term, ...]:
    return (Likelihood(),)


SFT = Method(
    name="sft",
    help="Plain distillation of right rationales.",
    format=FORMAT,
    terms=terms,
    knobs=Knobs,
    flags=SftFlags,
    controls=(Control("answer_only", "learn the final sentence alone", answer_only=True), GRADER_ONLY),
    gives_way=False,
)
