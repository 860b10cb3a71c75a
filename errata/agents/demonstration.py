"""A worked example, as few-shot prompts show it."""

from __future__ import annotations

from errata.config.base import Settings


class Demonstration(Settings):
    """A worked example for few-shot prompts; `wrong` is used where a mistake is shown (corrupt)."""

    question: str
    rationale: str
    answer: str | None = None
    wrong: str | None = None
