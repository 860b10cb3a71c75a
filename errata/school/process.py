"""The worker process of a school's command, and what Ctrl-C does to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from errata.steps.process import done_by, end_worker, start_worker


class Process:
    """A worker process, begun when it is first asked and again where it has died.

    Args:
        recipe: the recipe's file with its overrides.
    """

    def __init__(self, recipe: Sequence[str], say: Callable[[str], None]) -> None:
        self.command, self.say = [sys.executable, "-m", "errata.school.worker", str(os.getpid()), *recipe], say
        self.interrupted = False
        self._worker: subprocess.Popen[str] | None = None

    def ask(self, request: Mapping[str, Any]) -> tuple[int, str | None]:
        """Has a node done: its exit code, and what went wrong."""
        if self._worker is not None and self._worker.poll() is not None:
            end_worker(self._worker)  # it has died of a node
            self._worker = None
        if self._worker is None:
            self._worker = start_worker(self.command, {})
        return done_by(self._worker, request)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the node at work where it can go on from, as long as this holds; then it ends."""
        handlers = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            if self._worker is not None:
                end_worker(self._worker)
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _interrupt(self, *_: Any) -> None:
        again, self.interrupted = self.interrupted, True
        if self._worker is not None:
            with suppress(ProcessLookupError):
                self._worker.send_signal(signal.SIGKILL if again else signal.SIGINT)
        if not again:
            self.say("stopping: the node at work ends where it can go on from; once more kills it")
