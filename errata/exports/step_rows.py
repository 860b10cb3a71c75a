"""The format of rationales step by step, for process reward models: stepwise.

A wrong rationale's steps are right up to its first wrong one, as the stage locate or a person found it, and wrong from
there on; of a right one, fit to learn from, all are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from errata.exports.format import ANY_RATIONALE, PROMPT, Format, Likeness
from errata.exports.transcript_view import LeftOut, Row, TranscriptView, row_meta, unfit_as_wrong, unfit_to_teach
from errata.exports.wrong_from import unlocated
from errata.grading.steps import steps_of
from errata.records import Rationale, Span

NO_STEP = -1
"""Stands for the first wrong step of a rationale that has none."""


def stepwise_rows(view: TranscriptView) -> Iterator[Row | LeftOut]:
    """prompt, completions, labels: the texts of the steps, and whether each is right.

    A step's text is without the blanks at its end: a trainer writes a separator of its own behind each.
    """
    for each in view.rationales():
        fault = _unfit(each, view)
        yield LeftOut(fault) if fault else _row(each, view)


def _unfit(each: Rationale, view: TranscriptView) -> str | None:
    if each.is_right:
        return unfit_to_teach(each, view) or ("not_sound" if each.sound is False else None)
    return unfit_as_wrong(each, view) or unlocated(each, view.options)


def _row(each: Rationale, view: TranscriptView) -> Row:
    mistake = None if each.is_right else each.wrong_step
    steps = mistake.steps if mistake else steps_of(each.text)
    first = steps.index(mistake.span) if mistake else NO_STEP
    labels = [mistake is None or number < first for number in range(len(steps))]
    more = {"first_wrong_step": first, "step_probability": mistake.probability if mistake else 1.0}
    meta = row_meta(view, each, more=more)
    return {"prompt": view.prompt, "completions": _texts(each.text, steps), "labels": labels, "meta": meta}


def _texts(text: str, steps: Sequence[Span]) -> list[str]:
    return [text[start:end].rstrip() for start, end in steps]


def _likeness(row: Row) -> Likeness:
    answers = [each["answer"] for each in row["meta"]["rationales"]]
    return Likeness(row["prompt"], ["\n".join(row["completions"])], [row["labels"], *answers])


STEPWISE = Format(
    name="stepwise",
    rows=stepwise_rows,
    takes="wrong rationales whose first wrong step is known, at a probability of 0.5 unless another is asked for, and "
    "right ones fit to learn from",
    columns={
        **PROMPT,
        "completions": "the steps of a rationale, in order",
        "labels": "of each step: true before the first wrong one",
    },
    needs=(ANY_RATIONALE,),
    reads=("prompt", "completions", "labels"),
    likeness=_likeness,
    kind=lambda row: "right" if row["meta"]["first_wrong_step"] == NO_STEP else "wrong",
    options=("cut_off", "unjudged", "min_step_probability"),
)
