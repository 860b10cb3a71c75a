"""What a student is trained on: a list of terms, each with its weight and the members it reads.

    L = sum_k weight_k * (sum of term k over the step) / (denominator of term k over the step)

A step is everything between two optimizer steps: all micro-batches of all processes. A term has one or two *parts*,
logged apart; a method of a paper is a short list of terms (`sft`, `mapd`, `edit`, `mcc_kd`, ...), a combination a
longer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Protocol, Self

import torch
from pydantic import Field, TypeAdapter, ValidationError, model_validator
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from errata.errors import UsageError
from errata.settings import Settings
from errata.training.collate import IGNORED, Batch, Draws, Reading
from errata.training.groups import KINDS, RIGHT_KINDS, WRONG_KINDS, Kind, Row
from errata.training.losses import calibrated_sum, consistency_sum, unlikelihood_sum, weighted_nll_sum


class Teacher(Protocol):
    """A frozen NAT student seen two ways: with both adapters through the gate, and with the negative one alone."""

    def hidden(self, view: Literal["mixed", "negative"], batch: Batch) -> Tensor:
        """Last hidden states BTD, without gradient."""

    def project(self, hidden_ND: Tensor) -> Tensor:
        """Their logits NV."""


@dataclass
class Seen:
    """One forward pass as the terms see it. `answer_NV` is there only if a term asked for it."""

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
    weight: float = 1.0

    def parts(self) -> tuple[Part, ...]:
        raise NotImplementedError

    def counts(self, batch: Batch) -> list[Tensor]:
        """Each part's share of its denominator in this batch; scalars."""
        raise NotImplementedError

    def sums(self, seen: Seen, batch: Batch) -> list[Tensor]:
        """Each part's sum over this batch, before division; scalars."""
        raise NotImplementedError

    def found(self, row: Row) -> int:
        """How much of the row the term reads; raises UsageError if it cannot read it."""
        raise NotImplementedError


class Likelihood(Term):
    """A mean over completion tokens of -log p, or of -log(1 - p) in the form `unlikelihood`.

    weight 1 on right: plain distillation. On right and wrong: MIX. weight -0.05 on wrong: negative training (NT).
    unlikelihood, 0.05 on wrong: UL. MAPD: two of them, on right and on mistake, with weights 1 - alpha and alpha,
    `per_item`: an item counts once, however many rationales or explanations it has.
    """

    term: Literal["likelihood"] = "likelihood"
    reads: tuple[Kind, ...] = ("right",)
    form: Literal["nll", "unlikelihood"] = "nll"
    per_item: bool = False

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
        return weight_B[:, None] * batch["labels"][:, 1:].ne(IGNORED)

    def counts(self, batch: Batch) -> list[Tensor]:
        return [self._weights(batch).sum()]

    def sums(self, seen: Seen, batch: Batch) -> list[Tensor]:
        loss = weighted_nll_sum if self.form == "nll" else unlikelihood_sum
        return [loss(seen.logp_BT, self._weights(batch))]

    def found(self, row: Row) -> int:
        return sum(member["kind"] in self.reads for member in row["members"])


class KeySteps(Term):
    """EDIT: learn the key tokens of a pair's right side, unlearn those of its wrong side (arXiv 2405.19737, eq. 4).

    Each side is divided by its response length, then the mean over the pairs of the step. `beta` is subtracted, so it
    is 0 or more; `gamma` weighs the right side's other tokens. `bounded` puts -log(1 - p) in place of log p, which
    falls without end.
    """

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

    def sums(self, seen: Seen, batch: Batch) -> list[Tensor]:
        told_BT = batch["labels"][:, 1:].ne(IGNORED)
        per_length_BT = told_BT / told_BT.sum(1, keepdim=True).clamp(min=1)
        key_BT = batch["key"][:, 1:]
        plain_BT = batch["sides"][:, None] - key_BT
        right_BT = reading(batch, RIGHT_KINDS)[:, None] * (self.alpha * key_BT + self.gamma * plain_BT)
        wrong_BT = reading(batch, WRONG_KINDS)[:, None] * key_BT
        push_down = unlikelihood_sum if self.bounded else weighted_nll_sum
        return [
            weighted_nll_sum(seen.logp_BT, right_BT * per_length_BT),
            push_down(seen.logp_BT, wrong_BT * per_length_BT),
        ]

    def found(self, row: Row) -> int:
        return len(row["pairs"])


