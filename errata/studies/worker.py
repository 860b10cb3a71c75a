"""A process that does a study's steps, one after the other.

    python -m errata.studies.worker COMMAND RECIPE [key=value ...]

COMMAND is the process that began it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from errata.steps.worker import end_with, serve
from errata.studies.recipe import load_study
from errata.studies.steps import steps_of
from errata.studies.work import do


def main(words: Sequence[str]) -> None:
    end_with(int(words[0]))
    study = load_study(words[1], words[2:])
    steps = steps_of(study)
    serve(lambda request: do(study, steps[request["step"]]))


if __name__ == "__main__":
    main(sys.argv[1:])
