"""A small ranker, its trainer, and the twin of its loss: one rationale at a time, every step written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers import TrainingArguments

from errata.models.ranker import Ranker, RankerSettings, encode, new_ranker
from errata.training.methods.ranker import RankerTrainer, pair_rows
from tests.training.lab import byte_tokenizer, tiny_llama

PAIRS = [
    {"prompt": "3 and 4?", "chosen": "3 + 4 = 7", "rejected": "3 * 4, so it is twelve: 12"},
    {"prompt": "12 less 1?", "chosen": "one under twelve = 11", "rejected": "13"},
    {"prompt": "8 halves?", "chosen": "8 / 2 = 4", "rejected": "8 * 2 = 16"},
    {"prompt": "how many legs have 2 dogs and a hen?", "chosen": "4 + 4 + 2 = 10", "rejected": "4 + 2 = 6"},
]
TOKENIZER = byte_tokenizer()
ROWS = pair_rows(PAIRS, TOKENIZER, 64)
LORA = {"r": 3, "target_modules": ["q_proj", "v_proj"]}


def ranker(lora: bool = False, **changes: Any) -> Ranker:
    student = tiny_llama(**changes)
    torch.manual_seed(1)
    made = new_ranker(student, RankerSettings(max_length=64), LoraConfig(**LORA) if lora else None)
    if lora:
        for name, parameter in made.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    return made


def trainer(model: Ranker, folder: Path, rows: Any = ROWS, **settings: Any) -> RankerTrainer:
    kept = {key: settings.pop(key) for key in ("eval_rows", "callbacks") if key in settings}
    default = {
        "output_dir": str(folder),
        "use_cpu": True,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 2,
        "max_steps": 1,
        "learning_rate": 0.0,
        "max_grad_norm": 0.0,
        "optim": "sgd",
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
    return RankerTrainer(model, TrainingArguments(**{**default, **settings}), rows, TOKENIZER, **kept)


def twin_score(model: Ranker, question: str, text: str) -> torch.Tensor:
    """One rationale alone, unpadded; every step written out."""
    ids, prompt = encode(TOKENIZER, question, text)
    hidden = model.backbone(input_ids=torch.tensor([ids])).last_hidden_state[0]
    z = sum(hidden[prompt:]) / (len(ids) - prompt)
    for layer in model.head.layers:
        h = layer.weight @ z + layer.bias
        z = z + torch.where(h > 0, h, torch.exp(h) - 1)
    return 1 / (1 + torch.exp(-(model.head.out.weight @ z + model.head.out.bias)[0]))


def twin_loss(model: Ranker, exponent: float = 3.0) -> torch.Tensor:
    total = torch.zeros(())
    for pair in PAIRS:
        right, wrong = (twin_score(model, pair["prompt"], pair[side]) for side in ("chosen", "rejected"))
        total = total + (1 - right) ** exponent + wrong**exponent
    return total / len(PAIRS)


def twin_gradients(model: Ranker) -> dict[str, torch.Tensor]:
    twin_loss(model).backward()
    return {name: value.grad for name, value in model.named_parameters() if value.grad is not None}
