"""The terms of an objective: what each reads of a batch, its denominator, its sum.

A term has one or two *parts*, logged apart. Every part is a sum over the batch, divided by its own denominator over the
whole step, which is everything between two optimizer steps: all micro-batches of all processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from errata.config.base import Settings
from errata.errors import UsageError
from errata.exports.sequences import KINDS, RIGHT_KINDS, WRONG_KINDS, Kind
from errata.training.collate import IGNORED, Batch, Draws
from errata.training.encode import Group
from errata.training.losses import (
    consistency_sum,
    disagreement,
    distillation_sum,
    divergence_sum,
    unlikelihood_sum,
    weighted_nll_sum,
)

CHUNK = 256
"""Tokens whose whole distributions are compared at once."""


class Teacher(Protocol):
    """A frozen NAT student seen two ways: with both adapters through the gate, and with the negative one alone."""

    def hidden(self, view: Literal["mixed", "negative"], batch: Batch) -> Tensor:
        """Last hidden states BTD, without gradient."""

    def project(self, hidden_ND: Tensor) -> Tensor:
        """Their logits NV."""

    def given_weights(self, batch: Batch) -> Tensor:
        """A weight for each sequence that was fixed before the training, 1 where none was; B values."""


@dataclass
class ForwardPass:
    """One forward pass as the terms read it. `answer_NV` is there only if a term reads answers."""

    logp_BT: Tensor
    """log p of label t + 1 at entry t; 0 where nothing is to be predicted."""
    hidden_BTD: Tensor
    project: Callable[[Tensor], Tensor]
    """Hidden states to logits."""
    answer_NV: Tensor | None = None
    teacher: Teacher | None = None


class Part(NamedTuple):
    """`value` is a sum over the batch; `factor` what it is multiplied with in the loss."""

    name: str
    factor: float


class Term(Settings):
    """One term of an objective: a weight, what it reads of a batch, its denominators and its sums.

    One's own is a subclass with `parts`, `counts` and `sums`; its fields are its settings and stand in the manifest.
    """

    weight: float = 1.0
    reads: tuple[Kind, ...] = ()
    """Which members it reads, beside the sides of pairs."""

    reads_pairs: ClassVar[bool] = False
    """It reads the sides of pairs and their key tokens: the columns `key` and `sides`."""
    reads_answers: ClassVar[bool] = False
    """It reads the logits of the answers' tokens: `answer_NV`, and the columns that point into it."""
    reads_logits: ClassVar[bool] = False
    """It reads whole distributions, by `project` or `answer_NV`."""
    reads_teacher: ClassVar[bool] = False
    """It compares the student with a frozen one."""

    def parts(self) -> tuple[Part, ...]:
        """What is logged apart, and the factor of each in the loss."""
        raise NotImplementedError

    def counts(self, batch: Batch) -> list[Tensor]:
        """Each part's share of its denominator in this batch; scalars."""
        raise NotImplementedError

    def sums(self, forward: ForwardPass, batch: Batch) -> list[Tensor]:
        """Each part's sum over this batch, before division; scalars."""
        raise NotImplementedError

    def amount(self, group: Group) -> int:
        """How much of a group the term reads; raises UsageError if it cannot read it."""
        return sum(member["kind"] in self.reads for member in group["members"])

    def draws(self, seed: int) -> Draws | None:
        """How it picks pairs of a group's members at every epoch; None where it does not."""
        return None

    def distils(self) -> bool:
        """Whether it teaches to write right rationales."""
        return False

    def gathers(self) -> bool:
        """Whether it needs all sequences of a problem in one group."""
        return False

    def settings(self) -> dict[str, Any]:
        """As the manifest states it."""
        return {"term": type(self).__name__, **self.model_dump(mode="json")}


