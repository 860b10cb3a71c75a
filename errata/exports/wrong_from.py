"""Where a wrong rationale begins to count as wrong: at its start, or at its first wrong step.

Rationale.wrong_step, as the stage locate or a person found it --> meta.wrong_from, a character of the completion
"""

from __future__ import annotations

from errata.exports.transcript_view import Options, Row, TranscriptView
from errata.records import Rationale

UNKNOWN, UNSURE = "first_wrong_step_unknown", "first_wrong_step_unsure"


def unlocated(wrong: Rationale, options: Options) -> str | None:
    """Why its first wrong step is not known well enough; None where it is."""
    if wrong.wrong_step is None:
        return UNKNOWN
    return UNSURE if wrong.wrong_step.probability < options.min_step_probability else None


def unplaced(wrong: Rationale, options: Options) -> str | None:
    """As `unlocated`, where the options ask for the first wrong step."""
    return None if options.wrong_from == "start" else unlocated(wrong, options)


def of_wrong_side(view: TranscriptView, wrong: Rationale) -> Row:
    """`wrong_from` of a row's meta: the character of the completion at which the first wrong step begins.

    Empty where the options leave wrong rationales whole.
    """
    if view.options.wrong_from == "start" or wrong.wrong_step is None:
        return {}
    return {"wrong_from": view.span(wrong, wrong.wrong_step.span)[0]}
