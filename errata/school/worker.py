"""A process that does a school's nodes, one after the other.

    python -m errata.school.worker COMMAND RECIPE [key=value ...]

COMMAND is the process that began it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from errata.config.env import read_env_here
from errata.school.nodes.choose import choose
from errata.school.nodes.exam import exam, judge, start
from errata.school.places import Kind, Task
from errata.school.recipe import SchoolRecipe, load_school
from errata.steps.worker import end_with, serve


def main(words: Sequence[str]) -> None:
    end_with(int(words[0]))
    read_env_here()
    school = load_school(words[1], words[2:])
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


if __name__ == "__main__":
    main(sys.argv[1:])
