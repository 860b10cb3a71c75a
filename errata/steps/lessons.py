"""Running the lesson of a study or of a school: problems that a provider has failed are tried again, not forgotten."""

from __future__ import annotations

import asyncio

from errata.errors import EXIT_DONE, EXIT_SOME_FAILED, ErrataError
from errata.runs.progress import watching
from errata.runs.recipe import SynthRecipe
from errata.runs.runner import Summary, synthesize

MOST_FAILED = 0.1
"""Share of a lesson's problems that may be lost to a provider; with more, the lesson waits for the provider."""


class LessonFailed(ErrataError):
    """Too many of a lesson's problems were lost."""

    exit_code = EXIT_SOME_FAILED


def run_lesson(recipe: SynthRecipe) -> int:
    """Runs a lesson, or goes on with it; its exit code. Raises ErrataError."""
    with watching(quiet=False) as watch:
        summary = asyncio.run(synthesize(recipe, signals=True, watch=watch))
    if summary.error is not None:
        raise summary.error
    if summary.exit_code == EXIT_SOME_FAILED:
        refuse_if_many(summary)
        return EXIT_DONE
    return summary.exit_code


def refuse_if_many(summary: Summary) -> None:
    """Raises LessonFailed where more of a lesson's problems were lost than it can do without."""
    failed = summary.problems["failed"]
    number = sum(failed.values())
    if number > MOST_FAILED * summary.problems["total"]:
        raise LessonFailed(
            f"{number} of {summary.problems['total']} problems of {summary.run} were lost: {next(iter(failed))}",
            f"with more than {MOST_FAILED:.0%} lost, the lesson would teach something else than was chosen",
            "the same command tries them again; what was paid is stored",
        )
