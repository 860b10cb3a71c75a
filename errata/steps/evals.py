"""An eval as a step: it is of use only as a whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from errata.errors import EXIT_SOME_FAILED, ErrataError
from errata.runs.progress import watching

if TYPE_CHECKING:
    from errata.evals.recipe import EvalRecipe


def evaluate_all(recipe: EvalRecipe, *, untouched: bool = True) -> int:
    """Runs an eval that is of use only as a whole; the exit code. Raises ErrataError, also where answers failed.

    Args:
        untouched: the recipe's baseline is the untouched student.
    """
    from errata.evals.evaluate import evaluate_async

    with watching(quiet=False, verb="eval") as watch:
        done = asyncio.run(evaluate_async(recipe, signals=True, untouched=untouched, watch=watch))
    if done.error is not None:
        raise done.error
    if done.exit_code == EXIT_SOME_FAILED:
        raise ErrataError(
            f"{done.failed} answers failed",
            "a comparison needs all of them",
            "run the same command again",
        )
    return done.exit_code
