"""An answer in the form of its kind, and where it stands."""

from __future__ import annotations

from typing import NamedTuple

from errata.records import Span


class Hit(NamedTuple):
    """An answer in the form of its kind, and where it stands in its text."""

    answer: str
    span: Span


class Reading(NamedTuple):
    """A hit with the rule that read it; None, None, "none" without one."""

    answer: str | None
    span: Span | None
    rule: str


NOTHING = Reading(None, None, "none")
