"""How a tiny student goes to school: a plain loop over one epoch of examples.

SFTTrainer takes a fifth as long to import as all of this takes, and nothing that it offers is used here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

from errata.models.prompting import Example
from errata.training.collate import IGNORED

ADAMW: dict[str, Any] = {"betas": (0.9, 0.98), "weight_decay": 0.01, "fused": True}
MUON: dict[str, Any] = {"momentum": 0.95, "weight_decay": 0.01, "adjust_lr_fn": "match_rms_adamw"}
WARMUP, FLOOR, CLIP = 0.1, 0.1, 1.0
SMALL = 2_000_000
"""Weights below which one thread is as fast as two."""
BUCKET = 16
"""Batches whose rows are sorted by length among themselves: with rows as they come a step takes half as long again."""
RECIPE = (ADAMW, MUON, WARMUP, FLOOR, CLIP, BUCKET)


@contextmanager
def one_thread() -> Iterator[None]:
    """A second thread only waits on a model this small; and so the weights do not depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_for(model: Any) -> AbstractContextManager[None]:
    """One thread for a model as small as `tiny`, else as many as there were."""
    weights = sum(weight.numel() for weight in model.parameters())
    return one_thread() if weights < SMALL else nullcontext()


def train(
    model: Any, examples: Sequence[Example], pad_id: int, *, batch: int, learning_rate: float, seed: int
) -> Iterator[tuple[int, float]]:
    """Teaches the completions, every example once; yields (step, its loss: the mean over completion tokens)."""
    epoch = batches([sum(map(len, example)) for example in examples], batch, seed)
    optimizers = _optimizers(model, learning_rate)
    schedules = [torch.optim.lr_scheduler.LambdaLR(each, lambda step: rate(step, len(epoch))) for each in optimizers]
    model.train()
    for step, places in enumerate(epoch, 1):
        ids_BT, labels_BT = _padded([examples[place] for place in places], pad_id)
        # padded on the right, so that causal attention never sees the padding
        hidden_BTD = model.model(input_ids=ids_BT, use_cache=False).last_hidden_state
        mask_BT = labels_BT[:, 1:] != IGNORED
        logits_NV = model.lm_head(hidden_BTD[:, :-1][mask_BT])
        loss = torch.nn.functional.cross_entropy(logits_NV, labels_BT[:, 1:][mask_BT])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for each in (*optimizers, *schedules):
            each.step()
        model.zero_grad()
        yield step, loss.item()
    model.eval()


def _optimizers(model: Any, learning_rate: float) -> list[Any]:
    """Muon for the matrices within the layers, AdamW for embeddings and norms.

    After 300 steps the loss is what AdamW alone reaches in 400, for a fifth more time a step, and it ends lower.
    """
    inner: list[Tensor] = []
    outer: list[Tensor] = []
    for name, weight in model.named_parameters():
        (inner if weight.ndim == 2 and ".layers." in name else outer).append(weight)
    return [
        torch.optim.Muon(inner, lr=learning_rate, **MUON),
        torch.optim.AdamW(outer, lr=learning_rate, **ADAMW),
    ]


def rate(step: int, steps: int) -> float:
    """The learning rate's factor at a step counted from 0: a linear warm-up, then a cosine down to FLOOR."""
    warmup = max(1, round(WARMUP * steps))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def batches(lengths: Sequence[int], batch: int, seed: int) -> list[list[int]]:
    """Places of the examples in one epoch, shuffled by the seed, then sorted by length within BUCKET batches."""
    rng = torch.Generator().manual_seed(seed)
    order: list[int] = torch.randperm(len(lengths), generator=rng).tolist()
    epoch: list[list[int]] = []
    for start in range(0, len(order), batch * BUCKET):
        bucket = sorted(order[start : start + batch * BUCKET], key=lambda place: (lengths[place], place))
        parts = [bucket[at : at + batch] for at in range(0, len(bucket), batch)]
        epoch += [parts[i] for i in torch.randperm(len(parts), generator=rng).tolist()]
    return epoch


def _padded(examples: Sequence[Example], pad_id: int) -> tuple[Tensor, Tensor]:
    width = max(len(prompt) + len(completion) for prompt, completion in examples)
    ids_BT = torch.full((len(examples), width), pad_id)
    labels_BT = torch.full_like(ids_BT, IGNORED)
    for row, (prompt, completion) in enumerate(examples):
        end = len(prompt) + len(completion)
        ids_BT[row, :end] = torch.tensor([*prompt, *completion])
        labels_BT[row, len(prompt) : end] = ids_BT[row, len(prompt) : end]
    return ids_BT, labels_BT
