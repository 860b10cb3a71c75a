"""Mistake-aware peer-review distillation (arXiv 2410.03663): answering and explaining mistakes, mixed by alpha.

The paper trains only on problems that this very student got wrong, one rationale and one explanation drawn of each.
Here all problems and all of their texts count by default, each problem with one weight a task; `mistaken_by` takes the
paper's problems.
"""

from __future__ import annotations

from dataclasses import dataclass

from errata.errors import UsageError
from errata.exports.correct_rows import MAPD as FORMAT
from errata.training.arguments import Training, option
from errata.training.method import GRADER_ONLY, REPEAT_SFT, Knobs, Method
from errata.training.mistaken import Fault, rows_mistaken
from errata.training.terms import Likelihood, Term


@dataclass(frozen=True)
class MapdKnobs(Knobs):
    alpha: float = option(0.5, "Share of the explanations' loss; 1 - alpha is the rationales'.")


@dataclass(frozen=True)
class MapdFlags(MapdKnobs):
    mistaken_by: str | None = option(
        None,
        "Only problems that this student got wrong, as in the paper: an eval directory of it, or exam, the run's own.",
    )

    def row_fault(self) -> Fault | None:
        return None if self.mistaken_by is None else rows_mistaken(self.mistaken_by)


@dataclass
class MapdTraining(Training):
    """Numbers of the released code, which trains in full; its EOS-padded labels are not repeated."""

    learning_rate: float = 1e-5
    lr_scheduler_type: str = "constant"
    weight_decay: float = 0.01
    max_grad_norm: float = 0.3
    num_train_epochs: float = 10.0
    per_device_train_batch_size: int = 8
    gradient_accumulation_steps: int = 2
    max_length: int | None = 512
    seed: int = 731


def terms(knobs: MapdKnobs) -> tuple[Term, ...]:
    """Per item of either task, however many rationales or explanations it has."""
    if not 0 <= knobs.alpha <= 1:
        raise UsageError(f"alpha {knobs.alpha}", "it is a share", "set it between 0 and 1")
    return (
        Likelihood(weight=1 - knobs.alpha, per_item=True),
        Likelihood(weight=knobs.alpha, reads=("mistake",), per_item=True),
    )


MAPD = Method(
    name="mapd",
    help="Answering and explaining mistakes, two tasks mixed (MAPD).",
    paper="MAPD, arXiv 2410.03663",
    format=FORMAT,
    terms=terms,
    knobs=MapdKnobs,
    flags=MapdFlags,
    training=MapdTraining,
    controls=(REPEAT_SFT, GRADER_ONLY),
    gives_way=False,
)
