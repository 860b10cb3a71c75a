"""What NAT's first stage has taught: under its adapter wrong rationales should be likelier than right ones.

Where they are not, the adapter has learned how rationales are written, and not what is wrong with some.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from errata.exports.sequences import Kind
from errata.records import draw
from errata.training.encode import Group, Member

SEQUENCES = 64
"""Of either kind, at most."""


class Probe(NamedTuple):
    """Mean negative log-likelihoods in nats a token: with the adapter, and of the student without it (`base`)."""

    wrong: float
    right: float
    base_wrong: float
    base_right: float
    sequences: int
    """Of both kinds together."""

    @property
    def knows_wrong(self) -> bool:
        return self.wrong < self.right

    def __str__(self) -> str:
        return (
            f"wrong rationales {self.wrong:.3f}, right ones {self.right:.3f} nats a token "
            f"(without the adapter {self.base_wrong:.3f}, {self.base_right:.3f})"
        )


def probe(model: Any, groups: Iterable[Group], seed: int) -> Probe | None:
    """Right and wrong rationales read by a student with an adapter, drawn by hash; None where a kind is missing.

    Leaves the model in evaluation mode.
    """
    sequences = list(groups)
    wrong, right = (_drawn(sequences, kind, seed) for kind in ("wrong", "right"))
    if not wrong or not right:
        return None
    model.eval()
    wrong_nll, right_nll = _nll(model, wrong), _nll(model, right)
    with model.disable_adapter():
        return Probe(wrong_nll, right_nll, _nll(model, wrong), _nll(model, right), len(wrong) + len(right))


def _drawn(groups: Iterable[Group], kind: Kind, seed: int) -> list[Member]:
    members = [
        (draw(seed, "probe", group["id"], place), member)
        for group in groups
        for place, member in enumerate(group["members"])
        if member["kind"] == kind
    ]
    return [member for _, member in sorted(members, key=lambda pair: pair[0])[:SEQUENCES]]


def _nll(model: Any, members: list[Member]) -> float:
    """Over all completion tokens of the members; one sequence at a time."""
    total, tokens = 0.0, 0
    for member in members:
        ids = torch.tensor([member["input_ids"]], device=model.device)
        with torch.no_grad():
            logits_TV: Tensor = model(input_ids=ids, use_cache=False).logits[0, member["prompt"] - 1 : -1].float()
        total += float(cross_entropy(logits_TV, ids[0, member["prompt"] :], reduction="sum"))
        tokens += len(logits_TV)
    return total / tokens