class Consistency(Term):
    """MCC-KD: the student shall give the answer's tokens alike after any rationale (arXiv 2310.14747, eq. 3 and 4).

    Bidirectional KL on the answers' positions, a mean over them, then over the pairs of the step. `pairs` of each
    row's rationales are drawn at every epoch, and only the drawn rationales are seen in that step; None takes all.
    """

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

    def sums(self, seen: Seen, batch: Batch) -> list[Tensor]:
        assert seen.answer_NV is not None
        columns = batch["left"], batch["right"], batch["per_answer"]
        return [consistency_sum(seen.answer_NV, *columns, temperature=self.temperature)]

    def found(self, row: Row) -> int:
        marked = [member for member in row["members"] if member["kind"] in self.reads and member["answer"][1]]
        answers = {tuple(member["input_ids"][slice(*member["answer"])]) for member in marked}
        if len(answers) > 1:
            raise UsageError(
                f"row {row['id']}: {len(answers)} answers of different tokens within one group",
                "the consistency term compares answers token by token",
                "group rationales by their answer and end each with the same sentence",
            )
        return len(marked) - 1 if marked else 0


class Calibrated(Term):
    """NCE: distil a NAT student into a plain one, most where its two views disagree (arXiv 2312.12832, eq. 6 to 8).

    A mean over completion tokens; the weight of a sequence is 0.5 + beta, or 1 without `calibrate`.
    """

    term: Literal["calibrated"] = "calibrated"
    weight: float = Field(default=0.5, ge=0)
    reads: tuple[Kind, ...] = ("right",)
    temperature: float = Field(default=1.0, gt=0)
    calibrate: bool = True

    def parts(self) -> tuple[Part, ...]:
        return (Part("calibrated", self.weight),)

    def counts(self, batch: Batch) -> list[Tensor]:
        return [(reading(batch, self.reads)[:, None] * batch["labels"][:, 1:].ne(IGNORED)).sum()]

    def sums(self, seen: Seen, batch: Batch) -> list[Tensor]:
        teacher = seen.teacher
        assert teacher is not None
        mixed_BTD, negative_BTD = teacher.hidden("mixed", batch), teacher.hidden("negative", batch)

        def loss(student_ND: Tensor, mixed_ND: Tensor, negative_ND: Tensor) -> Tensor:
            logits = seen.project(student_ND), teacher.project(mixed_ND), teacher.project(negative_ND)
            return calibrated_sum(*logits, temperature=self.temperature, calibrate=self.calibrate)

        told_BT = batch["labels"][:, 1:].ne(IGNORED)
        total = seen.hidden_BTD.sum() * 0
        for b in reading(batch, self.reads).nonzero().flatten().tolist():
            rows = [hidden_BTD[b, :-1][told_BT[b]] for hidden_BTD in (seen.hidden_BTD, mixed_BTD, negative_BTD)]
            total = total + checkpoint(loss, *rows, use_reentrant=False)  # one sequence's logits at a time, none kept
        return [total]

    def found(self, row: Row) -> int:
        return sum(member["kind"] in self.reads for member in row["members"])


def reading(batch: Batch, kinds: Sequence[Kind]) -> Tensor:
    """1.0 for the sequences of these kinds, else 0.0; B values."""
    return sum((batch["kind"] == KINDS.index(kind)).float() for kind in kinds)


AnyTerm = Annotated[Likelihood | KeySteps | Consistency | Calibrated, Field(discriminator="term")]
_TERMS: TypeAdapter[tuple[Likelihood | KeySteps | Consistency | Calibrated, ...]] = TypeAdapter(tuple[AnyTerm, ...])


# ---- the methods -----------------------------------------------------------------------------------------------------


def sft() -> tuple[Term, ...]:
    return (Likelihood(),)


def mapd(alpha: float = 0.5) -> tuple[Term, ...]:
    """Answering and explaining mistakes, mixed by `alpha` (arXiv 2410.03663)."""
    return (
        Likelihood(weight=1 - alpha, per_item=True),
        Likelihood(weight=alpha, reads=("mistake",), per_item=True),
    )


def edit(alpha: float = 1.0, beta: float = 0.025, gamma: float = 0.0, bounded: bool = False) -> tuple[Term, ...]:
    return (KeySteps(alpha=alpha, beta=beta, gamma=gamma, bounded=bounded),)


def mcc_kd(alpha: float = 0.1, temperature: float = 1.0, pairs: int | None = 1) -> tuple[Term, ...]:
    return Likelihood(), Consistency(weight=alpha, temperature=temperature, pairs=pairs)


