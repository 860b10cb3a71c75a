"""The simulated faculty: one function from a request to a reply.

It reads nothing but the request. The problem is found by parsing its question, the verb by the prompt's name or wording
(`recognize.py`), the persona in the model string (`persona.py`, whose table lists the settings). Every draw is a hash
of (faculty seed, model string, messages, parameters, request seed): order, retries and transport do not matter.

A prompt that it does not know is answered so that no idea is punished: the rationale that it shows is retold in the
persona's own voice, right or wrong as it was, or else the problem solved; the reply says that the prompt is unknown.
Over HTTP, where only the wording is there, such a request gets a plain wrong solution. About a problem outside the
classroom a solution is a guess, and a reviewer judges by the final answer alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from errata.classroom.grammar import Puzzle, parse
from errata.classroom.hashed_random import HashedDraws
from errata.llm.backends.simulated.feedback import answer_in, as_object, classify, explain, score
from errata.llm.backends.simulated.locating import first_wrong_step, go_on
from errata.llm.backends.simulated.persona import Persona, persona
from errata.llm.backends.simulated.recognize import VERBS, NamedPrompt, Task, task_of
from errata.llm.backends.simulated.rewrite import blunder, corrupt, rectify, retell, revise, solve
from errata.llm.backends.simulated.shortening import shorten
from errata.llm.request import Reply
from errata.llm.structured import IN_WORDS
from errata.records import digest

IGNORED = frozenset((
    *("model", "messages", "seed", "stream", "stream_options", "n", "user", "max_tokens", "max_completion_tokens"),
    "response_format",
))  # fmt: skip
"""Fields of a request that are no parameters of the draw: a limit cuts a reply off, and changes nothing before."""


def reply(
    model: str,
    messages: Sequence[tuple[str, str]],
    parameters: Mapping[str, Any],
    seed: int | None,
    prompt: NamedPrompt | None = None,
) -> Reply:
    """The reply of the persona `model` (with or without `simulated/`).

    Args:
        messages: (role, content) pairs.
        parameters: the request's other fields; those named in IGNORED do not enter the draws.
        seed: the request's seed.
        prompt: what the last user message was made from, where the request comes from this process.

    Raises ProviderFailure (fatal) on a model string it cannot read.
    """
    model = model.removeprefix("simulated/")
    speaker = persona(model)
    schema = _schema(parameters)
    if schema is not None:  # the form of a reply changes nothing of what it says
        messages = [(role, content.partition(IN_WORDS)[0]) for role, content in messages]
    limit = parameters.get("max_tokens") or parameters.get("max_completion_tokens")
    drawn_by = {key: _plain(value) for key, value in parameters.items() if key not in IGNORED and value is not None}
    draws = HashedDraws(digest("faculty", speaker.seed, model, messages, drawn_by, None, seed, length=32))
    text = next((content for role, content in reversed(messages) if role == "user"), "")
    task = task_of(text, prompt)
    if schema is not None:
        answer = as_object(_answer(speaker, draws, task), schema)
    else:
        answer = _garbled(draws) if draws.chance("garble", speaker.garble) else _answer(speaker, draws, task)
    answer, finish, words = _cut(answer, limit)
    prompt_words = sum(len(content.split()) for _, content in messages)
    return Reply(
        answer,
        finish,
        served=model,
        prompt_tokens=prompt_words,
        completion_tokens=words,
        unknown_prompt=task.verb not in VERBS,
    )


def _schema(parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON schema that the request asks for, as OpenAI's API writes it."""
    form = parameters.get("response_format")
    inner = form.get("json_schema") if isinstance(form, dict) and form.get("type") == "json_schema" else None
    schema = inner.get("schema") if isinstance(inner, dict) else None
    return schema if isinstance(schema, dict) else None


