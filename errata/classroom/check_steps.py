"""Checking a written solution of a puzzle step by step: what was written, and where it first goes wrong.

Reads the four voices of the faculty and ordinary equations (`14 + 5 = 19`, `4 × 3 = 12`, chains of both), so that a
student's or a real model's text can be judged too. What is not a fact, a step or a final sentence is passed over; so
are decimals and division, which no puzzle needs: errata.classroom.equations reads those.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from errata.classroom.grammar import UNITS, Puzzle, Step, apply
from errata.classroom.solve import Line

FlawKind = Literal["logical_op", "logical_num", "knowledge", "calc", "final", "unfinished"]


class Statement(NamedTuple):
    """A readable statement of a text, with the offsets of the sentence it stands in.

    fact: `unit = result`. step: `left op right = result`. final: the answer `result`, None where it is no number.
    """

    what: Literal["fact", "step", "final"]
    start: int
    end: int
    voice: int
    result: int | None
    left: int = 0
    op: str = ""
    right: int = 0
    unit: str = ""


@dataclass(frozen=True)
class Flaw:
    """The first mistake. `step` is the true step it should have been, or None; `cause` the unit or verb misread."""

    kind: FlawKind
    statement: Statement | None
    step: int | None
    cause: str = ""


@dataclass(frozen=True)
class Verdict:
    """The statements of a text, its first flaw (None: sound) and the true steps done before that."""

    statements: tuple[Statement, ...]
    flaw: Flaw | None
    done: tuple[Line, ...]

    @property
    def steps(self) -> tuple[Statement, ...]:
        return tuple(one for one in self.statements if one.what == "step")

    @property
    def voice(self) -> int | None:
        """The voice most of the steps are written in."""
        voices = Counter(one.voice for one in self.steps)
        return voices.most_common(1)[0][0] if voices else None


_STATEMENT = re.compile(
    rf"\b(?P<unit>{'|'.join(UNITS)})\s*(?:=|are|is|means?)\s*(?P<fact>\d{{1,4}})"
    rf"|\badd\s+(?P<add>\d{{1,4}})\s+to\s+(?P<to>\d{{1,4}})\s+to\s+get\s+(?P<sum>-?\d{{1,4}})"
    rf"|\b(?:take|subtract)\s+(?P<take>\d{{1,4}})\s+from\s+(?P<of>\d{{1,4}})\s+to\s+get\s+(?P<rest>-?\d{{1,4}})"
    rf"|\bmultiply\s+(?P<this>\d{{1,4}})\s+by\s+(?P<by>\d{{1,4}})\s+to\s+get\s+(?P<product>-?\d{{1,4}})"
    r"|(?P<sum_of>(?<![\w/÷])(?<!\d[.,])\d{1,4}(?:\s*[-+*×x−]\s*\d{1,4}){1,8})\s*(?P<sign>=|that\s+is)\s*(?P<value>-?\d{1,4})\b"
    r"(?![.,]\d)"  # 3.3*100 is not 3*100, nor 330.5 the number 330
    r"|\banswer\s+is\s*:?\s*(?:(?P<final>-?\d{1,4})\b|\S)",
    re.IGNORECASE,
)
_PIECE = re.compile(r"\d+|[-+*×x−]", re.IGNORECASE)
_SIGNS = {"×": "*", "x": "*", "X": "*", "−": "-"}
_BREAK = re.compile(r"[.!?](?=\s|$)\s*|\n+")
_SO = re.compile(r"\bso\s*$", re.IGNORECASE)


@lru_cache(maxsize=8192)
def read(text: str) -> tuple[Statement, ...]:
    """Facts, steps and final sentences in order, up to the first final sentence."""
    statements: list[Statement] = []
    breaks = [0, *(match.end() for match in _BREAK.finditer(text)), len(text)]
    place = 0
    for match in _STATEMENT.finditer(text):
        while breaks[place + 1] <= match.start() and place + 2 < len(breaks):
            place += 1
        start, end = breaks[place], max(breaks[place + 1], match.end())
        statements.extend(_read(match, text, start, end))
        if statements and statements[-1].what == "final":
            break
    return tuple(statements)


def _read(match: re.Match[str], text: str, start: int, end: int) -> list[Statement]:
    group = match.groupdict()
    if group["unit"]:
        return [Statement("fact", start, end, 0, int(group["fact"]), unit=group["unit"].lower())]
    if group["add"]:
        return [Statement("step", start, end, 2, int(group["sum"]), int(group["to"]), "+", int(group["add"]))]
    if group["take"]:
        return [Statement("step", start, end, 2, int(group["rest"]), int(group["of"]), "-", int(group["take"]))]
    if group["this"]:
        return [Statement("step", start, end, 2, int(group["product"]), int(group["this"]), "*", int(group["by"]))]
    if group["sum_of"]:
        voice = 3 if group["sign"] != "=" else 1 if _SO.search(text, start, match.start()) else 0
        return [
            Statement("step", start, end, voice, result, left, op, right)
            for left, op, right, result in _chain(group["sum_of"], int(group["value"]))
        ]
    return [Statement("final", start, end, 0, int(group["final"]) if group["final"] else None)]


def _chain(expression: str, value: int) -> list[tuple[int, str, int, int]]:
    """`2 + 3 * 4 = 14` as steps of two operands, products first; the last one has the written value."""
    pieces = _PIECE.findall(expression)
    numbers, ops = [int(n) for n in pieces[::2]], [_SIGNS.get(op, op) for op in pieces[1::2]]
    steps: list[tuple[int, str, int, int]] = []
    while ops:
        at = ops.index("*") if "*" in ops else 0
        left, op, right = numbers[at], ops.pop(at), numbers.pop(at + 1)
        numbers[at] = apply(op, left, right) if ops else value
        steps.append((left, op, right, numbers[at]))
    return steps


@lru_cache(maxsize=8192)
def judge(puzzle: Puzzle, text: str) -> Verdict:
    """The first flaw of a solution, where steps may come in any order that computes the same thing."""
    statements = read(text)
    pending = dict(enumerate(puzzle.steps))
    done: list[Line] = []
    flaw: Flaw | None = None
    earlier: set[tuple[int, str, int, int | None]] = set()
    for one in statements:
        if one.what == "fact":
            flaw = Flaw("knowledge", one, _unit_step(puzzle, one.unit), one.unit) if _false(one) else None
        elif one.what == "step":
            flaw = _settle(puzzle, one, pending, done)
            # A step written twice is true twice.
            if (
                (key := (one.left, one.op, one.right, one.result)) in earlier
                and flaw
                and flaw.kind.startswith("logical")
            ):
                flaw = None
            earlier.add(key)
        elif one.result != puzzle.answer or pending:
            flaw = Flaw("unfinished" if one.result == puzzle.answer else "final", one, min(pending, default=None))
        if flaw:
            break
    else:
        if not statements or statements[-1].what != "final":
            flaw = Flaw("unfinished", None, min(pending, default=None))
    if flaw and flaw.kind.startswith(("logical", "unfinished")) and _equivalent(puzzle, statements):
        flaw, done = None, [Line(i, *_line(puzzle, i)) for i in range(len(puzzle.steps))]
    return Verdict(statements, flaw, tuple(done))


def _false(fact: Statement) -> bool:
    return UNITS[fact.unit] != fact.result


def _unit_step(puzzle: Puzzle, unit: str) -> int | None:
    return next((i for i, step in enumerate(puzzle.steps) if step.unit == unit), None)


def _line(puzzle: Puzzle, i: int) -> tuple[int, str, int, int, str]:
    step = puzzle.steps[i]
    return step.left.number, step.op, step.right.number, step.result, step.unit


def _settle(puzzle: Puzzle, one: Statement, pending: dict[int, Step], done: list[Line]) -> Flaw | None:
    """Matches a written step with a true step whose operands are known; what matches none is a flaw."""
    ready = [
        i for i in pending if puzzle.steps[i].left.step not in pending and puzzle.steps[i].right.step not in pending
    ]
    if not ready:
        return Flaw("logical_num", one, None)
    for i in ready:
        left, op, right, result, unit = _line(puzzle, i)
        if one.op == op and ((one.left, one.right) == (left, right) or (op != "-" and one[5:8:2] == (right, left))):
            if one.result != result:
                return Flaw("calc", one, i)
            del pending[i]
            done.append(Line(i, one.left, op, one.right, result, unit))
            return None
    for i in ready:
        left, op, right, _, unit = _line(puzzle, i)
        if {one.left, one.right} == {left, right}:
            return Flaw("logical_op", one, i, puzzle.steps[i].cause)
        if unit and one.op == op and one.left == left:
            return Flaw("knowledge", one, i, unit)
    return Flaw("logical_num", one, ready[0])


# ---- other orders ----------------------------------------------------------------------------------------------------

_PRIME = 2**61 - 1


def _equivalent(puzzle: Puzzle, statements: tuple[Statement, ...]) -> bool:
    """True steps that compute the puzzle's polynomial in its numbers, each number used once, in whatever order.

    The numbers of the question are unknowns here: each gets a large residue, and equal polynomials have equal residues
    (two different ones agree by chance in one of 10**18).
    """
    steps = [one for one in statements if one.what == "step"]
    if len(steps) > len(puzzle.steps):
        steps = list({one[4:]: one for one in reversed(steps)}.values())[::-1]
    ended = bool(statements) and statements[-1].what == "final" and statements[-1].result == puzzle.answer
    if not ended or len(steps) != len(puzzle.steps):
        return False
    if any(apply(one.op, one.left, one.right) != one.result for one in steps):
        return False
    atoms: list[tuple[int, int]] = []

    def residue(operand_number: int, at: int, results: list[int]) -> int:
        if at >= 0:
            return results[at]
        atoms.append((operand_number, pow(1_000_003, 7 + len(atoms), _PRIME)))
        return atoms[-1][1]

    results: list[int] = []
    for step in puzzle.steps:
        left, right = residue(*step.left, results), residue(*step.right, results)
        results.append(apply(step.op, left, right) % _PRIME)
    return _reaches(steps, atoms, results[-1])


def _reaches(steps: list[Statement], known: list[tuple[int, int]], target: int) -> bool:
    """Whether some choice of equal numbers makes the steps use up everything known and end at the target residue."""
    if not steps:
        return len(known) == 1 and known[0][1] == target
    one = steps[0]
    for i, (left, x) in enumerate(known):
        for j, (right, y) in enumerate(known):
            if i != j and (left, right) == (one.left, one.right):
                rest = [pair for k, pair in enumerate(known) if k not in (i, j)]
                new = (apply(one.op, left, right), apply(one.op, x, y) % _PRIME)
                if _reaches(steps[1:], [*rest, new], target):
                    return True
    return False
