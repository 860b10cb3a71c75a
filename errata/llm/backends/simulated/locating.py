"""How a persona names the first wrong step of another's solution, and how it goes on from the beginning of one.

A flaw that the speaker shares as a misconception goes unseen in both. A reviewer sees another by its sensitivity, and
then still miscounts at times; one that sees none blames some step. Who goes on from a flawed beginning mostly carries
its mistake on, and now and then starts over.
"""

from __future__ import annotations

import re

from errata.classroom.check_steps import Statement, Verdict, judge
from errata.classroom.grammar import Puzzle, apply
from errata.classroom.hashed_random import HashedDraws
from errata.classroom.solve import Line, final, say, slips, work
from errata.llm.backends.simulated.feedback import shares
from errata.llm.backends.simulated.persona import Persona

MISCOUNTS = 0.1
"""Share of the flaws seen that are put down to a neighbouring step."""
STARTS_OVER = 0.2
"""Share of the flawed beginnings that are corrected where the flaw is not shared."""
_NUMBER = re.compile(r"^\[\d{1,3}\] ", re.MULTILINE)


def first_wrong_step(persona: Persona, draws: HashedDraws, puzzle: Puzzle | None, numbered: str) -> str:
    """The number of the first wrong step of a numbered solution, on the line `First wrong step: N`."""
    steps = [step.strip() for step in _NUMBER.split(numbered)[1:]]
    if puzzle is None or not steps:
        return "i cannot check these steps .\nFirst wrong step: 0"
    text = "\n".join(steps)
    flaw = judge(puzzle, text).flaw
    if flaw is None or shares(persona, flaw) or not draws.chance("sees", persona.sensitivity):
        return _named(1 + draws.rng("blames").between(0, len(steps) - 1), "does not seem to follow")
    at = len(steps) - 1 if flaw.statement is None else min(text.count("\n", 0, flaw.statement.start), len(steps) - 1)
    if draws.chance("miscounts", MISCOUNTS):
        at += draws.rng("miscounts").pick((-1, 1))
    return _named(1 + min(max(at, 0), len(steps) - 1), "is not true")


def _named(number: int, why: str) -> str:
    return f"step {number} {why} .\nFirst wrong step: {number}"


def go_on(persona: Persona, draws: HashedDraws, puzzle: Puzzle, begun: str) -> str:
    """The steps that a beginning lacks, from its own results, and the answer."""
    verdict = judge(puzzle, begun)
    flaw = verdict.flaw if verdict.flaw and verdict.flaw.kind != "unfinished" else None
    voice = persona.voice if verdict.voice is None else verdict.voice
    if flaw and not shares(persona, flaw) and draws.chance("starts over", STARTS_OVER):
        rest = [line for line in work(puzzle) if line.step not in {done.step for done in verdict.done}]
    else:
        rest = _carried_on(persona, draws, puzzle, verdict)
    result = rest[-1].result if rest else verdict.steps[-1].result if verdict.steps else puzzle.answer
    return " ".join([*(say(puzzle, line, voice) for line in rest), final(result or 0)])


def _carried_on(persona: Persona, draws: HashedDraws, puzzle: Puzzle, verdict: Verdict) -> list[Line]:
    """The steps after as many as are written, with what was believed before and the speaker's own mistakes."""
    written = [one.result or 0 for one in verdict.steps][: len(puzzle.steps)]
    own = {
        step: mistake
        for step, mistake in persona.misled(puzzle).items()
        if draws.chance(puzzle.steps[step].unit or puzzle.steps[step].cause, persona.strength)
    }
    if not own and draws.chance("slip", persona.slips):
        own = next(iter(slips(puzzle, draws.rng("slip"))))
    results, lines = list(written), list[Line]()
    facts = _facts(verdict.statements)
    for i in range(len(written), len(puzzle.steps)):
        step, wrong = puzzle.steps[i], own.get(i)
        left = results[step.left.step] if step.left.step >= 0 else step.left.number
        right = results[step.right.step] if step.right.step >= 0 else step.right.number
        op: str = step.op
        if wrong and wrong.kind == "knowledge":
            right = int(wrong.value)
        elif wrong and wrong.kind == "logical_op":
            op = str(wrong.value)
        elif wrong and wrong.kind == "logical_num":
            left, right = (int(wrong.value), right) if step.unit else (left, int(wrong.value))
        right = facts.get(step.unit, right)
        result = apply(op, left, right) + (int(wrong.value) if wrong and wrong.kind == "calc" else 0)
        results.append(result)
        lines.append(Line(i, left, op, right, result, step.unit))
    return lines


def _facts(statements: tuple[Statement, ...]) -> dict[str, int]:
    return {one.unit: one.result for one in statements if one.what == "fact" and one.result is not None}
