"""The warm-up of a run: the first problems run to their end first, and their natural pairs are shown to the others."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from errata.graphs.stages.dual_cot import DUAL_COT
from errata.records import Transcript
from errata.runs.recipe import SynthRecipe


def warmup_of(recipe: SynthRecipe) -> int:
    """How many problems run first so that their natural pairs can be shown to the others."""
    dual = recipe.settings.of(DUAL_COT)
    used = DUAL_COT in recipe.pipeline
    return dual.warmup if used and dual.demonstrations is None else 0


def read_warmup(log: Path, ids: set[str]) -> list[Transcript]:
    """The warm-up's transcripts, in input order, as they stood when the first other problem was settled.

    Later lines do not count, so that every resume finds the same demonstrations; a failed problem has not used them.
    """
    last: dict[str, Transcript] = {}
    with log.open("rb") as lines:
        for line in lines:
            with suppress(ValueError):
                transcript = Transcript.from_line(line)
                if transcript.problem.id in ids:
                    last[transcript.problem.id] = transcript
                elif transcript.outcome.status != "failed":
                    break
    return sorted(last.values(), key=lambda transcript: transcript.problem.position)
