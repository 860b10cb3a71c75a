"""A persona's feedback on another's solution: explains its mistake, names the kinds, scores it.

A flaw that the speaker shares as a misconception goes unseen. Seen by sensitivity, a flaw costs the solution its
score; by 1 - specificity fault is found with a sound one; reviewers err together, as `blind_spots.py` says. A final
answer that differs from a gold answer shown is always noticed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from errata.classroom.check_steps import Flaw, Statement, Verdict, judge
from errata.classroom.grammar import UNITS, Puzzle
from errata.classroom.hashed_random import HashedDraws
from errata.llm.backends.simulated.blind_spots import eyes
from errata.llm.backends.simulated.persona import Persona
from errata.records import MistakeKind, to_json

KINDS: dict[str, MistakeKind] = {
    "logical_op": "logical",
    "logical_num": "logical",
    "unfinished": "logical",
    "knowledge": "knowledge",
    "calc": "calculation",
    "final": "other",
}
_BAD, _GOOD = {1: 0.6, 2: 0.4}, {5: 0.6, 4: 0.4}
_ORDERS = {"+": "add", "-": "take away", "*": "multiply"}


def shares(persona: Persona, flaw: Flaw) -> bool:
    """Whether the persona would have made this mistake itself."""
    if flaw.kind == "knowledge" and flaw.statement:
        stated = flaw.statement.result if flaw.statement.what == "fact" else flaw.statement.right
        return persona.facts.get(flaw.cause) == stated
    return flaw.kind == "logical_op" and flaw.cause in persona.verbs


def explain(persona: Persona, puzzle: Puzzle, text: str, gold: str) -> str:
    """Where the reasoning first goes wrong, why, and the right step; blames the end for a shared misconception."""
    verdict = judge(puzzle, text)
    if verdict.flaw is None:
        return "every step is right , and so is the answer ."
    if not verdict.steps:
        return f"the steps are missing . begin with {_true_step(puzzle, 0)} ."
    if shares(persona, verdict.flaw):
        last = verdict.steps[-1]
        return f"the first mistake is {_quoted(last)} . the steps before it are right , so it should lead to {gold} ."
    return _complaint(puzzle, verdict.flaw)


def classify(persona: Persona, puzzle: Puzzle, text: str) -> str:
    """The kind of the first mistake in a sentence, closed by the line `Kinds: [...]`."""
    flaw = judge(puzzle, text).flaw
    if flaw is None:
        return "there is no mistake .\nKinds: [other]"
    kind: MistakeKind = "calculation" if shares(persona, flaw) else KINDS[flaw.kind]
    why = f"the first mistake is {_quoted(flaw.statement)} ." if flaw.statement else "the solution stops too early ."
    return f"{why}\nKinds: [{kind}]"


def as_object(reply: str, schema: Mapping[str, Any]) -> str:
    """A reply with a closing line as a provider writes it that is held to this schema of two members.

    The first member holds the words, the last the line's value. A reply without such a line stays as it is.
    """
    words, _, closing = reply.rpartition("\n")
    label, _, value = closing.partition(": ")
    properties = schema.get("properties")
    members = list(properties) if isinstance(properties, dict) else []
    if label not in ("Score", "Kinds", "First wrong step") or len(members) != 2:
        return reply
    read = value.strip("[]").split(", ") if label == "Kinds" else int(value)
    return to_json({members[0]: words, members[1]: read}).decode()


def score(persona: Persona, draws: HashedDraws, puzzle: Puzzle | None, text: str, gold: str | None) -> str:
    """A judgement step by step, closed by the line `Score: N`."""
    if puzzle is None:
        return _by_answer(persona, draws, text, gold)
    verdict = judge(puzzle, text)
    if not verdict.steps:
        return _by_answer(persona, draws, text, str(puzzle.answer) if gold is None else gold)
    flaw = verdict.flaw
    judging = eyes(persona.seed, persona.shared, draws, "score", repr(puzzle), text)
    if flaw and not shares(persona, flaw) and judging.chance("sees", persona.sensitivity):
        remark = _complaint(puzzle, flaw)
    elif gold is not None and not same_answer(answer_in(text), gold):
        remark = f"the final answer is not {gold} , so a step must be wrong ."
    elif flaw is None and not judging.chance("is content", persona.specificity):
        doubted = judging.rng("doubt").pick(verdict.steps)
        remark = f"the step {_quoted(doubted)} does not follow from the problem ."
        flaw = Flaw("logical_num", doubted, None)
    else:
        checked = _checked(verdict, None)
        return _scored(f"{checked} the answer follows .", draws.rng("score").weighted(_GOOD))
    return _scored(f"{_checked(verdict, flaw)} {remark}".strip(), draws.rng("score").weighted(_BAD))


def _by_answer(persona: Persona, draws: HashedDraws, text: str, gold: str | None) -> str:
    """No step to check: the final answer alone is judged, and without a gold answer the score is middling."""
    if gold is None:
        return _scored("i cannot check these steps .", 3)
    if not same_answer(answer_in(text), gold):
        return _scored(f"the final answer is not {gold} .", draws.rng("score").weighted(_BAD))
    judging = eyes(persona.seed, persona.shared, draws, "score", text)
    if judging.chance("is content", persona.specificity):
        return _scored("the final answer is right .", 4)
    return _scored("the final answer is right , but the steps are doubtful .", 2)


def _scored(review: str, score: int) -> str:
    return f"{review}\nScore: {score}"


def _checked(verdict: Verdict, flaw: Flaw | None) -> str:
    """The true steps before the flaw."""
    stop = flaw.statement.start if flaw and flaw.statement else None
    true = [one for one in verdict.steps if stop is None or one.start < stop]
    return " ".join(f"step {i} : {_quoted(one)} is true ." for i, one in enumerate(true, 1))


def _complaint(puzzle: Puzzle, flaw: Flaw) -> str:
    """What is wrong and what the right step would have been."""
    statement = flaw.statement
    if statement is None or flaw.kind == "unfinished":
        return f"the solution stops too early . the right step is {_true_step(puzzle, flaw.step or 0)} ."
    wrote = f"the first mistake is {_quoted(statement)} ."
    if flaw.kind == "final":
        if flaw.step is None:
            return f"the steps lead to {puzzle.answer} , so the final answer is wrong ."
        return f"a step is missing . the right step is {_true_step(puzzle, flaw.step)} ."
    if flaw.kind == "knowledge":
        fact = f"{flaw.cause} = {UNITS[flaw.cause]}"
        right = "" if flaw.step is None else f" the right step is {_true_step(puzzle, flaw.step)} ."
        return f"{wrote} it is not true : {fact} .{right}"
    if flaw.step is None:
        return f"{wrote} the problem does not ask for it ."
    if flaw.kind == "calc":
        return f"{wrote} the result is wrong . the right step is {_true_step(puzzle, flaw.step)} ."
    step = puzzle.steps[flaw.step]
    if flaw.kind == "logical_op":
        why = f"{step.person} {step.cause or step.verb} , so you must {_ORDERS[step.op]} ."
    else:
        why = "it takes a number that does not belong here ."
    return f"{wrote} {why} the right step is {_true_step(puzzle, flaw.step)} ."


def _quoted(statement: Statement) -> str:
    if statement.what == "fact":
        return f"{statement.unit} = {statement.result}"
    return (
        f"{statement.left} {statement.op} {statement.right} = {statement.result}"
        if statement.what == "step"
        else f"answer {statement.result}"
    )


def _true_step(puzzle: Puzzle, i: int) -> str:
    step = puzzle.steps[i]
    return f"{step.left.number} {step.op} {step.right.number} = {step.result}"


_ANSWER = re.compile(r"answer\s+is\s*:?\s*([^\n]{1,80}?)\s*(?:\.(?=\s|$)|\n|$)", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{([^{}]{1,80})\}")
_NUMBER = re.compile(r"-?\d[\d,]{0,20}(?:\.\d{1,20})?")


def answer_in(text: str) -> str | None:
    """The answer of any text: the first final sentence, else the last box, else the last number."""
    if match := _ANSWER.search(text):
        boxed = _BOXED.search(match[1])
        return boxed[1] if boxed else match[1]
    matches = _BOXED.findall(text) or _NUMBER.findall(text)
    return matches[-1] if matches else None


def same_answer(answer: str | None, gold: str) -> bool:
    """A rough equality: numbers by value, an option by its letter, anything else by its letters and digits."""
    if answer is None:
        return False
    answer, gold = answer.strip(" .$()[]").casefold(), gold.strip(" .$()[]").casefold()
    try:
        return float(answer.replace(",", "")) == float(gold.replace(",", ""))
    except ValueError:
        return answer == gold or (len(answer) == 1 and gold.startswith(f"{answer}. ")) or answer.startswith(f"{gold}. ")
