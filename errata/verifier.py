"""math-verify in killable processes: algebra on text that strangers wrote, bounded in time and memory.

    Verifier -- one line of JSON --> worker process (this file as a script) -- true / false --> Verifier

math-verify raises outside the main thread and never ends on some input (a power tower), often inside one C call that no
Python signal can interrupt. So every worker is a process of its own, and the kernel ends it when one check has used up
its processor time: that bound, unlike a clock, gives the same verdict on a busy machine. A worker that has ended is
replaced. It is started by its file's path and not through multiprocessing, which would run the caller's main script
again in every worker.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import resource
import selectors
import signal
import subprocess
import sys
import threading
from typing import IO, Any, Literal

CPU_SECONDS = 2.0
"""Processor time one check may take."""
WALL_SECONDS = 30.0
"""Clock time after which a check is given up that uses no processor time; far above CPU_SECONDS for busy machines."""
MEMORY_BYTES = 2 * 2**30
_START_SECONDS = 120.0

Verdict = Literal["equal", "different", "form", "timeout"]
_VERDICTS: dict[bytes, Verdict] = {b"equal\n": "equal", b"different\n": "different", b"form\n": "form"}


class Verifier:
    """Workers for as many checks as are asked for at a time. Thread-safe; a worker starts when it is first needed."""

    def __init__(self) -> None:
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._closed = threading.Event()

    def check(self, gold: str, answer: str, form: bool = False) -> Verdict:
        """Whether two LaTeX expressions are mathematically equal; blocks. RuntimeError if no worker can start.

        With `form`, equal expressions are `form` where one is factored or expanded further than the other.
        """
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            worker = _Worker()
        verdict = worker.check(gold, answer, form)
        if worker.ended or self._closed.is_set():
            worker.kill()
        else:
            self._idle.put(worker)
        return verdict

    def close(self) -> None:
        """End the idle workers; one in the middle of a check ends with it."""
        self._closed.set()
        while True:
            try:
                self._idle.get_nowait().kill()
            except queue.Empty:
                return


class _Worker:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],  # -P: the package's own modules must not shadow others
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the run, not for its workers
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        self.ended = False
        if self._line(_START_SECONDS) != b"ready\n":
            self.kill()
            raise RuntimeError("the math-verify worker does not start: try `python -c 'import math_verify'`")

    def check(self, gold: str, answer: str, form: bool) -> Verdict:
        try:
            stdin: IO[bytes] = self._process.stdin  # type: ignore[assignment]
            stdin.write(json.dumps([gold, answer, form]).encode() + b"\n")
            stdin.flush()
            line = self._line(WALL_SECONDS)
        except BrokenPipeError:
            line = b""
        if verdict := _VERDICTS.get(line):
            return verdict
        self.kill()
        return "timeout"

    def _line(self, seconds: float) -> bytes:
        stdout: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            return stdout.readline() if selector.select(seconds) else b""

    def kill(self) -> None:
        self.ended = True
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]


def _serve() -> None:
    """Answer one JSON line [gold, answer, form] after the other with a verdict, until stdin ends."""
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints is no reply
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import logging

    import math_verify

    logging.disable(logging.CRITICAL)
    replies.write(b"ready\n")
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # unhandled, its signal ends the process
        try:
            verdict = _verdict(math_verify, *json.loads(line))
        except Exception:  # the parsers raise all kinds of errors on text that is no expression
            verdict = "different"
        signal.setitimer(signal.ITIMER_PROF, 0)
        replies.write(verdict.encode() + b"\n")


def _verdict(math_verify: Any, gold: str, answer: str, form: bool) -> Verdict:
    from latex2sympy2_extended import NormalizationConfig  # type: ignore[import-untyped]

    # units=False: it takes the product `ab` for a unit and drops it.
    cleaning = NormalizationConfig(basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none")
    config = [math_verify.LatexExtractionConfig(normalization_config=cleaning)]
    sides = [math_verify.parse(f"${side}$", config, "no_fallback", parsing_timeout=None) for side in (gold, answer)]
    left, right = ([_with_i(side) for side in parsed] for parsed in sides)
    if not math_verify.verify(left, right, timeout_seconds=None, allow_set_relation_comp=True):
        return "different"
    if form and left[0].free_symbols and _shape(left[0]) != _shape(right[0]):
        return "form"
    return "equal"


def _with_i(expression: Any) -> Any:
    """Some spellings of the imaginary unit are parsed as a variable."""
    import sympy  # type: ignore[import-untyped]

    if not hasattr(expression, "free_symbols"):
        return expression
    return expression.xreplace({symbol: sympy.I for symbol in expression.free_symbols if symbol.name == "i"})


def _shape(expression: Any) -> tuple[str, Any, int]:
    """How far an expression is multiplied out: its terms, or its constant factor's size and the number of others."""
    if expression.is_Add:
        return "sum", 0, len(_flat(expression, "is_Add"))
    factors = _flat(expression, "is_Mul")
    constant: Any = 1
    for factor in factors:
        constant = constant * factor if factor.is_number else constant
    return "product", abs(constant), sum(not factor.is_number for factor in factors)


def _flat(expression: Any, kind: str) -> list[Any]:
    if getattr(expression, kind, False):
        return [part for argument in expression.args for part in _flat(argument, kind)]
    if kind == "is_Mul" and expression.is_Pow and expression.exp.is_Integer and 0 < expression.exp < 100:
        return _flat(expression.base, kind) * int(expression.exp)
    return [expression]


if __name__ == "__main__":
    _serve()
