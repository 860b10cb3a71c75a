"""The weights of NCE's sequences, and what its controls put in their place.

A sequence's weight 0.5 + beta is told by the frozen NAT student alone, so all of them are known before the first step:

    own        each sequence its own weight    the method
    shuffled   another sequence's              own - shuffled: what it is worth to know which sequence is critical
    mean       their mean over all tokens      own - mean: what it is worth that weights differ at all
    one        1                               own - one: the share of the distillation in the loss besides, which is
                                               about twice as large as with a mean weight near 0.54

beta grows with any damage to the negative view, so `own` may differ from `shuffled` for a negative adapter that knows
nothing of wrong rationales: compare with NAT's control equal_parameters too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import torch

from errata.exports.sequences import Kind
from errata.records import draw
from errata.training.encode import Group
from errata.training.losses import disagreement, divergence_sum
from errata.training.terms import CHUNK, Calibration, Teacher

Key = tuple[int, ...]
"""A sequence's token ids, by which it is known in every batch."""


class Weighed(NamedTuple):
    """A sequence's own weight, and how many completion tokens it weighs."""

    weight: float
    tokens: int


def own_weights(
    teacher: Teacher, groups: Iterable[Group], reads: Collection[Kind], device: torch.device | str = "cpu"
) -> dict[Key, Weighed]:
    """0.5 + beta of every sequence of these kinds, each once, in the groups' order."""
    weighed: dict[Key, Weighed] = {}
    for member in (member for group in groups for member in group["members"] if member["kind"] in reads):
        key = tuple(member["input_ids"])
        if key in weighed:
            continue
        ids = torch.tensor([key], device=device)
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        places = slice(member["prompt"] - 1, -1)
        views = [teacher.hidden(view, batch)[0, places] for view in ("negative", "mixed")]
        tokens = len(key) - member["prompt"]
        weighed[key] = Weighed(0.5 + float(disagreement(_divergence(teacher, *views), tokens)), tokens)
    return weighed


def _divergence(teacher: Teacher, negative_TD: torch.Tensor, mixed_TD: torch.Tensor) -> torch.Tensor:
    """The sum of KL(negative || mixed): few tokens' logits at a time, of which none are kept."""
    chunks = zip(negative_TD.split(CHUNK), mixed_TD.split(CHUNK), strict=True)
    return torch.stack([divergence_sum(teacher.project(left), teacher.project(right)) for left, right in chunks]).sum()


def given_weights(own: Mapping[Key, Weighed], calibrate: Calibration, seed: int) -> dict[Key, float]:
    """The weights that a control gives to sequences; empty where each has its own, or 1.

    `mean` is over tokens, so that the loss holds as much distillation as with their own weights. `shuffled` is a
    permutation in hashed order, fixed by `seed`.
    """
    if calibrate == "mean" and own:
        total = sum(each.weight * each.tokens for each in own.values())
        return dict.fromkeys(own, total / sum(each.tokens for each in own.values()))
    if calibrate == "shuffled":
        order = sorted(own, key=lambda key: draw(seed, "weights_shuffled", key))
        return dict(zip(sorted(own), (own[key].weight for key in order), strict=True))
    return {}
