"""NAT students, their second stage, and its twin: the gated layer written out from the paper's formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional as F

from errata.models.gate import GateSettings, NatModel, new_nat
from errata.training.methods.nat import positive_trainer
from tests.training import twins
from tests.training.lab import byte_tokenizer, dataset, one_step, sample_rows, tiny_llama
from tests.training.methods.nat_students import LORA, fill

ROWS = sample_rows()


def save_negative(folder: Path, **changes: Any) -> Path:
    """A negative adapter, random in both of its matrices."""
    model = get_peft_model(tiny_llama(), LoraConfig(**LORA, **changes))
    fill(model, "lora_B", 3)
    model.save_pretrained(folder)
    return folder


def save_nat(negative: Path, folder: Path, *random: str) -> Path:
    """A NAT student over a negative adapter, random in its gate and in the parts named."""
    model = new_nat(tiny_llama(), negative, GateSettings(width=8))
    for seed, part in enumerate(random, 4):
        fill(model, part, seed)
    model.save_pretrained(str(folder))
    return folder


def nat(negative: Path, *, lively: bool = False, **settings: Any) -> NatModel:
    """A NAT student of narrow gates; `lively` ones are random where they would start at zero."""
    torch.manual_seed(7)
    model = new_nat(tiny_llama(), negative, GateSettings(**{"width": 8, **settings}))
    if lively:
        fill(model, "lora_B.positive", 8)
        fill(model, "value_out", 9)
    return model


class TwinLayer(torch.nn.Module):
    """One gated layer, written out from the paper's formulas with plain matrices."""

    def __init__(self, layer: Any, beta: float, divisor: float) -> None:
        super().__init__()
        self.w = layer.base_layer.weight
        self.scale = layer.scaling["positive"]
        self.ap, self.bp = (
            torch.nn.Parameter(part["positive"].weight.detach()) for part in (layer.lora_A, layer.lora_B)
        )
        self.an, self.bn = (part["negative"].weight.detach() for part in (layer.lora_A, layer.lora_B))
        gate = layer.nat_gate
        self.wq, self.wk, self.w1, self.w2 = (
            torch.nn.Parameter(part.weight.detach()) for part in (gate.query, gate.key, gate.value_in, gate.value_out)
        )
        self.beta, self.divisor = beta, divisor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h0 = x @ self.w.T
        h_pos = h0 + self.scale * (x @ self.ap.T @ self.bp.T)
        h_neg = h0 + self.scale * (x @ self.an.T @ self.bn.T)
        q = x @ self.wq.T
        e_p, e_n = (torch.exp((q * (h @ self.wk.T)).sum(-1, keepdim=True) / self.divisor) for h in (h_pos, h_neg))
        a_n = e_n / (e_p + e_n)
        alpha_n = 2 * self.beta * a_n - self.beta
        v_pos, v_neg = (F.gelu(h @ self.w1.T) @ self.w2.T for h in (h_pos, h_neg))
        return h0 + (1 - alpha_n) * v_pos + alpha_n * v_neg

    NAMES = (
        ("lora_A.positive.weight", "ap"),
        ("lora_B.positive.weight", "bp"),
        ("nat_gate.query.weight", "wq"),
        ("nat_gate.key.weight", "wk"),
        ("nat_gate.value_in.weight", "w1"),
        ("nat_gate.value_out.weight", "w2"),
    )


def twin_of(model: NatModel, beta: float = 0.5, divisor: float = 1.0) -> tuple[Any, dict[str, TwinLayer]]:
    """A plain Llama with the gated layers replaced, and those layers by the names of the originals."""
    plain = tiny_llama()
    layers = {}
    for name in model.gates:
        path = name.removeprefix("base_model.model.")
        layers[name] = TwinLayer(model.get_submodule(name), beta, divisor)
        parent, _, child = path.rpartition(".")
        setattr(plain.get_submodule(parent), child, layers[name])
    return plain, layers


def stage_two(model: NatModel, folder: Path, side: str = "right", **settings: Any) -> Any:
    return positive_trainer(model, one_step(folder, **settings), dataset(ROWS), byte_tokenizer(side))


def twin_gradients(negative: Path) -> dict[str, torch.Tensor]:
    model = nat(negative, lively=True)
    plain, layers = twin_of(model)
    plain.requires_grad_(False)
    for layer in layers.values():
        for _, own in TwinLayer.NAMES:
            getattr(layer, own).requires_grad_(True)
    twins.likelihood(plain, ROWS, ("right",)).backward()
    return {f"{at}.{name}": getattr(layer, own).grad for at, layer in layers.items() for name, own in TwinLayer.NAMES}
