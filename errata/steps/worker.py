"""The loop of a process that does steps one after the other.

It is told a step per line of its standard input, `{"step": NAME, "log": FILE, "threads": N}`, and answers with a line
`{"step": NAME, "code": EXIT_CODE, "error": TEXT or null}`. What a step prints goes to its log. What steps import stays
imported, so that only the first pays for it; the memory of a step is given back before the next.

When the command that began it dies, the step at work ends as after Ctrl-C, and whoever is told the same step next waits
for that; a step is known by its log.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from errata.config.files import open_own
from errata.errors import EXIT_INTERRUPTED, EXIT_OTHER, ErrataError

LOOK_EVERY_S = 0.5
"""Seconds between two looks at whether the command is alive."""


def end_with(command: int) -> None:
    """Interrupts this process when the process that began it is gone, also before this is called.

    A killed command leaves nobody who reads what it does.
    """

    def watch() -> None:
        while os.getppid() == command:
            time.sleep(LOOK_EVERY_S)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()


def serve(perform: Callable[[Mapping[str, Any]], int]) -> None:
    """Does what it is told on standard input until that ends; `perform` takes a request and gives an exit code."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what anything prints between two steps is no reply
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if "threads" in request:
                use_threads(request["threads"])
            code, error = attempt(perform, request, Path(request["log"]))
            give_memory_back()
            print(json.dumps({"step": request["step"], "code": code, "error": error}), file=replies, flush=True)
    except KeyboardInterrupt:  # while it waits
        sys.exit(EXIT_INTERRUPTED)


def use_threads(count: int) -> None:
    """Has torch compute in so many threads, whether it is imported yet or not."""
    os.environ["OMP_NUM_THREADS"] = str(count)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(count)


def attempt(
    perform: Callable[[Mapping[str, Any]], int], request: Mapping[str, Any], log: Path
) -> tuple[int, str | None]:
    """Does a step, whose output goes to `log`; its exit code and what went wrong."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(log.with_name(f".{log.stem}.lock")), _output_to(log):
            return _performed(perform, request)
    except OSError as error:
        return EXIT_OTHER, f"{log} cannot be written: {error.strerror or error}"


def _performed(perform: Callable[[Mapping[str, Any]], int], request: Mapping[str, Any]) -> tuple[int, str | None]:
    try:
        return perform(request), None
    except ErrataError as error:
        print(error, file=sys.stderr)
        return error.exit_code, str(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED, None
    except Exception as error:
        traceback.print_exc()
        return EXIT_OTHER, f"{type(error).__name__}: {error}"


def give_memory_back() -> None:
    """Returns to the system what ended steps held.

    glibc keeps freed blocks for later ones and returns none below one that lives: after one training of a 135M student
    a process that held no tensor kept 2.1 GB, after two long ones 15, and was killed for it in the eval that followed.
    """
    gc.collect()
    for name in ("malloc_trim", "MallocExtension_ReleaseFreeMemory"):  # of glibc, of tcmalloc
        with suppress(AttributeError, OSError):
            getattr(ctypes.CDLL(None), name)(0)


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Everything written to stdout and stderr, by libraries too, goes to the end of a file, whose time is the begin."""
    output = open_own(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.utime(output)
    before = os.dup(1), os.dup(2)
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, number in zip(before, (1, 2), strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
