"""Short trainings by the command, and what stops them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from errata.training.job import train

FIVE = [
    *("--model_name_or_path", "tiny", "--max_steps", "5", "--logging_steps", "1", "--learning_rate", "3e-3"),
    *("--per_device_train_batch_size", "100", "--gradient_accumulation_steps", "1", "--warmup_steps", "0"),
    *("--activation_checkpointing", "false", "--disable_tqdm", "true", "--lora_dropout", "0"),
    *("--max_length", "256", "--save_strategy", "no"),
]


def go(method: str, data: Path, out: Path, *more: str, watch: TrainerCallback | None = None) -> int:
    words = [*FIVE, "--dataset_name", str(data), "--output_dir", str(out), *more]
    return train(method, words, [watch] if watch else [])


class Stop(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        if state.global_step == self.step:
            raise KeyboardInterrupt


SAVING = [
    *("--save_strategy", "steps", "--save_steps", "2", "--max_steps", "8", "--per_device_train_batch_size", "3"),
    *("--resume_from_checkpoint", "auto"),
]


def curve(out: Path) -> list[tuple[float, ...]]:
    state = json.loads((out / "trainer_state.json").read_text())
    return [(entry["step"], entry["loss"], entry["grad_norm"]) for entry in state["log_history"] if "loss" in entry]
