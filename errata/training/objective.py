"""What a student is trained on: a list of terms, each with its weight and the members it reads.

    L = sum_k weight_k * (sum of term k over the step) / (denominator of term k over the step)

A paper's method is a short list of terms (`sft`, `mapd`, `edit`, `mcc_kd`, ...), a combination a longer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from errata.errors import UsageError
from errata.training.collate import Batch, Draws, Reading
from errata.training.encode import Row
from errata.training.terms import Calibrated, Consistency, KeySteps, Likelihood, Seen

Term = Likelihood | KeySteps | Consistency | Calibrated


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
        kinds = frozenset(kind for term in self.terms for kind in term.reads)
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
