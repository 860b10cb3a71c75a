"""What a step is made of, added up over its micro-batches: losses, denominators, log-probabilities by kind.

In evaluation, everything since its start is one step. K parts of the objective.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from errata.exports.sequences import KINDS
from errata.training.collate import Batch
from errata.training.terms import ForwardPass, Part


@dataclass(frozen=True)
class Totals:
    """Sums over a whole step, of all processes."""

    value: list[float]
    """Each part's sum, before its denominator; K values."""
    count: list[float]
    """Each part's denominator."""
    squared: list[float]
    """Squared norm of each part's gradient at the last hidden state; zeros where it was not taken."""
    logp: list[float]
    """Log-probability of the learned tokens, by kind."""
    tokens: list[float]
    """Their number, by kind."""
    other: list[float]
    """Entropy of the learned tokens, how many are the likeliest, and all tokens that were read."""

    def loss(self, parts: Sequence[Part]) -> float:
        columns = zip(parts, self.value, self.count, strict=True)
        return sum((part.factor * value / count for part, value, count in columns if count), 0.0)

    def metrics(self, parts: Sequence[Part]) -> dict[str, float]:
        """As they are logged."""
        logged: dict[str, float] = {}
        norm = sum(square**0.5 for square in self.squared)
        for part, value, count, squared in zip(parts, self.value, self.count, self.squared, strict=True):
            if count:
                logged[f"loss/{part.name}"] = value / count
            if norm:
                logged[f"grad_share/{part.name}"] = squared**0.5 / norm
        for kind, logp, tokens in zip(KINDS, self.logp, self.tokens, strict=True):
            if tokens:
                logged[f"logp/{kind}"] = logp / tokens
        learned = max(1.0, sum(self.tokens))
        entropy, likeliest, _ = self.other
        return logged | {"entropy": entropy / learned, "mean_token_accuracy": likeliest / learned}


class StepSums:
    """Sums of the micro-batches since the last `take`."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}

    def __bool__(self) -> bool:
        return bool(self._sums)

    @torch.no_grad()
    def add(self, batch: Batch, outputs: Any, sums: Sequence[Tensor], counts_K: Tensor, squared: list[Tensor]) -> None:
        """Adds a micro-batch; `outputs` are TRL's, of its learned tokens."""
        by_kind = counts_K.new_zeros(len(KINDS))
        read = outputs.entropy.sum(), outputs.is_top1.sum(), batch["attention_mask"].sum()
        new = {
            "value": torch.stack([value.detach().float() for value in sums]),
            "count": counts_K,
            "squared": torch.stack(squared) if squared else torch.zeros_like(counts_K),
            "logp": by_kind.index_add(0, batch["kind"], outputs.log_probs.sum(1).float()),
            "tokens": by_kind.index_add(0, batch["kind"], outputs.label_mask.sum(1).float()),
            "other": torch.stack([each.float() for each in read]),
        }
        self._sums = {name: self._sums[name] + value if self._sums else value for name, value in new.items()}

    def take(self, reduce: Callable[[Tensor], Tensor]) -> Totals:
        """The totals, from which on everything counts anew; `reduce` sums over processes."""
        sizes = [len(value) for value in self._sums.values()]
        flat = reduce(torch.cat(list(self._sums.values())))
        names, self._sums = list(self._sums), {}
        return Totals(**dict(zip(names, (part.tolist() for part in flat.split(sizes)), strict=True)))


def squared_norms(terms: Sequence[Tensor], forward: ForwardPass) -> list[Tensor]:
    """Squared norm of each term's gradient at the last hidden state.

    A log-probability depends on the hidden state of its own position alone, so one pass back through the LM head serves
    all terms that are made of log-probabilities; the others read few positions, or the states themselves.
    """
    states = forward.hidden_BTD
    (slope_BTD,) = torch.autograd.grad(forward.logp_BT.sum(), states, retain_graph=True)
    slope_BT = slope_BTD[:, :-1].float().square().sum(-1)
    norms = []
    for term in terms:
        if not term.requires_grad:
            norms.append(slope_BT.new_zeros(()))
            continue
        (by_logp_BT,) = torch.autograd.grad(term, forward.logp_BT, retain_graph=True, allow_unused=True)
        if by_logp_BT is None:
            (gradient_BTD,) = torch.autograd.grad(term, states, retain_graph=True)
            norms.append(gradient_BTD.float().square().sum())
        else:
            norms.append((by_logp_BT.float().square() * slope_BT).sum())
    return norms
