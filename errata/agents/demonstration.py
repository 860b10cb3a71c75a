"""A worked example, as few-shot prompts show it, and which of several a problem may be shown with."""

from __future__ import annotations

from collections.abc import Iterable

from errata.config.base import Settings
from errata.data.problems import normalised
from errata.records import Problem


class Demonstration(Settings):
    """A worked example for few-shot prompts; `wrong` is used where a mistake is shown (corrupt)."""

    question: str
    rationale: str
    answer: str | None = None
    wrong: str | None = None


def others_than(problem: Problem, demonstrations: Iterable[Demonstration]) -> list[Demonstration]:
    """Those that ask another question than the problem, whatever its case, white space and punctuation."""
    question = normalised(problem.question)
    return [each for each in demonstrations if normalised(each.question) != question]
