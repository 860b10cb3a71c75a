"""What a student is trained on: a list of terms, each with its weight and the members it reads.

    L = sum_k weight_k * (sum of term k over the step) / (denominator of term k over the step)

A paper's method is a short list of terms (see methods/), a combination a longer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from errata.errors import NothingToLearn, UsageError
from errata.training.collate import Batch, Reading
from errata.training.encode import Group
from errata.training.terms import ForwardPass, Likelihood, Term


class Objective:
    """The sum of the terms. K parts, in the terms' order."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(terms)
        self.parts = tuple(part for term in self.terms for part in term.parts())
        names = [part.name for part in self.parts]
        drawing = [term.parts()[0].name for term in self.terms if term.draws(0) is not None]
        if len(drawing) > 1:
            raise UsageError(
                f"two terms draw pairs of rationales: {', '.join(drawing)}",
                "only the drawn rationales are read in a step, and each would draw its own",
                "drop one of them",
            )
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
        return self.terms == (Likelihood(),)

    @property
    def reads_answers(self) -> bool:
        """Whether a term reads the logits of the answers' tokens."""
        return any(term.reads_answers for term in self.terms)

    @property
    def trains_answers(self) -> bool:
        """Whether such a term has a weight, so that a gradient goes through these logits."""
        return any(term.reads_answers and term.weight != 0 for term in self.terms)

    @property
    def reads_logits(self) -> bool:
        """Whether a term reads whole distributions."""
        return any(term.reads_logits for term in self.terms)

    @property
    def reads_teacher(self) -> bool:
        """Whether a term compares the student with a frozen one."""
        return any(term.reads_teacher for term in self.terms)

    def reading(self, seed: int = 0) -> Reading:
        """What a collator takes from a row; `seed` is that of the pair draws."""
        kinds = frozenset(kind for term in self.terms for kind in term.reads)
        draws = next((draws for term in self.terms if (draws := term.draws(seed)) is not None), None)
        return Reading(kinds, any(term.reads_pairs for term in self.terms), draws)

    def counts(self, batch: Batch) -> Tensor:
        """The parts' denominators in this batch; K values."""
        return torch.stack([count.float() for term in self.terms for count in term.counts(batch)])

    def sums(self, forward: ForwardPass, batch: Batch) -> list[Tensor]:
        """The parts' sums over this batch; K scalars."""
        return [value for term in self.terms for value in term.sums(forward, batch)]

    def refuse(self, *, packing: bool = False, teacher: bool = False) -> None:
        """Raises UsageError for what cannot be trained together with these terms."""
        if packing and not self.plain:
            raise UsageError(
                "packing with terms other than plain distillation",
                "packing joins sequences of different problems and drops every column but the tokens",
                "set packing: false",
            )
        if self.reads_teacher and not teacher:
            name = next(term.parts()[0].name for term in self.terms if term.reads_teacher)
            raise UsageError(
                f"the term {name} without a NAT checkpoint",
                "it distils a student that has a negative and a positive adapter with their gate",
                "train one with `errata train nat` and name it",
            )

    def takes(self, group: Group) -> bool:
        """Whether any term reads anything of the group."""
        return bool(self.reading().members(group))

    def check(self, groups: Iterable[Group]) -> None:
        """Raises UsageError if a row cannot be trained on so, NothingToLearn if no row holds anything for a term."""
        amounts = dict.fromkeys((term.parts()[0].name for term in self.terms), 0)
        total = idle = 0
        for group in groups:
            total, idle = total + 1, idle + (not self.takes(group))
            for term in self.terms:
                amounts[term.parts()[0].name] += term.amount(group)
        if idle and idle < total:
            raise UsageError(
                f"{idle} of {total} rows hold nothing that a term reads",
                "a step on such rows alone would train nothing",
                "leave them out",
            )
        unfed = [name for name, count in amounts.items() if not count]
        if unfed:
            raise NothingToLearn(
                f"no row among {total} holds anything for {', '.join(unfed)}",
                "there is nothing to train on" if len(unfed) == len(amounts) else "the term would do nothing",
                "see what the export or its filters left out, or drop the term",
            )
