"""How a persona writes solutions: its own, and others' rectified, corrupted or revised in their author's style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from errata.classroom.check_steps import Statement, Verdict, judge
from errata.classroom.grammar import UNITS, Puzzle
from errata.classroom.hashed_random import HashedDraws
from errata.classroom.solve import Line, Mistake, bend, final, lucky, sane, say, slips, work, write, wrong
from errata.llm.backends.simulated.blind_spots import eyes
from errata.llm.backends.simulated.persona import Persona


def solve(persona: Persona, draws: HashedDraws, puzzle: Puzzle, slipping: float) -> str:
    """A solution with this persona's misconceptions, else a random slip at the rate `slipping`; sometimes lucky.

    Some slips are those that the puzzle asks of everybody: then two personas reach the same wrong answer.
    """
    mistakes = _visible_mistakes(persona, draws, puzzle)
    if draws.chance("lucky", persona.lucky):
        bent = bend(puzzle, work(puzzle, mistakes))
        return write(puzzle, bent if bent != work(puzzle) else lucky(puzzle, draws.rng("lucky")), persona.voice)
    slip_draws = eyes(persona.seed, persona.shared, draws, "solve", repr(puzzle))
    if not mistakes and slip_draws.chance("slip", slipping):
        mistakes = next(iter(slips(puzzle, slip_draws.rng("slip"))))
    return write(puzzle, work(puzzle, mistakes), persona.voice)


def blunder(persona: Persona, draws: HashedDraws, puzzle: Puzzle) -> str:
    """A plain wrong solution."""
    return write(puzzle, work(puzzle, wrong(puzzle, draws.rng("blunder"))), persona.voice)


def _visible_mistakes(
    persona: Persona, draws: HashedDraws, puzzle: Puzzle, done: Iterable[int] = ()
) -> dict[int, Mistake]:
    """The persona's misconceptions that show this time; none where they would lead out of 0..99."""
    mistakes = {
        i: mistake
        for i, mistake in persona.misled(puzzle).items()
        if i not in done and draws.chance(puzzle.steps[i].unit or puzzle.steps[i].cause, persona.strength)
    }
    return mistakes if sane(work(puzzle, mistakes)) else {}


def rectify(persona: Persona, draws: HashedDraws, puzzle: Puzzle, text: str, answer: int) -> str:
    """The text with its wording and true steps, corrected from the first flaw on, ending in `answer`.

    Where the persona's own misconception stands in the way, it sometimes keeps it and bends the end to fit.
    """
    verdict = judge(puzzle, text)
    if verdict.flaw is None and answer == puzzle.answer:
        return text[: verdict.statements[-1].end].rstrip()  # what runs on after the answer goes
    lines = work(puzzle)
    own = _visible_mistakes(persona, draws, puzzle, done={line.step for line in verdict.done})
    if own and draws.chance("bent", persona.bent):
        lines = bend(puzzle, work(puzzle, own), answer)
    elif answer != puzzle.answer:
        lines = bend(puzzle, lines, answer)
    return _corrected(persona, puzzle, text, verdict, lines)


def revise(persona: Persona, draws: HashedDraws, puzzle: Puzzle, text: str, critiques: str) -> str:
    """The text corrected where a critique names what is right, or where the author can see the flaw alone."""
    verdict = judge(puzzle, text)
    flaw = verdict.flaw
    if flaw is None:
        return text
    step = puzzle.steps[flaw.step] if flaw.step is not None else None
    right = f"{step.left.number} {step.op} {step.right.number} = {step.result}" if step else ""
    fact = f"{flaw.cause} = {UNITS[flaw.cause]}" if flaw.cause in UNITS else ""
    hinted = any(hint and hint in critiques for hint in (right, fact))
    own = flaw.cause in persona.facts or flaw.cause in persona.verbs
    if not hinted and (own or not draws.chance("looks again", 0.7)):
        return text
    return _corrected(persona, puzzle, text, verdict, work(puzzle))


def _corrected(persona: Persona, puzzle: Puzzle, text: str, verdict: Verdict, lines: Sequence[Line]) -> str:
    voice = persona.voice if verdict.voice is None else verdict.voice
    if not verdict.steps:
        return write(puzzle, lines, voice)
    if verdict.flaw is None:
        end = verdict.statements[-1].start
    else:
        end = verdict.flaw.statement.start if verdict.flaw.statement else verdict.statements[-1].end
    done = {line.step for line in verdict.done}
    last = len(puzzle.steps) - 1
    if last in done and lines[-1].result != puzzle.answer:
        end, done = verdict.steps[last].start, done - {last}
    return _continued(
        puzzle, text, _before_fact(verdict.statements, end), voice, [n for n in lines if n.step not in done]
    )


def corrupt(persona: Persona, draws: HashedDraws, puzzle: Puzzle, text: str) -> str:
    """The text with one mistaken step and what follows from it, ending in another answer (EDIT's CCP, the dual)."""
    verdict = judge(puzzle, text)
    mistakes = wrong(puzzle, draws.rng("corrupt"))
    lines = work(puzzle, mistakes)
    voice = persona.voice if verdict.voice is None else verdict.voice
    written = [(one.left, one.op, one.right) for one in verdict.steps]
    if verdict.flaw or written != [(line.left, line.op, line.right) for line in verdict.done]:
        return write(puzzle, lines, voice)
    place = [line.step for line in verdict.done].index(min(mistakes))
    before = {line.step for line in verdict.done[:place]}
    end = _before_fact(verdict.statements, verdict.steps[place].start)
    return _continued(puzzle, text, end, voice, [line for line in lines if line.step not in before])


def retell(persona: Persona, puzzle: Puzzle, text: str) -> str:
    """The steps and the answer of the text, true or not, in this persona's voice; a text without steps as it is."""
    verdict = judge(puzzle, text)
    if not verdict.steps:
        return text
    true = [line.step for line in verdict.done]
    lines: list[Line] = []
    fact: Statement | None = None
    for one in verdict.statements:
        if one.what == "step":
            place = len(lines)
            step = true[place] if place < len(true) else min(place, len(puzzle.steps) - 1)
            unit = fact.unit if fact and fact.result == one.right else ""
            lines.append(Line(step, one.left, one.op, one.right, one.result or 0, unit))
        fact = one if one.what == "fact" else None
    end = verdict.statements[-1]
    closing = [final(end.result)] if end.what == "final" and end.result is not None else []
    return " ".join([*(say(puzzle, line, persona.voice) for line in lines), *closing])


def _before_fact(statements: Sequence[Statement], end: int) -> int:
    """Where to cut so that a unit's fact goes with the step it serves."""
    before = [one for one in statements if one.start < end]
    return before[-1].start if before and before[-1].what == "fact" else end


def _continued(puzzle: Puzzle, text: str, end: int, voice: int, lines: Sequence[Line]) -> str:
    """The text up to `end`, then these steps and the answer, in its voice and with its line breaks."""
    start = text[:end].rstrip()
    result = lines[-1].result if lines else puzzle.answer
    between = "\n" if "\n" in text.strip() else " "
    return between.join(filter(None, [start, *(say(puzzle, line, voice) for line in lines), final(result)]))
