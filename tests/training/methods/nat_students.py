"""Trainings of NAT students and what became of their adapters."""

from __future__ import annotations

from typing import Any

import torch

IDS = torch.tensor([[5, 60, 70, 80, 90, 9], [11, 12, 13, 200, 30, 31]])


LORA: dict[str, Any] = {"r": 3, "lora_alpha": 6, "target_modules": ["q_proj", "v_proj", "down_proj"]}


FIVE: dict[str, Any] = {"max_steps": 5, "learning_rate": 0.02, "optim": "adamw_torch", "lr_scheduler_type": "constant"}


def fill(model: Any, part: str, seed: int) -> None:
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if part in name:
            torch.nn.init.normal_(parameter, std=0.2)


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits


def moved(trainer: Any, model: Any) -> set[str]:
    before = {name: value.clone() for name, value in model.named_parameters()}
    trainer.train()
    return {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}


def losses(trainer: Any) -> list[float]:
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
