"""The format of problems alone, for trainings in which the student answers them itself: grpo."""

from __future__ import annotations

from collections.abc import Iterator

from errata.exports.format import PROMPT, Format, likeness
from errata.exports.transcript_view import LeftOut, Row, TranscriptView, row_meta


def problem_rows(view: TranscriptView) -> Iterator[Row | LeftOut]:
    """prompt, problem: every problem once, right or wrong; one that nobody has answered yet is left out."""
    rationales = view.transcript.rationales
    if not rationales:
        yield LeftOut("no_rationale")
        return
    meta = row_meta(view, *rationales)
    yield {"prompt": view.prompt, "problem": view.problem.model_dump_json(), "meta": meta}


GRPO = Format(
    name="grpo",
    rows=problem_rows,
    takes="every problem that anybody has answered, with its gold answer to be graded by",
    columns={**PROMPT, "problem": "the problem with its gold answer and kind of answer, as JSON"},
    reads=("prompt", "problem"),
    likeness=likeness("prompt"),
)
