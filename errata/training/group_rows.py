"""Rows, and the groups of token ids that they become.

    rows --> sequences, gathered by problem where terms are combined --> groups.Row

A row is known by its keys: `completions` (mcc-kd), `chosen` and `rejected` (edit, dpo), `label` (nat, kto), `task`
(mapd), else `completion` or `messages` (sft).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from errata.errors import UsageError
from errata.models.prompting import prompt_ids
from errata.records import Message, Span, canonical, digest, draw
from errata.training.align import AlignMode
from errata.training.encode import Encoder, Kind, Member, Row, RowPair, Written, make_row
from errata.training.load_rows import Record
from errata.training.objective import Objective


class Sequence_(NamedTuple):
    """A completion with its prompt, as text. `pair`: the sides of a pair share it, the right one stands first."""

    kind: Kind
    prompt: tuple[Message, ...]
    text: str
    answer: str | None = None
    span: Span | None = None
    """The answer's characters in the text, where a term compares answers."""
    pair: int | None = None


@dataclass
class Groups:
    """Gathers sequences by problem and turns each problem into one row of token ids."""

    system: str | None = None
    sentence: str | None = None
    """Closes a rationale whose answer is known (`Lesson.answer_sentence`)."""
    by_problem: bool = False
    """One group a problem; else one a record."""
    _groups: dict[str, list[Sequence_]] = field(default_factory=dict)
    _places: dict[str, str] = field(default_factory=dict)

    def add(self, records: Iterable[Record], marked: bool = False) -> None:
        """Args: marked: the answers of these rows are compared by a term, so they must be found."""
        for record in records:
            key = self._key(record)
            group = self._groups.setdefault(key, [])
            self._places.setdefault(key, record.place)
            pairs = sum(one.pair is not None for one in group) // 2
            found = list(_sequences(record, self.system if self.system is not None else record.system))
            spans = record.data.get("answer_spans") or [None] * len(found)
            for one, span in zip(found, spans, strict=True):
                numbered = one._replace(pair=None if one.pair is None else pairs + one.pair)
                group.append(self._closed(numbered, span, record, marked))

    def _closed(self, one: Sequence_, span: Any, record: Record, marked: bool) -> Sequence_:
        """With its closing sentence, where it gets one, and its answer marked, where it is compared."""
        if one.answer is None or one.kind not in ("right", "chosen"):
            return one
        if self.sentence is not None:
            text = f"{one.text.rstrip()}\n{self.sentence.format(answer=one.answer)}"
            one = one._replace(text=text)
            return one._replace(span=_answer_span(one, record.place)) if marked else one
        if not marked:
            return one
        if "answer_spans" in record.data:
            return one if span is None else one._replace(span=Span(*span))
        return one._replace(span=_answer_span(one, record.place))

    def _key(self, record: Record) -> str:
        if not self.by_problem:
            return f"{len(self._groups)}"
        meta = record.data.get("meta")
        known = meta.get("problem_id") if isinstance(meta, dict) else record.data.get("problem_id")
        return str(known) if known else digest(record.data.get("prompt") or record.data.get("messages"))

    def texts(self) -> tuple[list[str], list[str]]:
        """All prompts' and all completions' texts, each prompt once."""
        everything = [one for group in self._groups.values() for one in group]
        prompts = dict.fromkeys(message.content for one in everything for message in one.prompt)
        return list(prompts), [one.text for one in everything]

    def rows(self, tokenizer: Any, align: AlignMode = "edit", seed: int = 0) -> Iterator[Row]:
        """One row a group, in the order in which the groups began. Raises UsageError naming the row's place."""
        encoder = Encoder(tokenizer)
        for key, group in self._groups.items():
            written, pairs = _written(group, tokenizer)
            yield make_row(f"{key} ({self._places[key]})", written, pairs, encoder, align, seed)


def _written(group: Sequence[Sequence_], tokenizer: Any) -> tuple[list[Written], list[tuple[int, int]]]:
    """Equal texts of one prompt are one member: a pair may join what other terms read."""
    known: dict[tuple[tuple[Message, ...], str, bool], int] = {}
    written: list[Written] = []
    sides: dict[int, list[int]] = {}
    for one in sorted(group, key=lambda one: one.kind in ("chosen", "rejected")):
        down = one.kind in ("wrong", "rejected")
        at = (one.prompt, one.text, down)
        if at not in known:
            known[at] = len(written)
            written.append(Written(one.kind, prompt_ids(tokenizer, one.prompt), one.text, one.span))
        elif one.span is not None and written[known[at]].answer is None:
            old = written[known[at]]
            written[known[at]] = Written(old.kind, old.prompt_ids, old.text, one.span)
        if one.pair is not None:
            sides.setdefault(one.pair, []).append(known[at])
    return written, [(right, wrong) for right, wrong in sides.values()]


def _bad(place: str, found: str, why: str, do: str = "mend the row or leave it out") -> UsageError:
    return UsageError(f"{place}: {found}", why, do)


def _sequences(record: Record, system: str | None) -> Iterator[Sequence_]:
    place, data, _ = record
    if "messages" in data:
        *asked, last = _messages(data["messages"], place, "messages")
        if last.role != "assistant" or not asked:
            raise _bad(place, "messages that end with no assistant's turn", "that turn is what is learned")
        yield Sequence_("right", tuple(asked), last.content, _known_answer(data))
        return
    prompt = _prompt_of(data, place, system)
    answer = _known_answer(data)
    if "completions" in data:
        texts = data["completions"]
        if not isinstance(texts, list) or not texts:
            raise _bad(place, "an empty group", "`completions` is a list of rationales")
        for text in texts:
            yield Sequence_("right", prompt, _text(text, place, "completions"), answer)
    elif "chosen" in data:
        yield Sequence_("chosen", prompt, _text(data["chosen"], place, "chosen"), answer, pair=0)
        yield Sequence_("rejected", prompt, _text(data.get("rejected"), place, "rejected"), pair=0)
    else:
        text = _text(data.get("completion"), place, "completion")
        if data.get("task") == "mistake":
            yield Sequence_("mistake", prompt, text)
        elif "label" in data and not data["label"]:
            yield Sequence_("wrong", prompt, text)
        else:
            yield Sequence_("right", prompt, text, answer)


