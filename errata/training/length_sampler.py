"""The order of rows of similar length, which is the same whether a training was interrupted or not."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import LengthGroupedSampler

from errata.records import digest


class EpochLengthSampler(Sampler[int]):
    """transformers' order by length with a generator of its own, so that an epoch's order depends on seed and epoch.

    transformers draws it from torch's generator, and where a training goes on within an epoch, before it gives that its
    state back: then rows are learned again that the epoch has seen, and others not at all.
    """

    def __init__(self, sampler: LengthGroupedSampler, seed: int) -> None:
        self._sampler, self._seed, self._epoch = sampler, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate's data loader before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._sampler)

    def __iter__(self) -> Iterator[int]:
        self._sampler.generator = torch.Generator().manual_seed(int(digest(self._seed, self._epoch), 16) >> 1)
        return iter(self._sampler)