def _plain(value: Any) -> Any:
    """1 and 1.0 are one value, whichever of them a transport makes of it."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _answer(speaker: Persona, draws: HashedDraws, task: Task) -> str:
    parts = task.parts
    puzzle = parse(parts.get("question", ""))
    text = parts.get("rationale", "")
    gold = parts["answer"].partition("\n")[0] if "answer" in parts else None  # a solution may follow
    if task.verb == "reviewer/score":
        return score(speaker, draws, puzzle, text, gold)
    if task.verb == "reviewer/first_wrong_step":
        return first_wrong_step(speaker, draws, puzzle, text)
    if puzzle is None:
        return _elsewhere(draws, task)
    match task.verb:
        case "teacher/solve":
            return solve(speaker, draws, puzzle, speaker.slips)
        case "student/solve":
            return solve(speaker, draws, puzzle, 1 - speaker.skill)
        case "teacher/explain":
            return explain(speaker, puzzle, text, gold or str(puzzle.answer))
        case "teacher/classify":
            return classify(speaker, puzzle, text)
        case "teacher/rectify":
            return rectify(speaker, draws, puzzle, text, _number(gold, puzzle))
        case "teacher/corrupt":
            return corrupt(speaker, draws, puzzle, text)
        case "teacher/revise":
            return revise(speaker, draws, puzzle, text, parts.get("critique", ""))
        case "teacher/continue":
            return go_on(speaker, draws, puzzle, text)
        case "teacher/shorten_thinking":
            return shorten(puzzle, parts.get("reasoning", ""))
    if not task.named:
        return blunder(speaker, draws, puzzle)
    return retell(speaker, puzzle, text) if text else solve(speaker, draws, puzzle, speaker.slips)


def _number(gold: str | None, puzzle: Puzzle) -> int:
    """The hint as a number a chain can be bent to."""
    return int(gold) if gold and re.fullmatch(r"\d{1,4}", gold.strip(), re.ASCII) else puzzle.answer


# ---- outside the classroom -------------------------------------------------------------------------------------------


def _elsewhere(draws: HashedDraws, task: Task) -> str:
    """The reply about a problem that the faculty does not know."""
    text, gold = task.parts.get("rationale", ""), task.parts.get("answer")
    match task.verb:
        case "teacher/explain":
            return f"the final answer is not {gold} . read the problem again and check every step ."
        case "teacher/classify":
            return "the final answer is wrong .\nKinds: [other]"
        case "teacher/rectify":
            return _ended(text, _closing(task.form, gold or ""))
        case "teacher/corrupt":
            return _ended(text, _closing(task.form, _guess(draws, task, unlike=answer_in(text))))
        case "teacher/shorten_thinking":
            return task.parts.get("reasoning", "")
        case "" if text:
            return text
        case "teacher/revise":
            return text or _closing(task.form, _guess(draws, task))
    numbers = re.findall(r"\d{1,6}", task.parts.get("question", ""), re.ASCII)[:2]
    guess = _guess(draws, task)
    if len(numbers) < 2:
        return _closing(task.form, guess)
    total = str(int(numbers[0]) + int(numbers[1]))
    step = f"{numbers[0]} + {numbers[1]} = {total} ."
    free = not task.parts.get("options") and "(or:" not in task.form
    return f"{step} {_closing(task.form, total if free else guess)}"


def _guess(draws: HashedDraws, task: Task, unlike: str | None = None) -> str:
    """An answer of the kind asked for, other than `unlike`."""
    letters = re.findall(r"^([A-Z])[.):] ", task.parts.get("options", ""), re.MULTILINE)
    either = re.findall(r"answer is (\w+)", task.form) if "(or:" in task.form else []
    choices: list[str] = letters or either or [str(n) for n in range(2, 61)]
    others = [choice for choice in choices if choice.casefold() != (unlike or "").strip(" .()").casefold()]
    return draws.rng("guess").pick(others or choices)


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


def _garbled(draws: HashedDraws) -> str:
    return draws.rng("garbled").pick(_GARBLES)


def _cut(text: str, limit: Any) -> tuple[str, str, int]:
    """The text within `limit` words, the finish reason and the words; a word counts as a token."""
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    if type(limit) is not int or not 0 < limit < len(ends):
        return text, "stop", len(ends)
    return text[: ends[limit - 1]], "length", limit
