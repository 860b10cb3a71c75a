"""Trainings in which the student answers prompts itself: rows for TRL with their prompts, where an answer has room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from errata.errors import UsageError
from errata.exports.format import Format
from errata.exports.sequences import SourceRow
from errata.models.prompting import prompt_ids
from errata.records import Message
from errata.training.load_rows import LoadedRows, read
from errata.training.load_student import Student, open_student
from errata.training.method_arguments import Arguments
from errata.training.prepare import Prepared, where_of
from errata.training.trl_methods import as_dataset, refuse_terms

IDLE = {
    "chat_template_kwargs": "prompts are rendered as in the exam",
    "max_prompt_length": "no prompt is ever cut; see --too_long",
    "model_init_kwargs": "--dtype, --attn_implementation and --device_map say how the student is loaded",
}
"""TRL's settings that these trainings never read, and why."""


class PromptRow(NamedTuple):
    """A row for TRL, and every prompt that is made of it; the student's own stands first."""

    row: dict[str, Any]
    prompts: tuple[tuple[Message, ...], ...]


@dataclass(frozen=True)
class Prompted:
    """The student, and what it is asked: `prepared.rows` are TRL's, `ids` those of each row's first prompt."""

    prepared: Prepared
    ids: list[list[int]]


def prepare_prompts(arguments: Arguments, form: Format, to_row: Callable[[SourceRow], PromptRow]) -> Prompted:
    """Reads the data and opens the student; writes nothing.

    Args:
        to_row: makes a row for TRL of one that was read.

    Raises:
        UsageError: bad data, flags or student, or prompts that leave no room for an answer.
    """
    data, training = arguments.data, arguments.training
    refuse_terms(arguments)
    _refuse_idle(training)
    if data.eval_dataset_name:
        raise UsageError(
            "--eval_dataset_name", "these trainings hold no rows out", "see `errata eval`, or leave it out"
        )
    loaded = read(data.dataset_name or [], where_of(arguments, form, arguments.form, data.dataset_train_split))
    sources = [each.row if data.system is None else replace(each.row, system=data.system) for each in loaded.rows]
    rows = [to_row(source) for source in sources]
    texts = [message.content for row in rows for prompt in row.prompts for message in prompt]
    student = open_student(arguments.model, lambda: (texts, texts), training.seed, training.device_map)
    ids = [[prompt_ids(student.tokenizer, prompt) for prompt in row.prompts] for row in rows]
    longest = [max(map(len, each)) for each in ids]
    fits = _fits(longest, student, training.max_completion_length, data.too_long)  # type: ignore[attr-defined]
    fitting = [row.row for row, fit in zip(rows, fits, strict=True) if fit]
    first = [each[0] for each, fit in zip(ids, fits, strict=True) if fit]
    return Prompted(_prepared(loaded, student, fitting, fits.count(False)), first)


def _refuse_idle(training: Any) -> None:
    for name in (each.name for each in fields(training) if each.name in IDLE):
        if getattr(training, name) is not None:
            raise UsageError(f"the setting {name}", f"it would have no effect: {IDLE[name]}", "leave it out")


def _fits(longest: list[int], student: Student, completion: int, too_long: str) -> list[bool]:
    room = (student.context or 1 << 30) - completion
    fits = [each <= room for each in longest]
    if not all(fits) and (too_long == "refuse" or not any(fits)):
        raise UsageError(
            f"{fits.count(False)} of {len(fits)} prompts are longer than {room} tokens",
            f"the student's context is {student.context} tokens, of which an answer may take max_completion_length",
            "lower --max_completion_length, or leave them out by --too_long skip",
        )
    return fits


def _prepared(loaded: LoadedRows, student: Student, rows: list[dict[str, Any]], too_long: int) -> Prepared:
    return Prepared(
        student=student,
        rows=as_dataset(rows),
        eval_rows=None,
        terms=(),
        names=loaded.name,
        sources=[{"name": loaded.name, "rows": len(loaded.rows), "sha256": loaded.sha256}],
        sequences=len(rows),
        left_out=loaded.overlap.counts() | ({"too long": too_long} if too_long else {}),
        in_eval_sets=loaded.overlap.learned,
    )
