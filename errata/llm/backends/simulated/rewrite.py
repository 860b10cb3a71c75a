"""How a persona writes solutions: its own, and others' rectified, corrupted or revised in their author's style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from errata.classroom.check_steps import Statement, Verdict, judge
from errata.classroom.grammar import UNITS, Puzzle
from errata.classroom.hashed_random import HashedRandom
from errata.classroom.solve import Line, Mistake, bend, final, lucky, sane, say, slips, work, write, wrong
from errata.llm.backends.simulated.persona import Persona
from errata.records import draw


class Luck(NamedTuple):
    """The draws of one request: every purpose has its own."""

    key: str

    def chance(self, purpose: str, probability: float) -> bool:
        return draw(self.key, purpose) < probability

    def rng(self, purpose: str) -> HashedRandom:
        return HashedRandom(self.key, purpose)


def solve(persona: Persona, luck: Luck, puzzle: Puzzle, slipping: float) -> str:
    """A solution with this persona's misconceptions, else a random slip at the rate `slipping`; sometimes lucky."""
    mistakes = _shown(persona, luck, puzzle)
    if luck.chance("lucky", persona.lucky):
        bent = bend(puzzle, work(puzzle, mistakes))
        return write(puzzle, bent if bent != work(puzzle) else lucky(puzzle, luck.rng("lucky")), persona.voice)
    if not mistakes and luck.chance("slip", slipping):
        mistakes = next(iter(slips(puzzle, luck.rng("slip"))))
    return write(puzzle, work(puzzle, mistakes), persona.voice)


def blunder(persona: Persona, luck: Luck, puzzle: Puzzle) -> str:
    """A plain wrong solution."""
    return write(puzzle, work(puzzle, wrong(puzzle, luck.rng("blunder"))), persona.voice)


def _shown(persona: Persona, luck: Luck, puzzle: Puzzle, done: Iterable[int] = ()) -> dict[int, Mistake]:
    """The persona's misconceptions that show this time; none where they would lead out of 0..99."""
    mistakes = {
        i: mistake
        for i, mistake in persona.misled(puzzle).items()
        if i not in done and luck.chance(puzzle.steps[i].unit or puzzle.steps[i].cause, persona.strength)
    }
    return mistakes if sane(work(puzzle, mistakes)) else {}


def rectify(persona: Persona, luck: Luck, puzzle: Puzzle, text: str, answer: int) -> str:
    """The text with its wording and true steps, mended from the first flaw on, ending in `answer`.

    Where the mender's own misconception stands in the way, it sometimes keeps it and bends the end to fit.
    """
    verdict = judge(puzzle, text)
    if verdict.flaw is None and answer == puzzle.answer:
        return text[: verdict.said[-1].end].rstrip()  # what runs on after the answer goes
    lines = work(puzzle)
    own = _shown(persona, luck, puzzle, done={line.step for line in verdict.done})
    if own and luck.chance("bent", persona.bent):
        lines = bend(puzzle, work(puzzle, own), answer)
    elif answer != puzzle.answer:
        lines = bend(puzzle, lines, answer)
    return _mended(persona, puzzle, text, verdict, lines)


def revise(persona: Persona, luck: Luck, puzzle: Puzzle, text: str, critiques: str) -> str:
    """The text mended where a critique names what is right, or where the author can see the flaw alone."""
    verdict = judge(puzzle, text)
    flaw = verdict.flaw
    if flaw is None:
        return text
    step = puzzle.steps[flaw.step] if flaw.step is not None else None
    right = f"{step.left.number} {step.op} {step.right.number} = {step.result}" if step else ""
    fact = f"{flaw.cause} = {UNITS[flaw.cause]}" if flaw.cause in UNITS else ""
    told = any(hint and hint in critiques for hint in (right, fact))
    own = flaw.cause in persona.facts or flaw.cause in persona.verbs
    if not told and (own or not luck.chance("looks again", 0.7)):
        return text
    return _mended(persona, puzzle, text, verdict, work(puzzle))


def _mended(persona: Persona, puzzle: Puzzle, text: str, verdict: Verdict, lines: Sequence[Line]) -> str:
    voice = persona.voice if verdict.voice is None else verdict.voice
    if not verdict.steps:
        return write(puzzle, lines, voice)
    if verdict.flaw is None:
        end = verdict.said[-1].start
    else:
        end = verdict.flaw.said.start if verdict.flaw.said else verdict.said[-1].end
    done = {line.step for line in verdict.done}
    last = len(puzzle.steps) - 1
    if last in done and lines[-1].result != puzzle.answer:
        end, done = verdict.steps[last].start, done - {last}
    return _continued(puzzle, text, _before_fact(verdict.said, end), voice, [n for n in lines if n.step not in done])


def corrupt(persona: Persona, luck: Luck, puzzle: Puzzle, text: str) -> str:
    """The text with one mistaken step and what follows from it, ending in another answer (EDIT's CCP, the dual)."""
    verdict = judge(puzzle, text)
    mistakes = wrong(puzzle, luck.rng("corrupt"))
    lines = work(puzzle, mistakes)
    voice = persona.voice if verdict.voice is None else verdict.voice
    written = [(one.left, one.op, one.right) for one in verdict.steps]
    if verdict.flaw or written != [(line.left, line.op, line.right) for line in verdict.done]:
        return write(puzzle, lines, voice)
    place = [line.step for line in verdict.done].index(min(mistakes))
    kept = {line.step for line in verdict.done[:place]}
    end = _before_fact(verdict.said, verdict.steps[place].start)
    return _continued(puzzle, text, end, voice, [line for line in lines if line.step not in kept])


def _before_fact(said: Sequence[Statement], end: int) -> int:
    """Where to cut so that a unit's fact goes with the step it serves."""
    before = [one for one in said if one.start < end]
    return before[-1].start if before and before[-1].what == "fact" else end


def _continued(puzzle: Puzzle, text: str, end: int, voice: int, lines: Sequence[Line]) -> str:
    """The text up to `end`, then these steps and the answer, in its voice and with its line breaks."""
    kept = text[:end].rstrip()
    result = lines[-1].result if lines else puzzle.answer
    between = "\n" if "\n" in text.strip() else " "
    return between.join(filter(None, [kept, *(say(puzzle, line, voice) for line in lines), final(result)]))
