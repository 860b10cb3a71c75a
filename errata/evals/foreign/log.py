"""A log of another evaluation tool in one form: its answers with every score it gives them, then items by one score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from errata.errors import UsageError
from errata.evals.results import Item, Sample

LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""inspect_ai's grades: correct, incorrect, partly correct, no answer."""
MOST_NAMES = 8
"""Names listed at once."""


class Score(NamedTuple):
    """One grade of an answer: its value as the file has it, and the answer that was read from the text."""

    value: Any
    answer: str | None = None


@dataclass(frozen=True)
class Answer:
    """One answer of a model to one item. `attempt` tells repeated answers apart: inspect_ai's epochs."""

    id: str
    scores: Mapping[str, Score]
    question: str | None = None
    gold: str | None = None
    text: str = ""
    tokens: int = 0
    truncated: bool = False
    attempt: int = 0
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """What a file says of itself. `settings` is what tells two ways of asking one model apart, without seeds."""

    path: Path
    tool: str
    version: str
    model: str
    task: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    finished: bool = True


@dataclass(frozen=True)
class Log:
    """One file, read by one of its scores."""

    source: Source
    metric: str
    others: tuple[str, ...]
    """Scores that the file has beside that one."""
    items: tuple[Item, ...]
    unscored: tuple[str, ...]
    """Ids of items that have an answer without a grade, and are left out."""


def share(value: Any) -> float | None:
    """A grade as a share between 0 and 1: a truth value, inspect_ai's letters, or a number. None for anything else."""
    if isinstance(value, str):
        return LETTERS.get(value)
    if isinstance(value, int | float) and 0 <= value <= 1:
        return float(value)
    return None


def to_log(source: Source, answers: Iterable[Answer], wanted: Sequence[str] = ()) -> Log:
    """The answers as items by the first score of `wanted` that is there, else the only one; without `wanted` the first.

    UsageError where no score is a share, none of several is wanted, or an answer is there twice.
    """
    by_id: dict[str, dict[int, Answer]] = {}
    for each in answers:
        attempts = by_id.setdefault(each.id, {})
        if each.attempt in attempts:
            raise UsageError(
                f"{source.path}: two answers to {each.id}",
                "an id stands for one item of a task",
                "remove one of the two",
            )
        attempts[each.attempt] = each
    everything = [each for attempts in by_id.values() for each in attempts.values()]
    metric, others = _chosen(source, everything, wanted)
    unscored = tuple(
        id_ for id_, attempts in by_id.items() if any(_value(each, metric) is None for each in attempts.values())
    )
    items = [
        _item(source.task, list(attempts.values()), metric) for id_, attempts in by_id.items() if id_ not in {*unscored}
    ]
    return Log(source, metric, others, tuple(items), unscored)


def _value(answer: Answer, metric: str) -> float | None:
    score = answer.scores.get(metric)
    return None if score is None else share(score.value)


def _chosen(source: Source, answers: Sequence[Answer], wanted: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    names = list(dict.fromkeys(name for each in answers for name in each.scores))
    usable = [name for name in names if _is_share(answers, name)]
    if not usable:
        fault = f"its scores are {', '.join(names[:MOST_NAMES])}" if names else "no answer is scored"
        raise UsageError(
            f"{source.path}: {fault}" if answers else f"{source.path} holds no answer",
            "an item needs a score that is true, false or a share between 0 and 1",
            "score the log, or write JSON lines with `id` and `correct` of it",
        )
    for name in wanted:
        for known in usable:
            if name == known or name in known.split(","):
                return known, tuple(each for each in usable if each != known)
    if wanted and len(usable) > 1:
        raise UsageError(
            f"{source.path} has no score {' or '.join(wanted)}",
            "it is read by one of its scores",
            f"name one of {', '.join(usable[:MOST_NAMES])}",
        )
    return usable[0], tuple(usable[1:])


def _is_share(answers: Sequence[Answer], name: str) -> bool:
    values = [score.value for each in answers if (score := each.scores.get(name)) and score.value is not None]
    return bool(values) and all(share(value) is not None for value in values)


def _item(task: str, attempts: Sequence[Answer], metric: str) -> Item:
    first, values = attempts[0], [_value(each, metric) or 0.0 for each in attempts]
    answers = set(values) <= {0.0, 1.0}
    known = {"question": first.question, "gold": first.gold}
    return Item(
        id=first.id,
        task=task,
        correct=bool(values[0]) if answers and len(values) == 1 else sum(values) / len(values),
        answer=first.scores[metric].answer if len(attempts) == 1 else None,
        samples=tuple(
            Sample(
                text=each.text,
                answer=each.scores[metric].answer,
                correct=bool(value),
                tokens=each.tokens,
                truncated=each.truncated,
            )
            for each, value in zip(attempts, values, strict=True)
        )
        if answers
        else (),
        tokens=sum(each.tokens for each in attempts),
        truncated=sum(each.truncated for each in attempts),
        meta={**first.meta, **{name: text for name, text in known.items() if text is not None}},
    )


def text_of(value: Any) -> str | None:
    """A text, number or list of them as text; None for anything else, and for what is empty."""
    if isinstance(value, list):
        parts = [text for each in value if (text := text_of(each)) is not None]
        return ", ".join(parts) or None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value) or None


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}
