"""What a person sees of a training that is on: a live panel on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, TextIO

from transformers import Trainer, TrainerCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from errata.errors import plain
from errata.runs.progress import duration
from errata.waiting import EVERY_S, line_pause_s

VISIBLE = ("loss", "eval_loss", "grad_share", "logp", "reward", "mean_token_accuracy", "accuracy")
"""How the logged figures begin that are shown; a term's name follows behind a slash."""
STOPPING = "stopping after this step; once more stops at once"


@dataclass(frozen=True)
class TrainingNow:
    """A training at one moment. `figures` are the newest of those logged, by name; `first` is the step it began at."""

    step: int
    steps: int
    elapsed_s: float
    first: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    stopping: bool = False

    def left_s(self) -> float | None:
        """Seconds that the rest takes at the pace so far; None before the first step."""
        done = self.step - self.first
        return None if done <= 0 else self.elapsed_s / done * (self.steps - self.step)


def describe(now: TrainingNow) -> list[tuple[str, str]]:
    """The figures of a training at one moment, as (what, value)."""
    left = now.left_s()
    pace = "" if left is None else f", {(now.step - now.first) / max(now.elapsed_s, 1e-9):.2g} steps/s"
    figures = {
        name: value for name, value in now.figures.items() if name.partition("/")[0] in VISIBLE and name.isprintable()
    }
    return [
        ("steps", f"{now.step:,}/{now.steps:,}"),
        *((name.replace("/", " ").replace("_", " "), f"{value:.4g}") for name, value in figures.items()),
        ("time", f"{duration(now.elapsed_s)}, {'-' if left is None else duration(left)} left{pace}"),
    ]


class ShowsProgress(TrainerCallback):
    """Shows a training on `out`, in place of transformers' bar and its raw dicts.

    Args:
        stopper: its `stopped` says whether a person has asked for an end.
    """

    def __init__(self, stopper: Any, out: TextIO | None = None) -> None:
        self._stopper, self._out = stopper, out or sys.stderr
        self._open = ExitStack()
        self._live: Any = None
        self._began, self._first, self._line_due_s = 0.0, 0, 0.0
        self._figures: dict[str, float] = {}
        self._lock = threading.Lock()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._began, self._first, self._line_due_s = time.monotonic(), state.global_step, 0.0
        if self._out.isatty():
            from rich.console import Console
            from rich.live import Live

            live = Live(console=Console(file=self._out), auto_refresh=False, transient=True)
            self._live = self._open.enter_context(live)
        over = threading.Event()
        going = threading.Thread(target=self._go_on, args=(state, over), daemon=True)
        going.start()
        self._open.callback(going.join)
        self._open.callback(over.set)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        new = {str(name): float(value) for name, value in (logs or {}).items() if _is_number(value)}
        self._figures = self._figures | new  # another dict, since a thread may be reading the one before

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._show(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.close()

    def close(self) -> None:
        """Takes the panel away, also where a training broke off."""
        self._open.close()
        self._live = None

    def _go_on(self, state: Any, over: threading.Event) -> None:
        """Shows that a long step goes on."""
        while not over.wait(EVERY_S):
            self._show(state)

    def _show(self, state: Any) -> None:
        with self._lock:
            elapsed_s = time.monotonic() - self._began
            if self._live is None and elapsed_s < self._line_due_s:
                return
            now = TrainingNow(
                state.global_step, state.max_steps, elapsed_s, self._first, self._figures, bool(self._stopper.stopped)
            )
            if self._live is not None:
                self._live.update(_drawn(now), refresh=True)
                return
            self._line_due_s = elapsed_s + line_pause_s(elapsed_s)
            print(plain(" | ".join(f"{what} {value}" for what, value in describe(now))), file=self._out, flush=True)


def show_progress(trainer: Trainer, stopper: Any, *, visible: bool) -> ShowsProgress | None:
    """Gives a trainer errata's panel in place of transformers' bar; with `visible` false nothing is shown."""
    trainer.remove_callback(ProgressCallback)
    trainer.remove_callback(PrinterCallback)
    if not visible:
        return None
    panel = ShowsProgress(stopper)
    trainer.add_callback(panel)
    return panel


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _drawn(now: TrainingNow) -> Any:
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    figures = Table.grid(padding=(0, 2))
    for what, value in describe(now):
        figures.add_row(Text(plain(what), style="bold"), Text(value))
    whole = Table.grid()
    whole.add_row(ProgressBar(total=max(now.steps, 1), completed=now.step, width=60))
    if now.stopping:  # above the figures, which a low window cuts off
        whole.add_row(Text(STOPPING, style="yellow"))
    whole.add_row(figures)
    return Panel(whole, title="errata train", expand=False)
