"""A process that does a school's nodes, one after the other.

    python -m errata.school.worker COMMAND RECIPE [key=value ...]

When COMMAND, the process that began it, dies, what it is doing comes to an end as after Ctrl-C, and the worker of the
next command waits for that.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from filelock import FileLock

from errata.school.nodes.choose import choose
from errata.school.nodes.exam import exam, judge, start
from errata.school.places import Kind, Task
from errata.school.recipe import SchoolRecipe, load_school
from errata.steps.worker import serve

LOOK_EVERY_S = 0.5
"""Seconds between two looks at whether the command is alive."""


def main(words: Sequence[str]) -> None:
    end_with(int(words[0]))
    school = load_school(words[1], words[2:])
    with FileLock(school.home / ".worker.lock"):
        serve(lambda request: do(school, request))


def do(school: SchoolRecipe, request: Mapping[str, Any]) -> int:
    """Does a node; the exit code of its verb. Raises ErrataError."""
    task = Task(**request["task"])
    kind: Kind = task.kind
    match kind:
        case "start":
            return start(school, task)
        case "exam":
            return exam(school, task)
        case "choose":
            return choose(school, task)
        case "lesson":
            from errata.school.nodes.lesson import lesson

            return lesson(school, task)
        case "train":
            from errata.school.nodes.train import train

            return train(school, task)
        case "judge":
            return judge(school, task)


def end_with(parent: int) -> None:
    """Interrupts this process when the parent that began it is gone, also before this is called.

    A killed command leaves nobody who reads what it does.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_EVERY_S)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1:])
