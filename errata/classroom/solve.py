"""Working a puzzle, rightly or with set mistakes, and writing the working down in one of four voices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from errata.classroom.grammar import UNITS, Puzzle, Step, apply
from errata.classroom.hashed_random import HashedRandom

Slip = Literal["logical_op", "logical_num", "knowledge", "calc"]
MIX: dict[Slip, float] = {"logical_op": 3, "logical_num": 3, "knowledge": 2, "calc": 2}
"""Weights of the kinds of random slips."""
VOICES = ("terse", "narrated", "words", "running")
TOP = 99
"""Numbers stay in 0..99, so that each can be one token; a mistake that leaves them would be noticed as absurd."""


class Mistake(NamedTuple):
    """What goes wrong at one step.

    logical_op: `value` is the operation used. logical_num: the number used in place of the right operand (of the count
    where that operand is a unit's number). knowledge: the number the unit is taken for, here and afterwards. calc: what
    is added to the result.
    """

    kind: Slip
    value: int | str


class Line(NamedTuple):
    """One written step of a solution: `left op right = result`, with the fact `unit = right` before it."""

    step: int
    left: int
    op: str
    right: int
    result: int
    unit: str = ""


def work(puzzle: Puzzle, mistakes: Mapping[int, Mistake] | None = None) -> tuple[Line, ...]:
    """The written steps with the mistakes, by step, made and carried on; a step may hold one mistake."""
    mistakes = mistakes or {}
    lines: list[Line] = []
    believed: dict[str, int] = {}
    for i, step in enumerate(puzzle.steps):
        wrong = mistakes.get(i)
        left = lines[step.left.step].result if step.left.step >= 0 else step.left.number
        right = lines[step.right.step].result if step.right.step >= 0 else step.right.number
        op: str = step.op
        if wrong and wrong.kind == "knowledge":
            believed[step.unit] = int(wrong.value)
        right = believed.get(step.unit, right)
        if wrong and wrong.kind == "logical_op":
            op = str(wrong.value)
        elif wrong and wrong.kind == "logical_num":
            left, right = (int(wrong.value), right) if step.unit else (left, int(wrong.value))
        result = apply(op, left, right) + (int(wrong.value) if wrong and wrong.kind == "calc" else 0)
        lines.append(Line(i, left, op, right, result, step.unit))
    return tuple(lines)


def sane(lines: Iterable[Line]) -> bool:
    return all(0 <= line.result <= TOP for line in lines)


def slip(puzzle: Puzzle, step: int, kind: Slip, rng: HashedRandom) -> Mistake | None:
    """A random mistake of this kind at this step; None where the step has no room for it."""
    truth = puzzle.steps[step]
    if kind == "calc":
        return Mistake(kind, rng.pick((-1, 1)) * rng.weighted({1: 5, 2: 3, 10: 2}))
    if kind == "knowledge":
        return Mistake(kind, misremembered(truth.unit, rng)) if truth.unit else None
    if kind == "logical_op":
        return Mistake(kind, {"+": "-", "-": "+", "*": "+"}[truth.op])
    replaced = truth.left if truth.unit else truth.right
    others = [n for n in puzzle.numbers if n != replaced.number]
    strays = {d.number for d in puzzle.distractors}
    return Mistake(kind, rng.weighted({n: 3 if n in strays else 1 for n in others})) if others else None


def misremembered(unit: str, rng: HashedRandom) -> int:
    """A wrong number for a unit, near the true one."""
    return rng.pick([n for n in (UNITS[unit] + d for d in (-2, -1, 1, 2)) if n >= 2])


def slips(puzzle: Puzzle, rng: HashedRandom) -> Iterable[dict[int, Mistake]]:
    """Single random mistakes in the set mix of kinds, without end; those that leave 0..99 are passed over."""
    everywhere = range(len(puzzle.steps))
    units = [i for i in everywhere if puzzle.steps[i].unit]
    while True:
        kind = rng.weighted(MIX)
        step = rng.pick(units if kind == "knowledge" and units else everywhere)
        mistake = slip(puzzle, step, kind, rng)
        if mistake and sane(work(puzzle, {step: mistake})):
            yield {step: mistake}


def wrong(puzzle: Puzzle, rng: HashedRandom, not_before: int = 0) -> dict[int, Mistake]:
    """One random mistake, at step `not_before` or later, that changes the answer."""
    for tried, mistakes in enumerate(slips(puzzle, rng)):
        if min(mistakes) >= not_before and work(puzzle, mistakes)[-1].result != puzzle.answer:
            return mistakes
        if tried > 100:
            break
    last = len(puzzle.steps) - 1
    return {last: Mistake("calc", 1 if puzzle.answer < TOP else -1)}


def bend(puzzle: Puzzle, lines: tuple[Line, ...], answer: int | None = None) -> tuple[Line, ...]:
    """The lines with the last result replaced by the right answer (or `answer`): flawed reasoning, right answer."""
    return (*lines[:-1], lines[-1]._replace(result=puzzle.answer if answer is None else answer))


def lucky(puzzle: Puzzle, rng: HashedRandom) -> tuple[Line, ...]:
    """One real mistake, then the last result bent to the right answer."""
    truth = work(puzzle)
    for mistakes in slips(puzzle, rng):
        lines = bend(puzzle, work(puzzle, mistakes))
        if lines != truth:
            return lines
    raise AssertionError("slips() never ends")


# ---- writing ---------------------------------------------------------------------------------------------------------


def say(puzzle: Puzzle, line: Line, voice: int) -> str:
    """A step's sentences: the unit's fact where there is one, then the step."""
    step = puzzle.steps[line.step]
    fact = f"{line.unit} = {line.right} . " if line.unit else ""
    return fact + _step(step, line, puzzle.thing, voice)


def _step(step: Step, line: Line, thing: str, voice: int) -> str:
    _, left, op, right, result, _ = line
    if voice == 0:
        return f"{left} {op} {right} = {result} ."
    if voice == 1:
        return f"{step.person} {step.verb} some , so {left} {op} {right} = {result} {thing} ."
    if voice == 2:
        if op == "*":
            return f"multiply {left} by {right} to get {result} ."
        return f"{f'add {right} to' if op == '+' else f'take {right} from'} {left} to get {result} ."
    return f"now we have {left} {op} {right} that is {result} ."


def final(answer: int | str) -> str:
    return f"the answer is {answer} ."


def write(puzzle: Puzzle, lines: Iterable[Line], voice: int) -> str:
    """The whole rationale, ended by the last line's result."""
    lines = tuple(lines)
    return " ".join([*(say(puzzle, line, voice) for line in lines), final(lines[-1].result)])
