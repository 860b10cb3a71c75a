"""What a row of a data set gives a training: texts with their prompts, each labelled by what is done with it.

row --Format.sequences--> right | wrong | mistake | chosen | rejected: prompt, text, answer
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from errata.errors import UsageError
from errata.exports.thinking import apart
from errata.records import Message, Span, digest

Kind = Literal["right", "wrong", "mistake", "chosen", "rejected"]
"""right, wrong: a rationale by its grade. mistake: the explanation of a student's mistake. chosen, rejected: the sides
of a pair that are in the row for the pair alone; a pair may as well join a right and a wrong one."""
KINDS: tuple[Kind, ...] = get_args(Kind)
RIGHT_KINDS: tuple[Kind, ...] = ("right", "chosen")
WRONG_KINDS: tuple[Kind, ...] = ("wrong", "rejected")
WrongFrom = Literal["start", "first_wrong_step"]
"""Where what is learned of a wrong rationale begins."""


class LabeledSequence(NamedTuple):
    """A completion with its prompt, as text. `pair`: the sides of a pair share it, the right one stands first."""

    kind: Kind
    prompt: tuple[Message, ...]
    text: str
    answer: str | None = None
    """The gold answer, where it is known."""
    span: Span | None = None
    """The answer's characters in the text, where the row states them."""
    states_span: bool = False
    """The row states `span`; where it then is None, this answer is not to be compared with others."""
    pair: int | None = None
    reasoning: str | None = None
    """What is thought before the text, where the row has it in `<think>` tags; `text`, `span` and `wrong_from` are
    without it."""
    wrong_from: int | None = None
    """The character of the text from which a wrong rationale counts as wrong; None: from its start."""

    @property
    def parted(self) -> LabeledSequence:
        """The same with its thinking apart from its text."""
        reasoning, text, before = apart(self.text)
        if reasoning is None:
            return self
        span = self.span and (Span(self.span[0] - before, self.span[1] - before) if self.span[0] >= before else None)
        wrong_from = None if self.wrong_from is None else max(0, self.wrong_from - before)
        return self._replace(reasoning=reasoning, text=text, span=span, wrong_from=wrong_from)


@dataclass(frozen=True)
class SourceRow:
    """A row as it was read: `place` names it in messages, `system` is what its run told the student."""

    place: str
    data: Mapping[str, Any]
    system: str | None = None

    @property
    def prompt(self) -> tuple[Message, ...]:
        """What the student is asked: a text, behind the system text, or messages. Raises UsageError."""
        prompt = self.data.get("prompt")
        if isinstance(prompt, str) and prompt.strip():
            before = (Message(role="system", content=self.system),) if self.system else ()
            return (*before, Message(role="user", content=prompt))
        if isinstance(prompt, list) and prompt:
            return self.messages("prompt")
        columns = ", ".join(sorted(self.data))[:200]
        raise self.error("no text in `prompt`", f"a row has prompt and completion; it has {columns}")

    @property
    def answer(self) -> str | None:
        """The gold answer, of the row or of its meta."""
        meta = self.data.get("meta")
        answer = self.data.get("answer") or (meta.get("answer") if isinstance(meta, dict) else None)
        return str(answer) if answer else None

    @property
    def problem_id(self) -> str | None:
        """The problem's id, of the row's meta or of the row."""
        meta = self.data.get("meta")
        known = meta.get("problem_id") if isinstance(meta, dict) else self.data.get("problem_id")
        return str(known) if known else None

    @property
    def problem_key(self) -> str:
        """What rows of one problem share: its id, or where they name none a digest of what the student is asked."""
        return self.problem_id or digest(self.data.get("prompt") or self.data.get("messages"))

    def wrong_from(self, column: str) -> int | None:
        """The character of a wrong side's text from which it counts as wrong, of the row's meta. Raises UsageError."""
        meta = self.data.get("meta")
        place = meta.get("wrong_from") if isinstance(meta, dict) else None
        if place is None:
            return None
        if type(place) is not int or not 0 <= place < len(self.text(column)):
            raise self.error(f"meta.wrong_from: {place!r}", f"it is a character of `{column}`")
        return place

    def messages(self, column: str) -> tuple[Message, ...]:
        """The turns of a conversation. Raises UsageError."""
        try:
            return tuple(Message(role=turn["role"], content=turn["content"]) for turn in self.data[column])
        except (TypeError, KeyError, ValueError) as error:
            raise self.error(f"no messages in `{column}`", "each has a role and a content") from error

    def text(self, column: str) -> str:
        """A column's text, or that of its one message. Raises UsageError where it is empty."""
        return self.checked(self.data.get(column), column)

    def checked(self, value: Any, column: str) -> str:
        """A value of a column, as `text` reads it."""
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
            value = value[0].get("content")
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"no text in `{column}`", "there is nothing to learn from it")
        return value

    def error(self, found: str, why: str, do: str = "correct the row or leave it out") -> UsageError:
        """What is wrong with the row, with its place."""
        return UsageError(f"{self.place}: {found}", why, do)


def right_sequences(row: SourceRow) -> Iterator[LabeledSequence]:
    """Of prompt, completion: a right rationale."""
    yield LabeledSequence("right", row.prompt, row.text("completion"), row.answer)


def conversation(row: SourceRow) -> Iterator[LabeledSequence]:
    """Of messages: the assistant's last turn, after those before it."""
    *before, last = row.messages("messages")
    if last.role != "assistant" or not before:
        raise row.error("messages that end with no assistant's turn", "that turn is what is learned")
    yield LabeledSequence("right", tuple(before), last.content, row.answer)


def task_sequences(row: SourceRow) -> Iterator[LabeledSequence]:
    """Of task, prompt, completion: a rationale, or the explanation of a mistake."""
    if row.data.get("task") == "mistake":
        yield LabeledSequence("mistake", row.prompt, row.text("completion"))
    else:
        yield from right_sequences(row)


def graded_sequences(row: SourceRow) -> Iterator[LabeledSequence]:
    """Of prompt, completion, label: a rationale, right or wrong."""
    if row.data.get("label"):
        yield from right_sequences(row)
    else:
        text = row.text("completion")
        yield LabeledSequence("wrong", row.prompt, text, wrong_from=row.wrong_from("completion"))


def group_sequences(row: SourceRow) -> Iterator[LabeledSequence]:
    """Of prompt, completions and answer_spans, if there are any: right rationales of one problem."""
    texts = row.data.get("completions")
    if not isinstance(texts, list) or not texts:
        raise row.error("an empty group", "`completions` is a list of rationales")
    stated = row.data.get("answer_spans")
    spans: Iterable[Any] = stated or [None] * len(texts)
    prompt, answer = row.prompt, row.answer
    for text, span in zip(texts, spans, strict=True):
        checked, marked = row.checked(text, "completions"), None if span is None else Span(*span)
        yield LabeledSequence("right", prompt, checked, answer, marked, "answer_spans" in row.data)


def pair_sequences(row: SourceRow) -> Iterator[LabeledSequence]:
    """Of prompt, chosen, rejected: the two sides of a pair."""
    yield LabeledSequence("chosen", row.prompt, row.text("chosen"), row.answer, pair=0)
    text = row.text("rejected")
    yield LabeledSequence("rejected", row.prompt, text, pair=0, wrong_from=row.wrong_from("rejected"))
