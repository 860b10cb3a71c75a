"""math-verify in killable processes: algebra on text that strangers wrote, bounded in time and memory.

    MathPool -- a line of JSON --> worker process (errata/grading/math_worker.py) -- a verdict --> MathPool

math-verify raises outside the main thread and never ends on some input (a power tower), often inside one C call that no
Python signal can interrupt. So every worker is a process of its own, and the kernel ends it when one check has used up
its processor time: that bound, unlike a clock, gives the same verdict on a busy machine. A worker that has ended is
replaced; a check whose worker somebody else ended is made again. Workers are given none of the caller's environment but
what `_PASSED_ON` names, since a file of settings may have set the rest. They are started by their file's path and not
through multiprocessing, which would run the caller's main script again in every worker.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import selectors
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Literal

from errata.errors import ErrataError

_WALL_SECONDS = 30.0
"""Clock time after which a check is given up that uses no processor time; far above CPU_SECONDS for busy machines."""
_START_SECONDS = 120.0
_TRIES = 2
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SYSTEMROOT")
"""Variables of the environment that a worker is given."""
_SCRIPT = Path(__file__).with_name("math_worker.py")

Verdict = Literal["equal", "different", "form", "timeout"]
_VERDICTS: dict[bytes, Verdict] = {b"equal\n": "equal", b"different\n": "different", b"form\n": "form"}


class MathPool:
    """Workers for as many checks as are asked for at a time. Thread-safe; a worker starts when it is first needed."""

    def __init__(self) -> None:
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._running: set[_Worker] = set()
        self._closed = False

    def check(self, gold: str, answer: str, form: bool = False) -> Verdict:
        """Whether two LaTeX expressions are mathematically equal; blocks.

        With `form`, equal expressions are `form` where one is factored or expanded further than the other.
        ErrataError if no worker can start, or the verifier is closed meanwhile.
        """
        for _ in range(_TRIES):
            worker = self._worker()
            verdict = worker.check(gold, answer, form)
            if self._closed:
                worker.kill()
                raise ErrataError("a check was cut off", "the grader was closed meanwhile")
            if worker.ended:
                self._running.discard(worker)
            else:
                self._idle.put(worker)
            if verdict:
                return verdict
        return "timeout"

    def _worker(self) -> _Worker:
        """An idle worker that is alive, else a new one."""
        while True:
            try:
                worker = self._idle.get_nowait()
            except queue.Empty:
                worker = _Worker()
                self._running.add(worker)
                return worker
            if worker.alive:
                return worker
            worker.kill()
            self._running.discard(worker)

    def close(self) -> None:
        """End all workers, also those in the middle of a check."""
        self._closed = True
        while self._running:
            self._running.pop().end()
        while not self._idle.empty():
            self._idle.get_nowait().kill()


class _Worker:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            # -E: no PYTHONPATH; -P: the package's own modules must not shadow others
            [sys.executable, "-E", "-P", "-W", "ignore", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the run, not for its workers
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        )
        self.ended = False
        if self._line(_START_SECONDS) != b"ready\n":
            self.kill()
            raise ErrataError(
                "a math-verify worker does not start",
                "it compares the LaTeX answers that are not equal as strings",
                "see what `python -c 'import math_verify'` says",
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def check(self, gold: str, answer: str, form: bool) -> Verdict | None:
        """The verdict; None where the worker was ended by somebody else."""
        try:
            stdin: IO[bytes] = self._process.stdin  # type: ignore[assignment]
            stdin.write(json.dumps([gold, answer, form]).encode() + b"\n")
            stdin.flush()
            line = self._line(_WALL_SECONDS)
        except BrokenPipeError:
            line = b""
        if verdict := _VERDICTS.get(line):
            return verdict
        timed_out = self._ended_by_itself() or self.alive
        self.kill()
        return "timeout" if timed_out else None

    def _ended_by_itself(self) -> bool:
        """Whether the worker's own limits ended it: its timer, or a library that ran out of memory."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout=1) not in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, 0)
        return False

    def _line(self, seconds: float) -> bytes:
        stdout: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            return stdout.readline() if selector.select(seconds) else b""

    def end(self) -> None:
        """End the process; whoever waits for its reply gets none."""
        self.ended = True
        self._process.kill()

    def kill(self) -> None:
        """End the process and clear up; only for the thread that holds the worker."""
        self.end()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]
