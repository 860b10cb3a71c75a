"""A process that does a study's steps, one after the other.

    python -m errata.studies.worker COMMAND RECIPE [key=value ...]

COMMAND is the process that began it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from errata.config.env import read_env_here
from errata.errors import UsageError
from errata.steps.worker import end_with, serve
from errata.studies.contents import contents_of
from errata.studies.recipe import StudyRecipe, load_study
from errata.studies.record import Begun
from errata.studies.steps import Step, steps_of
from errata.studies.work import check_flags, do


def main(words: Sequence[str]) -> None:
    end_with(int(words[0]))
    read_env_here()
    study = load_study(words[1], words[2:])
    serve(partial(do_request, study, steps_of(study)))


def do_request(study: StudyRecipe, steps: Mapping[str, Step], request: Mapping[str, Any]) -> int:
    """Does the step that a request names, or reads the flags of trainings; its exit code.

    Raises UsageError where the step is no longer what the command takes it for: this process has read the recipe later.
    """
    if "trainings" in request:
        return check_flags(study, [steps[name] for name in request["trainings"] if name in steps])
    step = steps.get(request["step"])
    if step is None or not Begun(request["inputs"], request["contents"]).of(step, partial(contents_of, study)):
        raise UsageError(
            "the study's recipe, or a file that it names, has changed since the command began",
            f"{request['step']} would be made from other settings than are kept with it",
            "run the command again",
        )
    return do(study, step)


if __name__ == "__main__":
    main(sys.argv[1:])
