"""A worker process as the command that begins it sees it: begun, asked for one step after the other, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from errata.errors import EXIT_INTERRUPTED, EXIT_OTHER
from errata.training.allocator import preload

QUIET = {"TOKENIZERS_PARALLELISM": "false", "TRL_EXPERIMENTAL_SILENCE": "1"}


def start_worker(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """A process that does steps one after the other, with tcmalloc where the system has it, for it may train."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **QUIET, **preload(os.environ), **environment},
        start_new_session=True,  # Ctrl-C reaches it once, from here
    )


def end_worker(worker: subprocess.Popen[str]) -> None:
    """Waits for a worker that gets no further step."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    with suppress(OSError):
        worker.stdin.close()
    worker.wait()
    worker.stdout.close()


def done_by(worker: subprocess.Popen[str], request: Mapping[str, Any]) -> tuple[int, str | None]:
    """The exit code of a step and what went wrong, from a worker that may die of it."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        print(json.dumps(request), file=worker.stdin, flush=True)
        line = worker.stdout.readline()
    except OSError:
        line = ""
    if line:
        answer = json.loads(line)
        return answer["code"], answer["error"]
    code = worker.wait()
    if code in (EXIT_INTERRUPTED, -signal.SIGINT, -signal.SIGKILL):
        return EXIT_INTERRUPTED if code != -signal.SIGKILL else EXIT_OTHER, "its process was killed"
    return EXIT_OTHER, f"its process ended with exit code {code}"
