"""A format: a kind of data set as one value, and all that exporting, its card and a training must know of it.

    transcripts --rows--> rows of a data set --sequences--> what a student is trained on

The shipped ones stand in the files that make their rows (correct_rows, labeled_rows, pair_rows) and in formats.FORMATS.
One's own is a value of the same kind in a file of one's own, named as `my_format.py:FORMAT`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from errata.errors import UsageError
from errata.exports.sequences import LabeledSequence, SourceRow
from errata.exports.transcript_view import LeftOut, Row, TranscriptView

Needs = tuple[tuple[str, ...], ...]
"""Of each group the logs must hold one: a stage by its name, or a stage that writes rationales for a use (`target`,
`attempt`, `contrast`; see graphs.stage.Use)."""
ANY_RATIONALE = ("target", "attempt")
PROMPT = {"prompt": "what the student is asked in the exam"}


class Likeness(NamedTuple):
    """What makes a row a near-duplicate of another: prompt and texts alike, and the rest equal."""

    prompt: str
    texts: list[str]
    same: list[Any]


def likeness(*texts: str, same: Sequence[str] = ()) -> Callable[[Row], Likeness]:
    """Near-duplicates by these columns of texts, where the columns `same` and the rationales' answers are equal."""

    def of(row: Row) -> Likeness:
        answers = [each["answer"] for each in row["meta"]["rationales"]]
        return Likeness(row["prompt"], [row[text] for text in texts], [*(row[column] for column in same), *answers])

    return of


@dataclass(frozen=True)
class Format:
    """A kind of data set. `rows` makes those of one problem, each with `meta=row_meta(view, rationale, ...)`."""

    name: str
    """As commands and cards call it."""
    rows: Callable[[TranscriptView], Iterable[Row | LeftOut]]
    takes: str
    """What it takes of a log, in words."""
    columns: Mapping[str, str]
    """What is in them, but for `meta`."""
    needs: Needs = ()
    sequences: Callable[[SourceRow], Iterable[LabeledSequence]] | None = None
    """What a training reads of a row; None where the rows are for other trainers only."""
    reads: tuple[str, ...] = ("prompt", "completion")
    """The columns that a row must have for it, as those that `sequences` reads."""
    likeness: Callable[[Row], Likeness] = field(default=likeness("completion"))
    kind: Callable[[Row], str | None] = lambda _: None
    """Of which kind a row is, where rows of several are counted."""
    options: tuple[str, ...] = ()
    """The options beside `roles` and `authors` that change its rows."""
    needs_with: Mapping[str, Needs] = field(default_factory=dict)
    """What the logs must hold in place of `needs` where an option is set."""
    hint: str = ""
    """What else can be done where the logs cannot serve it."""

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable() or "/" in self.name:
            raise UsageError(f"a format named {self.name!r}", "commands and cards call it so", "choose a plain name")
