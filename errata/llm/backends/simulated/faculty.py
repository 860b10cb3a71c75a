"""The simulated faculty: one function from a request to a reply.

It reads nothing but the request. The problem is found by parsing its question, the verb by the wording of the shipped
prompts (`asked.py`), the persona in the model string (`persona.py`, whose table lists the settings). Every draw is a
hash of (faculty seed, model string, messages, parameters, request seed): order, retries and transport do not matter.

A request that no shipped prompt made, or about a problem outside the classroom, gets a plain wrong solution; a
reviewer then judges by the final answer alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from errata.classroom.grammar import Puzzle, parse
from errata.llm.backends.simulated.feedback import answer_in, classify, explain, score
from errata.llm.backends.simulated.persona import Persona, persona
from errata.llm.backends.simulated.recognize import Asked, asked
from errata.llm.backends.simulated.rewrite import Luck, blunder, corrupt, rectify, revise, solve
from errata.llm.request import Reply
from errata.records import digest

IGNORED = frozenset(
    ("model", "messages", "seed", "stream", "stream_options", "n", "user", "max_tokens", "max_completion_tokens")
)
"""Fields of a request that are no parameters of the draw; the two limits count as one."""


def reply(model: str, messages: Sequence[tuple[str, str]], parameters: Mapping[str, Any], seed: int | None) -> Reply:
    """What the persona `model` (with or without `simulated/`) answers.

    Args:
        messages: (role, content) pairs.
        parameters: the request's other fields; those named in IGNORED do not enter the draws.
        seed: the request's seed.

    Raises ProviderFailure (fatal) on a model string it cannot read.
    """
    model = model.removeprefix("simulated/")
    who = persona(model)
    limit = parameters.get("max_tokens") or parameters.get("max_completion_tokens")
    sent = {key: _plain(value) for key, value in parameters.items() if key not in IGNORED and value is not None}
    luck = Luck(digest("faculty", who.seed, model, messages, sent, _plain(limit), seed, length=32))
    text = next((content for role, content in reversed(messages) if role == "user"), "")
    spoken = _garbled(luck) if luck.chance("garble", who.garble) else _spoken(who, luck, asked(text))
    spoken, finish, words = _cut(spoken, limit)
    prompt_words = sum(len(content.split()) for _, content in messages)
    return Reply(spoken, finish, served=model, prompt_tokens=prompt_words, completion_tokens=words)


def _plain(value: Any) -> Any:
    """1 and 1.0 are one value, whichever of them a transport makes of it."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _spoken(who: Persona, luck: Luck, request: Asked) -> str:
    parts = request.parts
    puzzle = parse(parts.get("question", ""))
    text = parts.get("rationale", "")
    gold = parts.get("answer")
    if request.verb == "reviewer/score":
        return score(who, luck, puzzle, text, gold)
    if puzzle is None:
        return _elsewhere(luck, request)
    match request.verb:
        case "teacher/solve":
            return solve(who, luck, puzzle, who.slips)
        case "student/solve":
            return solve(who, luck, puzzle, 1 - who.skill)
        case "teacher/explain":
            return explain(who, puzzle, text, gold or str(puzzle.answer))
        case "teacher/classify":
            return classify(who, puzzle, text)
        case "teacher/rectify":
            return rectify(who, luck, puzzle, text, _number(gold, puzzle))
        case "teacher/corrupt":
            return corrupt(who, luck, puzzle, text)
        case "teacher/revise":
            return revise(who, luck, puzzle, text, parts.get("critique", ""))
    return blunder(who, luck, puzzle)


def _number(gold: str | None, puzzle: Puzzle) -> int:
    """The hint as a number a chain can be bent to."""
    return int(gold) if gold and re.fullmatch(r"\d{1,4}", gold.strip(), re.ASCII) else puzzle.answer


# ---- outside the classroom -------------------------------------------------------------------------------------------


def _elsewhere(luck: Luck, request: Asked) -> str:
    """What the faculty says about a problem it does not know."""
    text, gold = request.parts.get("rationale", ""), request.parts.get("answer")
    match request.verb:
        case "teacher/explain":
            return f"the final answer is not {gold} . read the problem again and check every step ."
        case "teacher/classify":
            return "the final answer is wrong .\nKinds: [other]"
        case "teacher/rectify":
            return _ended(text, _closing(request.form, gold or ""))
        case "teacher/corrupt":
            return _ended(text, _closing(request.form, _guess(luck, request, unlike=answer_in(text))))
        case "teacher/revise":
            return text or _closing(request.form, _guess(luck, request))
    numbers = re.findall(r"\d{1,6}", request.parts.get("question", ""), re.ASCII)[:2]
    guess = _guess(luck, request)
    if len(numbers) < 2:
        return _closing(request.form, guess)
    total = str(int(numbers[0]) + int(numbers[1]))
    step = f"{numbers[0]} + {numbers[1]} = {total} ."
    free = not request.parts.get("options") and "(or:" not in request.form
    return f"{step} {_closing(request.form, total if free else guess)}"


def _guess(luck: Luck, request: Asked, unlike: str | None = None) -> str:
    """An answer of the kind asked for, other than `unlike`."""
    letters = re.findall(r"^([A-Z])[.):] ", request.parts.get("options", ""), re.MULTILINE)
    either = re.findall(r"answer is (\w+)", request.form) if "(or:" in request.form else []
    choices: list[str] = letters or either or [str(n) for n in range(2, 61)]
    others = [choice for choice in choices if choice.casefold() != (unlike or "").strip(" .()").casefold()]
    return luck.rng("guess").pick(others or choices)


def _closing(form: str, answer: str) -> str:
    return f"The answer is \\boxed{{{answer}}}." if "\\boxed" in form else f"The answer is {answer}."


def _ended(text: str, closing: str) -> str:
    """The text with its last sentence replaced by the closing one."""
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())
    return " ".join([*sentences[:-1], closing])


# ---- the reply as a provider sends it --------------------------------------------------------------------------------

_GARBLES = (
    "",
    "I'm sorry, but I can't help with that.",
    "<think> let me see . 3 + 4 = 7 . hmm </think>",
    "[4/5]",
    "at first sight [2] , but on reflection [5]",
    "a fine piece of work , clearly written .",
)


def _garbled(luck: Luck) -> str:
    return luck.rng("garbled").pick(_GARBLES)


def _cut(text: str, limit: Any) -> tuple[str, str, int]:
    """The text within `limit` words, the finish reason and the words; a word counts as a token."""
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    if type(limit) is not int or not 0 < limit < len(ends):
        return text, "stop", len(ends)
    return text[: ends[limit - 1]], "length", limit