def _prompt_of(data: dict[str, Any], place: str, system: str | None) -> tuple[Message, ...]:
    prompt = data.get("prompt")
    if isinstance(prompt, str) and prompt.strip():
        before = (Message(role="system", content=system),) if system else ()
        return (*before, Message(role="user", content=prompt))
    if isinstance(prompt, list) and prompt:
        return tuple(_messages(prompt, place, "prompt"))
    raise _bad(place, "no text in `prompt`", f"a row has prompt and completion; it has {', '.join(sorted(data))[:200]}")


def _messages(value: Any, place: str, name: str) -> list[Message]:
    try:
        return [Message(role=turn["role"], content=turn["content"]) for turn in value]
    except (TypeError, KeyError, ValueError) as error:
        raise _bad(place, f"no messages in `{name}`", "each has a role and a content") from error


def _text(value: Any, place: str, name: str) -> str:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0].get("content")
    if not isinstance(value, str) or not value.strip():
        raise _bad(place, f"no text in `{name}`", "there is nothing to learn from it")
    return value


def _known_answer(data: dict[str, Any]) -> str | None:
    meta = data.get("meta")
    answer = data.get("answer") or (meta.get("answer") if isinstance(meta, dict) else None)
    return str(answer) if answer else None


def _answer_span(one: Sequence_, place: str) -> Span:
    """Where the answer stands last in the text, not as a part of a longer number or word."""
    answer, text = one.answer or "", one.text
    start = text.rfind(answer)
    while start >= 0:
        end = start + len(answer)
        before, after = text[start - 1 : start], text[end : end + 2]
        inside = (before.isalnum() and answer[:1].isalnum()) or (
            answer[-1:].isalnum() and (after[:1].isalnum() or (after[:1] in (".", ",") and after[1:].isdigit()))
        )
        if not inside and not (answer[:1].isdigit() and before in (".", ",")):
            return Span(start, end)
        start = text.rfind(answer, 0, end - 1)
    raise _bad(
        place,
        f"a rationale without its answer {answer!r}: ...{text[-60:]!r}",
        "the consistency term compares the tokens of the answers",
        "set --answer_sentence 'The answer is {answer}.', which closes every rationale alike, or leave it out",
    )


# ---- what is left out or repeated ------------------------------------------------------------------------------------


def fitting(row: Row, max_length: int) -> Row | None:
    """The row without the members, and their pairs, that are longer; None if nothing is left."""
    kept = [place for place, member in enumerate(row["members"]) if len(member["input_ids"]) <= max_length]
    new = {old: place for place, old in enumerate(kept)}
    members: list[Member] = [row["members"][place] for place in kept]
    pairs = [
        RowPair(**{**pair, "right": new[pair["right"]], "wrong": new[pair["wrong"]]})
        for pair in row["pairs"]
        if pair["right"] in new and pair["wrong"] in new
    ]
    return Row(id=row["id"], tokenizer=row["tokenizer"], members=members, pairs=pairs) if members else None


def answers_only(records: Iterable[Record], sentence: str | None) -> list[Record]:
    """One record a prompt whose completion is the final sentence alone: the control that shows what rationales buy."""
    seen: dict[bytes, Record] = {}
    for record in records:
        answer = _known_answer(record.data)
        if answer is None:
            raise _bad(record.place, "no `answer`, in the row or its meta", "answer_only learns it", "export the run")
        data = {**record.data, "completion": (sentence or "The answer is {answer}.").format(answer=answer)}
        seen.setdefault(canonical(data["prompt"]), record._replace(data=data))
    return list(seen.values())


def right_sides(records: Iterable[Record]) -> list[Record]:
    """What plain distillation reads of a file made for another method."""
    kept: list[Record] = []
    for record in records:
        data = record.data
        if "chosen" in data:
            kept.append(record._replace(data={"prompt": data["prompt"], "completion": data["chosen"]}))
        elif data.get("task") != "mistake" and data.get("label", True):
            kept.append(record)
    return kept


def target_tokens(rows: Iterable[Row], objective: Objective, seed: int) -> int:
    """Completion tokens that the objective reads in its first epoch."""
    from errata.training.collate import IGNORED, Collator

    collator = Collator(0, objective.reading(seed))
    return sum(int(collator([row])["labels"].ne(IGNORED).sum()) for row in rows)


def repeat_to(rows: Sequence[Row], tokens: int, seed: int) -> list[Row]:
    """Rows, in hashed order and over again, until their completions come nearest to `tokens`."""
    sizes = [sum(len(m["input_ids"]) - m["prompt"] for m in row["members"]) for row in rows]
    taken: list[Row] = []
    total = turn = 0
    while rows:
        for place in sorted(range(len(rows)), key=lambda place: draw(seed, "repeat", turn, rows[place]["id"])):
            if total + sizes[place] / 2 > tokens and taken:
                return taken
            taken.append({**rows[place], "id": f"{rows[place]['id']} #{turn}"})
            total += sizes[place]
        turn += 1
    return taken