class Likelihood(Term):
    """A mean over completion tokens of -log p, or of -log(1 - p) in the form `unlikelihood`.

    weight 1 on right: plain distillation. On right and wrong: MIX. weight -0.05 on wrong: negative training (NT).
    unlikelihood, 0.05 on wrong: UL. MAPD: two of them, on right and on mistake, with weights 1 - alpha and alpha,
    `per_item`: an item counts once, however many rationales or explanations it has. `per_sequence`: each sequence's own
    mean, then the mean over sequences, so that a long one counts no more than a short one.
    """

    term: Literal["likelihood"] = "likelihood"
    reads: tuple[Kind, ...] = ("right",)
    form: Literal["nll", "unlikelihood"] = "nll"
    per_item: bool = False
    per_sequence: bool = False

    @model_validator(mode="after")
    def _pushes_only_wrong_down(self) -> Self:
        down = self.weight < 0 if self.form == "nll" else self.weight > 0
        spared = [kind for kind in self.reads if kind not in WRONG_KINDS]
        if not self.reads or (down and spared):
            raise ValueError(f"reads {list(self.reads)}: only {' and '.join(WRONG_KINDS)} may be pushed down")
        if self.form == "unlikelihood" and self.weight < 0:
            raise ValueError(f"weight {self.weight}: an unlikelihood is minimised, so its weight is 0 or more")
        return self

    def parts(self) -> tuple[Part, ...]:
        return (Part(f"{self.form}/{'+'.join(self.reads)}", self.weight),)

    def _weights(self, batch: Batch) -> Tensor:
        weight_B = reading(batch, self.reads)
        if self.per_item:
            weight_B = weight_B * batch["share"]
        learned_BT: Tensor = batch["labels"][:, 1:].ne(IGNORED)
        if self.per_sequence:
            weight_B = weight_B / learned_BT.sum(1).clamp(min=1)
        return weight_B[:, None] * learned_BT

    def counts(self, batch: Batch) -> list[Tensor]:
        return [self._weights(batch).sum()]

    def sums(self, forward: ForwardPass, batch: Batch) -> list[Tensor]:
        loss = weighted_nll_sum if self.form == "nll" else unlikelihood_sum
        return [loss(forward.logp_BT, self._weights(batch))]

    def distils(self) -> bool:
        return "right" in self.reads

    def gathers(self) -> bool:
        return self.per_item

    def settings(self) -> dict[str, Any]:
        """Without `per_sequence` where it is off: manifests of before know no such key, and may go on."""
        return {name: value for name, value in super().settings().items() if value or name != "per_sequence"}


class KeySteps(Term):
    """EDIT: learn the key tokens of a pair's right side, unlearn those of its wrong side (arXiv 2405.19737, eq. 4).

    Each side is divided by its response length, the wrong one from its first wrong step on where that is known, then
    the mean over the pairs of the step. `beta` is subtracted, so it
    is 0 or more; `gamma` weighs the right side's other tokens. `bounded` puts -log(1 - p) in place of log p, which
    falls without end.
    """

    reads_pairs: ClassVar[bool] = True

    term: Literal["key-steps"] = "key-steps"
    alpha: float = Field(default=1.0, ge=0)
    beta: float = Field(default=0.025, ge=0)
    gamma: float = Field(default=0.0, ge=0)
    bounded: bool = False
    weight: float = Field(default=1.0, ge=0)

    def parts(self) -> tuple[Part, ...]:
        sign = 1 if self.bounded else -1
        return Part("key/right", self.weight), Part("key/wrong", sign * self.weight * self.beta)

    def counts(self, batch: Batch) -> list[Tensor]:
        return [(reading(batch, kinds) * batch["sides"]).sum() for kinds in (RIGHT_KINDS, WRONG_KINDS)]

    def sums(self, forward: ForwardPass, batch: Batch) -> list[Tensor]:
        mask_BT = batch["labels"][:, 1:].ne(IGNORED)
        per_length_BT = mask_BT / mask_BT.sum(1, keepdim=True).clamp(min=1)
        key_BT = batch["key"][:, 1:]
        plain_BT = batch["sides"][:, None] - key_BT
        right_BT = reading(batch, RIGHT_KINDS)[:, None] * (self.alpha * key_BT + self.gamma * plain_BT)
        wrong_BT = reading(batch, WRONG_KINDS)[:, None] * key_BT
        push_down = unlikelihood_sum if self.bounded else weighted_nll_sum
        return [
            weighted_nll_sum(forward.logp_BT, right_BT * per_length_BT),
            push_down(forward.logp_BT, wrong_BT * per_length_BT),
        ]

    def amount(self, group: Group) -> int:
        return len(group["pairs"])


