"""A process that does a study's steps one after the other: `python -m errata.studies.worker RECIPE [key=value ...]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from errata.steps.worker import serve
from errata.studies.recipe import load_study
from errata.studies.steps import steps_of
from errata.studies.work import do


def main(words: Sequence[str]) -> None:
    study = load_study(words[0], words[1:])
    steps = steps_of(study)
    serve(lambda request: do(study, steps[request["step"]]))


if __name__ == "__main__":
    main(sys.argv[1:])