def nce(a: float = 0.5, temperature: float = 1.0, calibrate: bool = True) -> tuple[Term, ...]:
    return Likelihood(weight=1 - a), Calibrated(weight=a, temperature=temperature, calibrate=calibrate)


def mix() -> tuple[Term, ...]:
    """The baseline MIX of NAT's paper: wrong rationales learned as right ones."""
    return (Likelihood(reads=("right", "wrong")),)


def negative_training(strength: float = 0.05) -> tuple[Term, ...]:
    """The baseline NT of NAT's paper."""
    return Likelihood(), Likelihood(weight=-strength, reads=("wrong",))


def unlikelihood(strength: float = 0.05) -> tuple[Term, ...]:
    """The baseline UL of NAT's paper."""
    return Likelihood(), Likelihood(weight=strength, reads=("wrong",), form="unlikelihood")


def parse_terms(entries: Sequence[dict[str, Any]]) -> tuple[Term, ...]:
    """Terms from a config's list, e.g. `{term: likelihood, reads: [mistake], weight: 0.5}`. Raises UsageError."""
    try:
        return _TERMS.validate_python(entries)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"terms.{place}: {first['msg']}",
            "the objective cannot be built from it",
            "see the terms' settings: likelihood, key-steps, consistency, calibrated",
        ) from error


class Objective:
    """The sum of the terms. K parts, in the terms' order."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(terms)
        self.parts = tuple(part for term in self.terms for part in term.parts())
        names = [part.name for part in self.parts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not names:
            raise UsageError(
                f"two terms read the same: {', '.join(twice)}" if twice else "an objective without a term",
                "their shares could not be told apart" if twice else "there is nothing to train",
                "merge them into one with the sum of their weights" if twice else "name at least one term",
            )

    @property
    def plain(self) -> bool:
        """Ordinary distillation, which any SFT trainer computes."""
        return self.terms == sft()

    @property
    def consistency(self) -> Consistency | None:
        return next((term for term in self.terms if isinstance(term, Consistency)), None)

    @property
    def calibrated(self) -> Calibrated | None:
        return next((term for term in self.terms if isinstance(term, Calibrated)), None)

    def reading(self, seed: int = 0) -> Reading:
        """What a collator takes from a row; `seed` is that of the pair draws."""
        kinds = frozenset(kind for term in self.terms if not isinstance(term, KeySteps) for kind in term.reads)
        draws = Draws(self.consistency.reads, self.consistency.pairs, seed) if self.consistency else None
        return Reading(kinds, any(isinstance(term, KeySteps) for term in self.terms), draws)

    def counts(self, batch: Batch) -> Tensor:
        """The parts' denominators in this batch; K values."""
        return torch.stack([count.float() for term in self.terms for count in term.counts(batch)])

    def sums(self, seen: Seen, batch: Batch) -> list[Tensor]:
        """The parts' sums over this batch; K scalars."""
        return [value for term in self.terms for value in term.sums(seen, batch)]

    def refuse(self, *, packing: bool = False, teacher: bool = False) -> None:
        """Raises UsageError for what cannot be trained together with these terms."""
        if packing and not self.plain:
            raise UsageError(
                "packing with terms other than plain distillation",
                "packing joins sequences of different problems and drops every column but the tokens",
                "set packing: false",
            )
        if self.calibrated and not teacher:
            raise UsageError(
                "the term calibrated without a NAT checkpoint",
                "it distils a student that has a negative and a positive adapter with their gate",
                "train one with `errata train nat` and name it",
            )

    def takes(self, row: Row) -> bool:
        """Whether any term reads anything of the row."""
        return bool(self.reading().members(row))

    def check(self, rows: Iterable[Row]) -> None:
        """Raises UsageError if a row cannot be trained on so, or if a term would find nothing in any row."""
        found = dict.fromkeys((term.parts()[0].name for term in self.terms), 0)
        total = idle = 0
        for row in rows:
            total, idle = total + 1, idle + (not self.takes(row))
            for term in self.terms:
                found[term.parts()[0].name] += term.found(row)
        if idle and idle < total:
            raise UsageError(
                f"{idle} of {total} rows hold nothing that a term reads",
                "a step on such rows alone would train nothing",
                "leave them out",
            )
        unfed = [name for name, count in found.items() if not count]
        if unfed:
            raise UsageError(
                f"no row among {total} holds anything for {', '.join(unfed)}",
                "there is nothing to train on" if len(unfed) == len(found) else "the term would do nothing",
                "see what the export or its filters left out, or drop the term",
            )
