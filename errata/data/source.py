"""Where problems come from, as a recipe says it: a file, a hub id or the classroom, and which fields make a problem."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from errata.config.base import Settings
from errata.config.env import Location
from errata.records import AnswerKind

Gold = Literal["all", "some", "none"]
"""Which problems of a source have a gold answer."""


class Mapping(Settings):
    """Which fields of a row make a problem. A path may be dotted; `template` may join fields: "{Body} {Question}"."""

    question: str
    answer: str | None = None
    """May be left out where `gold: none` is set."""
    kind: AnswerKind
    answers: str | None = None
    """The field with a list of further golds, each as right as `answer`."""
    id: str | None = None
    choices: str | tuple[str, ...] | None = None
    """The field with the options, or the fields that hold one option each: [A, B, C, D]."""
    rationale: str | None = None
    split: str | None = None
    meta: tuple[str, ...] = ()
    prefix: str = ""
    """Dropped from the start of the question where it stands there."""


class ProblemSource(Settings):
    """Where problems come from: a file, a hub id or `classroom`.

    `mapping` is the name of a ready one (`gsm8k`) or a mapping of its own.
    """

    source: Location
    mapping: str | Mapping | None = None
    task: str | None = None
    """By default the mapping's name, else the file's stem."""
    split: str | None = None
    """Only rows of this split; for a hub data set the split to load (default train)."""
    config: str | None = None
    """Configuration (subset) of a hub data set."""
    options: dict[str, Any] = Field(default_factory=dict)
    """For the classroom: count, seed, level, split."""
    exclude: tuple[ProblemSource, ...] = ()
    """Problems whose normalised question stands in one of these are left out and counted."""
    gold: Gold = "all"
    """some: a record without a gold answer is a problem like others, counted and said. none: no gold answer and no
    worked solution is read, even where there is one. Without, verdicts are estimated (docs/without_gold.md)."""
    on_bad_record: Literal["refuse", "skip"] = "refuse"
    """What a record that is no problem does: end the reading, or be left out, counted and listed."""
    where: dict[str, Any] = Field(default_factory=dict)
    """Only rows whose field (dotted path) equals the value."""
    only: Location | None = None
    """A file of JSON lines with `id`: only problems whose ids stand in it."""
