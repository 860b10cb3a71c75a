"""How a training ends before its end: a signal, a gradient that is no number, a full disk or device."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import torch
from accelerate import PartialState
from accelerate.utils import reduce
from transformers import TrainerCallback

from errata.errors import Diverged, ErrataError
from errata.training.progress import STOPPING

ECHO_S = 3.0
"""A launcher passes on what the terminal has sent to its processes already; what comes so soon after is the same."""


class Stopper(TrainerCallback):
    """The first Ctrl-C or SIGTERM saves a checkpoint after the step at hand and ends; the second ends at once.

    Of several processes all end after the same step as soon as one has got the signal.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._since = 0.0

    @contextmanager
    def listening(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            signal.signal(number, self._stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, *_: Any) -> None:
        now = time.monotonic()
        if self.stopped and (now - self._since > ECHO_S or PartialState().num_processes == 1):
            raise KeyboardInterrupt
        self.stopped, self._since = True, now
        click.echo(STOPPING, err=True)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        self.stopped = _anywhere(self.stopped)
        if self.stopped:
            control.should_save = control.should_training_stop = True
        return control


def _anywhere(flag: bool) -> bool:
    """Whether it is set in any of the processes that train together; all of them must ask."""
    state = PartialState()
    if state.num_processes == 1:
        return flag
    return bool(reduce(torch.tensor(float(flag), device=state.device), "sum"))


class Finite(TrainerCallback):
    """A gradient that is no number changes no weight, even where the loss is one. In fp16 the scaler skips it."""

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        gradients = [value.grad for value in model.parameters() if value.grad is not None]
        if not args.fp16 and gradients and not torch.nn.utils.get_total_norm(gradients).isfinite():
            raise Diverged(
                f"the gradient is no finite number in step {state.global_step + 1}",
                "the student has diverged; this step has changed no weight and the last checkpoint stands",
                "lower the learning rate, or the weight of what pushes down (beta; bounded: true)",
            )


@contextmanager
def explained() -> Iterator[None]:
    """Raises what may happen to a sound training as an error that a person can act on."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ErrataError(
            f"out of memory: {error}"[:300],
            "the step does not fit the device",
            "lower --per_device_train_batch_size and raise --gradient_accumulation_steps",
        ) from error
    except OSError as error:
        raise ErrataError(
            f"a file cannot be written or read: {error}",
            "a checkpoint may be half written; it will be skipped",
            "make room, then go on with --resume_from_checkpoint auto",
        ) from error
