"""`errata train METHOD`: a data set, a student and an objective become a checkpoint with its manifest.

    flags -> rows -> student -> groups of token ids -> TRL trainer -> OUTPUT/

Whatever cannot be right is refused before OUTPUT is written. The same command with --resume_from_checkpoint auto goes
on after any stop.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import datasets
from accelerate import PartialState
from pydantic import ValidationError
from transformers import TrainerCallback, set_seed

from errata.cli_helpers import say_code
from errata.errors import EXIT_DONE, EXIT_INTERRUPTED
from errata.models.load import no_progress_bars
from errata.training.combine import settings_error
from errata.training.method import AnyMethod
from errata.training.methods.shipped import METHODS
from errata.training.parse_args import parse
from errata.training.plain import run_plain
from errata.training.training_run import TrainingRun
from errata.waiting import waiting


def main(method: str | AnyMethod, words: Sequence[str], callbacks: Sequence[TrainerCallback] = ()) -> int:
    """As `train`, for a person: libraries' warnings of what they will rename some day are left out.

    Of several processes none leaves before the others are done, and each closes the group: gloo's threads, where they
    still ran at exit, have aborted a process whose training had ended well.
    """
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl|peft|torch)\b")
    code = train(method, words, callbacks)
    if code in (EXIT_DONE, EXIT_INTERRUPTED):
        state = PartialState()
        state.wait_for_everyone()
        state.destroy_process_group()
    return code


def train(
    method: str | AnyMethod,
    words: Sequence[str],
    callbacks: Sequence[TrainerCallback] = (),
    methods: Sequence[AnyMethod] = METHODS,
    *,
    quiet: bool = False,
) -> int:
    """Trains as `errata train METHOD words...`; the exit code.

    Args:
        method: a method by its name or as `my_method.py:METHOD`, or as a value.
        callbacks: given to the trainer (of NAT: to that of both stages).
        methods: those that are known by name.
        quiet: nothing is written to stderr and stdout, unless a person presses Ctrl-C.

    Raises:
        UsageError: bad flags, data or student; nothing has been written.
        ErrataError: training diverged or could not be written; the last whole checkpoint stands.
    """
    arguments = parse(method, words, methods)
    speaks = arguments.training.process_index == 0 and not quiet
    if speaks:
        say_code(arguments.code)
    training: TrainingRun[Any] = TrainingRun(arguments, callbacks, speaks=speaks)
    set_seed(arguments.training.seed)
    silent = None if speaks else lambda words: None
    try:
        with no_progress_bars(), _no_bars(), waiting("reading rows and student", silent) as training.before_a_line:
            return (arguments.method.run or run_plain)(training)
    except ValidationError as error:
        raise settings_error(error) from error


@contextmanager
def _no_bars() -> Iterator[None]:
    """Without the bars of `datasets`, which saves and filters in a moment what took long to make."""
    enabled = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if enabled:
            datasets.enable_progress_bars()
