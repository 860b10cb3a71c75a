"""NCE's trainer over a NAT teacher, and its twin: each view of the teacher as a model of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from errata.models.gate import load_nat
from errata.training.methods.nce import nat_teacher, nce_trainer
from errata.training.objective import Objective
from tests.training import twins
from tests.training.lab import byte_tokenizer, dataset, nce, one_step, sample_rows, tiny_llama
from tests.training.methods.nat_students import LORA, fill

ROWS = sample_rows()
PLAIN = {**LORA, "target_modules": ["q_proj", "v_proj"], "lora_dropout": 0.0}


def stage_three(nat_folder: Path, folder: Path, side: str = "right", terms: Any = None, **settings: Any) -> Any:
    base = tiny_llama()
    teacher = nat_teacher(base, nat_folder)
    args, lora = one_step(folder, **settings), LoraConfig(**PLAIN)
    trainer = nce_trainer(base, teacher, args, dataset(ROWS), byte_tokenizer(side), lora, Objective(terms or nce()))
    fill(trainer.model, "lora_", 6)
    return trainer


class Viewed:
    """One view of a NAT student as a model of its own."""

    def __init__(self, nat_folder: Path, view: Any) -> None:
        self.nat, self.name = load_nat(tiny_llama(), nat_folder).eval(), view

    def __call__(self, **inputs: Any) -> Any:
        with torch.no_grad(), self.nat.view(self.name):
            return self.nat(**inputs)


def twin(nat_folder: Path, student: Any, a: float = 0.5, temperature: float = 1.0, calibrate: str = "own") -> Any:
    views = Viewed(nat_folder, "mixed"), Viewed(nat_folder, "negative")
    told = twins.calibrated(student, ROWS, *views, temperature=temperature, calibrate=calibrate)
    return (1 - a) * twins.likelihood(student, ROWS, ("right",)) + a * told


def twin_gradients(nat_folder: Path, **settings: Any) -> dict[str, torch.Tensor]:
    student = get_peft_model(tiny_llama(), LoraConfig(**PLAIN))
    fill(student, "lora_", 6)
    return twins.gradients(student, twin(nat_folder, student, **settings))