class Consistency(Term):
    """MCC-KD: the student shall give the answer's tokens alike after any rationale (arXiv 2310.14747, eq. 3 and 4).

    Bidirectional KL on the answers' positions, a mean over them, then over the pairs of the step. `pairs` of each
    row's rationales with a marked answer are drawn at every epoch, and where there is one, only the drawn rationales
    are seen in that step, by all terms; None compares all of them, and all are seen.
    """

    reads_answers: ClassVar[bool] = True
    reads_logits: ClassVar[bool] = True

    term: Literal["consistency"] = "consistency"
    weight: float = Field(default=0.1, ge=0)
    temperature: float = Field(default=1.0, gt=0)
    pairs: int | None = Field(default=1, ge=1)
    reads: tuple[Kind, ...] = ("right",)

    @model_validator(mode="after")
    def _reads_right_rationales(self) -> Self:
        unfit = [kind for kind in self.reads if kind not in RIGHT_KINDS]
        if unfit or not self.reads:
            raise ValueError(f"reads {list(self.reads)}: answers can be made consistent among right rationales only")
        return self

    def parts(self) -> tuple[Part, ...]:
        return (Part("consistency", self.weight),)

    def counts(self, batch: Batch) -> list[Tensor]:
        return [batch["drawn"].sum()]

    def sums(self, forward: ForwardPass, batch: Batch) -> list[Tensor]:
        assert forward.answer_NV is not None
        columns = batch["left"], batch["right"], batch["per_answer"]
        return [consistency_sum(forward.answer_NV, *columns, temperature=self.temperature)]

    def draws(self, seed: int) -> Draws | None:
        return Draws(self.reads, self.pairs, seed)

    def amount(self, group: Group) -> int:
        marked = [member for member in group["members"] if member["kind"] in self.reads and member["answer"][1]]
        answers = {tuple(member["input_ids"][slice(*member["answer"])]) for member in marked}
        if len(answers) > 1:
            raise UsageError(
                f"row {group['id']}: {len(answers)} answers of different tokens within one group",
                "the consistency term compares answers token by token",
                "group rationales by their answer and end each with the same sentence",
            )
        return len(marked) - 1 if marked else 0


Calibration = Literal["own", "mean", "shuffled", "one"]


class Calibrated(Term):
    """NCE: distil a NAT student into a plain one, most where its two views disagree (arXiv 2312.12832, eq. 6 to 8).

    A mean over completion tokens; `calibrate` says what a sequence's weight is: its own 0.5 + beta, the mean of all
    sequences' weights, another sequence's, or 1 (see sequence_weights).
    """

    reads_logits: ClassVar[bool] = True
    reads_teacher: ClassVar[bool] = True

    term: Literal["calibrated"] = "calibrated"
    weight: float = Field(default=0.5, ge=0)
    reads: tuple[Kind, ...] = ("right",)
    temperature: float = Field(default=1.0, gt=0)
    calibrate: Calibration = "own"

    def parts(self) -> tuple[Part, ...]:
        return (Part("calibrated", self.weight),)

    def counts(self, batch: Batch) -> list[Tensor]:
        return [(reading(batch, self.reads)[:, None] * batch["labels"][:, 1:].ne(IGNORED)).sum()]

    def sums(self, forward: ForwardPass, batch: Batch) -> list[Tensor]:
        teacher = forward.teacher
        assert teacher is not None
        mixed_BTD, negative_BTD = teacher.hidden("mixed", batch), teacher.hidden("negative", batch)

        mask_BT = batch["labels"][:, 1:].ne(IGNORED)
        weight_B = teacher.given_weights(batch)
        total = forward.hidden_BTD.sum() * 0
        for b in (reading(batch, self.reads) * mask_BT.any(1)).nonzero().flatten().tolist():
            rows = [hidden_BTD[b, :-1][mask_BT[b]] for hidden_BTD in (forward.hidden_BTD, mixed_BTD, negative_BTD)]
            total = total + weight_B[b] * self._of_sequence(forward.project, teacher, rows)
        return [total]

    def _of_sequence(self, project: Callable[[Tensor], Tensor], teacher: Teacher, rows: Sequence[Tensor]) -> Tensor:
        """A sequence's loss from its hidden states: few tokens' logits at a time, of which none are kept."""

        def sums(student_ND: Tensor, mixed_ND: Tensor, negative_ND: Tensor) -> Tensor:
            mixed_NV = teacher.project(mixed_ND)
            distilled = distillation_sum(project(student_ND), mixed_NV, self.temperature)
            return torch.stack([distilled, divergence_sum(teacher.project(negative_ND), mixed_NV)])

        chunks = zip(*(states_ND.split(CHUNK) for states_ND in rows), strict=True)
        both = torch.stack([checkpoint(sums, *chunk, use_reentrant=False) for chunk in chunks]).sum(0)
        distilled: Tensor = both[0]
        beta = disagreement(both[1], len(rows[0])).detach()
        return (0.5 + beta) * distilled if self.calibrate == "own" else distilled


def reading(batch: Batch, kinds: Sequence[Kind]) -> Tensor:
    """1.0 for the sequences of these kinds, else 0.0; B values."""
    flags = [(batch["kind"] == KINDS.index(kind)).float() for kind in kinds]
    return sum(flags, torch.zeros_like(batch["kind"], dtype=torch.float32))
