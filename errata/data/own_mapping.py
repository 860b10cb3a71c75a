"""A mapping written in a recipe: which fields of a record make a problem, as `Fields`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from errata.data.fields import (
    BadField,
    Fields,
    Record,
    at,
    boxed,
    joined_at,
    letter,
    options_at,
    plain_number,
    preview,
    text_at,
    truth,
)
from errata.data.golds import fits, kind_of
from errata.data.source import Mapping
from errata.records import AnswerKind


def own(mapping: Mapping, record: Record, *, may_lack_answer: bool = False) -> Fields:
    """A mapping written in the recipe. A worked solution as the answer is read by its #### or its last box.

    A mapping that names no answer reads none; where records `may_lack_answer`, one that is missing or blank is None.
    """
    if mapping.answer is not None and may_lack_answer and _is_blank(record, mapping.answer):
        mapping = mapping.model_copy(update={"answer": None, "answers": None})
    labels, choices = options_at(record, mapping.choices) if mapping.choices else ([], [])
    question = joined_at(record, mapping.question).removeprefix(mapping.prefix.strip()).strip()
    if not question:
        raise BadField(mapping.question, "it is empty but for the prefix", "a problem needs it")
    return Fields(
        question=question,
        answer=_own_answer(mapping, record, labels, choices),
        answers=_own_answers(mapping, record, labels, choices),
        kind=mapping.kind,
        id=_own_id(mapping, record),
        choices=tuple(choices),
        rationale=joined_at(record, mapping.rationale) if mapping.rationale else None,
        split=text_at(record, mapping.split) if mapping.split else None,
        meta={path: at(record, path) for path in mapping.meta},
    )


def _is_blank(record: Record, path: str) -> bool:
    try:
        value = at(record, path)
    except BadField:
        return "{" not in path
    return value is None or (isinstance(value, str) and not value.strip())


def _own_answer(mapping: Mapping, record: Record, labels: Sequence[str], choices: Sequence[str]) -> str | None:
    path = mapping.answer
    if path is None:
        return None
    value = joined_at(record, path) if "{" in path else at(record, path)
    return _gold(mapping, value, path, labels, choices)


def _own_answers(mapping: Mapping, record: Record, labels: Sequence[str], choices: Sequence[str]) -> tuple[str, ...]:
    if mapping.answers is None:
        return ()
    values = at(record, mapping.answers)
    if not isinstance(values, list | tuple):
        raise BadField(mapping.answers, f"it is {preview(values)}", "a list of further gold answers is expected")
    golds = [_gold(mapping, value, mapping.answers, labels, choices) for value in values]
    first = _own_answer(mapping, record, labels, choices)
    return tuple(dict.fromkeys(gold for gold in golds if gold != first))


def _gold(mapping: Mapping, value: Any, path: str, labels: Sequence[str], choices: Sequence[str]) -> str:
    """A gold answer in the form of the mapping's kind. BadField where this kind cannot hold it."""
    if value is None or (isinstance(value, str) and not value.strip()):
        do = "mend or remove the record, or set problems.gold: some"
        raise BadField(path, "it is empty", "without a gold answer nothing can be graded", do)
    match mapping.kind:
        case "number":
            return plain_number(value.rpartition("####")[2] if isinstance(value, str) else value, path)
        case "boolean":
            return truth(value, path)
        case "choice" if choices:
            return letter(value, labels, choices, path)
        case "choice":
            if not re.fullmatch(r"\(?[A-Za-z][).]?", str(value).strip()):
                raise BadField(path, f"it is {preview(value)}", "a letter is expected", "name the options as choices?")
            return str(value).strip("(). ").upper()
        case "latex" if isinstance(value, str) and re.search(r"\\f?box", value):
            return boxed(value, path)
        case "list" | "set" | "ratio" | "interval":
            return _parts(mapping.kind, value, path, labels, choices)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadField(path, f"it is {preview(value)}", "a text or a number is expected")
    return plain_number(value, path) if isinstance(value, float) else str(value).strip()


def _parts(kind: AnswerKind, value: Any, path: str, labels: Sequence[str], choices: Sequence[str]) -> str:
    """A gold of several parts, from a text or a list of them; with options, the letters of those it names."""
    items = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(item, bool) or not isinstance(item, str | int | float) for item in items) or not items:
        raise BadField(path, f"it is {preview(value)}", f"a {kind} of texts or numbers is expected")
    if choices and kind in ("list", "set"):
        names = [
            part
            for item in items
            for part in (re.split(r"[,;\s]+", item) if isinstance(item, str) and item not in choices else [item])
            if part != ""
        ]
        return "; ".join(letter(name, labels, choices, path) for name in names)
    text = (":" if kind == "ratio" else "; ").join(str(item).strip() for item in items)
    if not fits(kind, text):
        raise BadField(
            path,
            f"it is {preview(value)}",
            f"a gold of kind {kind} is expected",
            f"set the mapping's kind to {kind_of(text)}?",
        )
    return text


def _own_id(mapping: Mapping, record: Record) -> str | None:
    if mapping.id is None:
        return None
    value = at(record, mapping.id)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise BadField(mapping.id, f"it is {preview(value)}", "an id is a text or a whole number")
    return str(value).strip()
