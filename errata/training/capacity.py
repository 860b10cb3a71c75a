"""How much a training may change of its student: trained weights, and the rank and modules of its adapter.

A difference between two methods may be one of capacity alone, so manifests, comparisons and reports say it.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora.layer import LoraLayer
from trl import ModelConfig


class Capacity(NamedTuple):
    """As the manifest states it; rank None and no module where no adapter is trained."""

    trained_weights: int
    lora_rank: int | None
    lora_modules: list[str]
    """Last parts of the adapted layers' names, as `--lora_target_modules` takes them."""

    def __str__(self) -> str:
        lora = f", LoRA of rank {self.lora_rank} on {', '.join(self.lora_modules)}" if self.lora_rank else ""
        return f"{self.trained_weights:,} weights{lora}"


def capacity_of(model: torch.nn.Module) -> Capacity:
    """What is trained of a model, with its adapters if it has any; of several trained ones the highest rank."""
    ranks, modules = [0], set()
    layer: Any  # PEFT's type has no parameters; every layer of this type is a module too
    for name, layer in ((name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer)):
        parts = {part for at, value in layer.named_parameters() if value.requires_grad for part in at.split(".")}
        trained = [rank for side, rank in layer.r.items() if side in parts]
        ranks += trained
        modules |= {name.rpartition(".")[2]} if trained else set()
    weights = sum(int(value.numel()) for value in model.parameters() if value.requires_grad)
    return Capacity(weights, max(ranks) or None, sorted(modules))


def adapted_shapes(model: Any, lora: LoraConfig) -> list[tuple[int, int]]:
    """(in, out) features of the layers that an adapter would stand on, by a model of the same shape without numbers."""
    with torch.device("meta"):
        empty = type(model)(copy.deepcopy(model.config))
        adapted = get_peft_model(empty, copy.deepcopy(lora))
    layers: list[Any] = [each for each in adapted.modules() if isinstance(each, LoraLayer)]
    return [(each.in_features, each.out_features) for each in layers]


def widen(config: ModelConfig, shapes: list[tuple[int, int]], weights: int) -> None:
    """Sets the rank at which an adapter on layers of these shapes comes nearest to so many weights; its scale stays."""
    rank = max(1, round(weights / sum(inward + outward for inward, outward in shapes)))
    config.lora_alpha = round(config.lora_alpha * rank / config.lora_r)
    config.lora_r = rank
