"""A school's command forked from a process that has imported all that it needs, and its worker forked from that.

Nearly all CPU time of a life that is soon killed would else be imports. Command and worker are processes of their own,
as with `errata school`; they talk through pipes, and the worker has a session of its own.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import IO, NoReturn

import errata.cli
import errata.school.process
from benchmarks.pay_once import KEYS
from errata.errors import EXIT_INTERRUPTED
from errata.school import worker

NEEDED = (
    *("errata.school.commands", "errata.school.run", "errata.school.history", "errata.school.card"),
    *("errata.school.nodes.lesson", "errata.school.nodes.train", "errata.evals.evaluate", "errata.runs.runner"),
    *("errata.llm.backends.openai", "errata.models.generate", "errata.training.job", "trl"),
)


def import_all() -> None:
    """Imports what commands and workers import. Nothing may be computed before the forks: torch's threads end there."""
    for name in NEEDED:
        importlib.import_module(name)


class Life(ForkProcess):
    """`errata school` on a recipe, begun in its folder."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def run(self) -> None:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os.chdir(self.path.parent)
        os.environ.update(KEYS)
        errata.school.process.start_worker = forked  # type: ignore[assignment]
        errata.cli.cli(["school", self.path.name, "--quiet"])

    def poll(self) -> int | None:
        """As Popen's."""
        return self.exitcode


class ForkedWorker:
    """A worker, as far as a command uses its Popen."""

    def __init__(self, words: Sequence[str]) -> None:
        requests, told = os.pipe()
        heard, replies = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os.close(told)
            os.close(heard)
            _work(words, requests, replies)
        os.close(requests)
        os.close(replies)
        self.stdin: IO[str] = os.fdopen(told, "w")
        self.stdout: IO[str] = os.fdopen(heard)

    def poll(self) -> int | None:
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


def forked(command: Sequence[str], environment: Mapping[str, str]) -> ForkedWorker:
    """In place of errata.studies.run.start_worker, for `python -m errata.school.worker WORDS`."""
    os.environ.update(environment)
    return ForkedWorker(command[3:])


def _work(words: Sequence[str], requests: int, replies: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        os.dup2(requests, 0)
        os.dup2(replies, 1)
        os.close(requests)
        os.close(replies)
        sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        worker.main(words)
        code = 0
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        os._exit(code)
