"""A training whose loss grows past a factor of where it began has diverged."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from errata.errors import Diverged
from errata.school.stopping import has_grown


class Divergence(TrainerCallback):
    """Raises Diverged at a logged loss over `factor` times the first one of the training."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        if losses and "loss" in (logs or {}) and has_grown(losses[0], losses[-1], self.factor):
            raise Diverged(
                f"the loss is {losses[-1]:.4g} in step {state.global_step}, and was {losses[0]:.4g} at first",
                f"a loss of more than {self.factor:g} times the first is divergence",
                "lower the learning rate",
            )
