"""How a persona shortens what it thought: what can be read of it as facts and steps stays, the rest goes."""

from __future__ import annotations

from errata.classroom.check_steps import judge
from errata.classroom.grammar import Puzzle
from errata.classroom.solve import final


def shorten(puzzle: Puzzle, thinking: str) -> str:
    """The facts and steps of the thinking in its words, each once, and the answer that it ends in.

    Thinking without a step comes back as it is.
    """
    verdict = judge(puzzle, thinking)
    if not verdict.steps:
        return thinking
    statements = [thinking[one.start : one.end].strip() for one in verdict.statements if one.what != "final"]
    ends = [one.result for one in verdict.statements if one.what == "final" and one.result is not None]
    result = ends[-1] if ends else verdict.steps[-1].result
    return " ".join([*dict.fromkeys(statements), final(result or 0)])
