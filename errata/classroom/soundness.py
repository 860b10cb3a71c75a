"""Is a classroom rationale sound: is every written step true?"""

from __future__ import annotations

from errata.classroom.check_steps import judge
from errata.classroom.grammar import parse


def sound(problem_question: str, text: str) -> bool | None:
    """Whether every written step of a solution is true.

    True: the unit facts and the arithmetic hold, the operations are those the problem asks for in whatever order
    computes the same, and the first final sentence states what they lead to. A text that breaks off before that is
    False. None where it cannot be known: the question is not a classroom question, or no step can be read.
    """
    puzzle = parse(problem_question)
    if puzzle is None:
        return None
    verdict = judge(puzzle, text)
    return verdict.flaw is None if verdict.steps else None
