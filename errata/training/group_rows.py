"""Labelled sequences, and the groups of token ids that they become.

rows --> sequences, gathered by problem where terms are combined --> encode.Group
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from transformers import PreTrainedTokenizerBase

from errata.errors import UsageError
from errata.exports.sequences import RIGHT_KINDS, WRONG_KINDS, LabeledSequence, SourceRow
from errata.models.prompting import prompt_ids
from errata.records import Message, Span, draw
from errata.training.align import AlignMode
from errata.training.arguments import AnswerAt
from errata.training.collate import IGNORED, Collator
from errata.training.encode import Encoder, Group, GroupPair, Member, Written, make_group, target_start
from errata.training.load_rows import LoadedRow
from errata.training.objective import Objective

Change = Callable[[SourceRow, list[LabeledSequence]], list[LabeledSequence]]
"""What a control makes of a row's sequences; none: the row is left out."""


@dataclass
class Groups:
    """Gathers sequences by problem and turns each problem into one group of token ids."""

    system: str | None = None
    sentence: str | None = None
    """Closes a rationale whose answer is known (`DataArguments.answer_sentence`)."""
    by_problem: bool = False
    """One group per problem; else one per row."""
    answer_at: AnswerAt = "stated"
    """Which place of an answer is marked."""
    _groups: dict[str, list[LabeledSequence]] = field(default_factory=dict)
    _places: dict[str, str] = field(default_factory=dict)

    def add(self, rows: Iterable[LoadedRow], marked: bool = False, change: Change | None = None) -> None:
        """Adds the sequences of rows.

        Args:
            marked: the answers of these rows are compared by a term; where one is found it is marked.
            change: what a control makes of each row's sequences.
        """
        for each in rows:
            row = each.row if self.system is None else replace(each.row, system=self.system)
            sequences = [one.parted for one in each._replace(row=row).sequences()]
            if change is not None and not (sequences := change(row, sequences)):
                continue
            key = self._key(row)
            group = self._groups.setdefault(key, [])
            self._places.setdefault(key, row.place)
            pairs = sum(one.pair is not None for one in group) // 2
            for one in sequences:
                numbered = one._replace(pair=None if one.pair is None else pairs + one.pair)
                group.append(self._closed(numbered, marked))

    def _closed(self, one: LabeledSequence, marked: bool) -> LabeledSequence:
        """With its closing sentence, where it gets one, and its answer marked, where it is compared."""
        if one.answer is None or one.kind not in RIGHT_KINDS:
            return one._replace(span=None)
        if self.sentence is not None:
            closed = closing(self.sentence, one.answer)
            one = one._replace(text=f"{one.text.rstrip()}\n{closed}", span=None, states_span=False)
        if not marked:
            return one._replace(span=None)
        if self.answer_at == "computed":
            return one._replace(span=_result_span(one))
        return one if one.states_span else one._replace(span=_answer_span(one))

    def _key(self, row: SourceRow) -> str:
        if not self.by_problem:
            return f"{len(self._groups)}"
        return row.problem_key

    def texts(self) -> tuple[list[str], list[str]]:
        """All prompts' and all completions' texts, each prompt once."""
        everything = [one for group in self._groups.values() for one in group]
        prompts = dict.fromkeys(message.content for one in everything for message in one.prompt)
        return list(prompts), [text for one in everything for text in (one.reasoning, one.text) if text]

    def content_hash(self) -> str:
        """Of all sequences, as they are before they become token ids."""
        content = hashlib.sha256()
        for key, group in self._groups.items():
            content.update(repr((key, group)).encode(errors="surrogatepass"))
        return content.hexdigest()

    def encoded(self, tokenizer: PreTrainedTokenizerBase, align: AlignMode = "edit", seed: int = 0) -> Iterator[Group]:
        """The groups as token ids, in the order in which the groups began. Raises UsageError naming the row's place."""
        encoder = Encoder(tokenizer)
        for key, group in self._groups.items():
            written, pairs = _written(group, tokenizer)
            try:  # where the rows lie is said of what is wrong, and is no part of the id, by which draws are made
                yield make_group(key, written, pairs, encoder, align, seed)
            except UsageError as error:
                raise UsageError(f"{self._places[key]}: {error.found}", error.why, error.do) from error


def _written(
    group: Sequence[LabeledSequence], tokenizer: PreTrainedTokenizerBase
) -> tuple[list[Written], list[tuple[int, int]]]:
    """Equal texts of one prompt are one member: a pair may join what other terms read."""
    known: dict[tuple[tuple[Message, ...], str | None, str, bool, int | None], int] = {}
    written: list[Written] = []
    sides: dict[int, list[int]] = {}
    for one in sorted(group, key=lambda one: one.kind in ("chosen", "rejected")):
        down = one.kind in WRONG_KINDS
        at = (one.prompt, one.reasoning, one.text, down, one.wrong_from)
        if at not in known:
            known[at] = len(written)
            ids = prompt_ids(tokenizer, one.prompt)
            written.append(Written(one.kind, ids, one.text, one.span, one.reasoning, one.wrong_from))
        elif one.span is not None and written[known[at]].answer is None:
            old = written[known[at]]
            written[known[at]] = replace(old, answer=one.span)
        if one.pair is not None:
            sides.setdefault(one.pair, []).append(known[at])
    return written, [(right, wrong) for right, wrong in sides.values()]


_COMMAND = re.compile(r"\\[a-zA-Z]+\{answer\}")


def closing(sentence: str, answer: str) -> str:
    """A closing sentence with the answer in the place of `{answer}`; other braces stay as they are.

    Raises UsageError: no such place, or the braces are those of a LaTeX command.
    """
    if "{answer}" not in sentence:
        raise UsageError(f"the sentence {sentence!r}", "the answer stands in no place of it", "write {answer} there")
    if command := _COMMAND.search(sentence):
        braced = command[0].replace("{answer}", "{{answer}}")
        raise UsageError(
            f"the sentence {sentence!r}",
            "the braces around `answer` are taken away with it, so that the command would lose its argument",
            f"write {braced}",
        )
    return sentence.replace("{answer}", answer)


def _answer_span(one: LabeledSequence) -> Span | None:
    """Where the answer stands last in the text, not as a part of a longer number or word; None where it does not."""
    return next(_answer_spans(one), None)


def _result_span(one: LabeledSequence) -> Span | None:
    """Where the text comes to the answer: the first of its last mentions, between which no other number stands.

    `14` of `9 + 5 = 14 cups. The answer is 14.`; all mentions after it are copies.
    """
    mentions = list(_answer_spans(one))
    for later, earlier in pairwise(mentions):
        if any(letter.isdigit() for letter in one.text[earlier.end : later.start]):
            return later
    return mentions[-1] if mentions else None


def _answer_spans(one: LabeledSequence) -> Iterator[Span]:
    """Where the answer stands in the text, the last place first."""
    answer, text = one.answer or "", one.text
    start = text.rfind(answer) if answer else -1
    while start >= 0:
        end = start + len(answer)
        before, after = text[start - 1 : start], text[end : end + 2]
        inside = (before.isalnum() and answer[:1].isalnum()) or (
            answer[-1:].isalnum() and (after[:1].isalnum() or (after[:1] in (".", ",") and after[1:].isdigit()))
        )
        if not inside and not (answer[:1].isdigit() and before in (".", ",")):
            yield Span(start, end)
        start = text.rfind(answer, 0, end - 1)


# ---- what is left out or repeated ------------------------------------------------------------------------------------


def fitting(group: Group, max_length: int) -> Group | None:
    """The group without the members, and their pairs, that are longer; None if nothing is left."""
    members = enumerate(group["members"])
    return keeping(group, [place for place, member in members if len(member["input_ids"]) <= max_length])


def thinking_at_most(group: Group, tokens: int) -> Group | None:
    """The group without the members that think longer, and their pairs; None if nothing is left."""
    return keeping(group, [place for place, each in enumerate(group["members"]) if each.get("think", 0) <= tokens])


def keeping(group: Group, places: Sequence[int]) -> Group | None:
    """The group with the members at these places alone, and the pairs among them; None if there is no member."""
    new = {old: place for place, old in enumerate(places)}
    members: list[Member] = [group["members"][place] for place in places]
    pairs = [
        GroupPair(**{**pair, "right": new[pair["right"]], "wrong": new[pair["wrong"]]})
        for pair in group["pairs"]
        if pair["right"] in new and pair["wrong"] in new
    ]
    return Group(id=group["id"], tokenizer=group["tokenizer"], members=members, pairs=pairs) if members else None


def answers_only(sentence: str | None) -> Change:
    """Of every prompt its final sentence alone, once: the control that shows what rationales add."""
    prompts: set[tuple[Message, ...]] = set()

    def change(row: SourceRow, sequences: list[LabeledSequence]) -> list[LabeledSequence]:
        changed = []
        for one in (one for one in sequences if one.kind in RIGHT_KINDS):
            if one.answer is None:
                raise row.error("no `answer`, in the row or its meta", "answer_only learns it", "export the run")
            if one.prompt not in prompts:
                prompts.add(one.prompt)
                text = closing(sentence or "The answer is {answer}.", one.answer)
                changed.append(
                    one._replace(kind="right", text=text, reasoning=None, span=None, states_span=False, pair=None)
                )
        return changed

    return change


def right_sides(row: SourceRow, sequences: list[LabeledSequence]) -> list[LabeledSequence]:
    """What plain distillation reads of a row that was made for another method."""
    return [one._replace(kind="right", pair=None) for one in sequences if one.kind in RIGHT_KINDS]


def target_tokens(groups: Iterable[Group], objective: Objective, seed: int) -> int:
    """Completion tokens that the objective reads in its first epoch."""
    collator = Collator(0, objective.reading(seed))
    return sum(int(collator([group])["labels"].ne(IGNORED).sum()) for group in groups)


def repeat_to(groups: Sequence[Group], tokens: int, seed: int) -> list[Group]:
    """Groups, in hashed order and over again, until their completions come nearest to `tokens`."""
    sizes = [sum(len(m["input_ids"]) - target_start(m) for m in group["members"]) for group in groups]
    chosen: list[Group] = []
    total = turn = 0
    while groups:
        for place in sorted(range(len(groups)), key=lambda place: draw(seed, "repeat", turn, groups[place]["id"])):
            if total + sizes[place] / 2 > tokens and chosen:
                return chosen
            chosen.append({**groups[place], "id": f"{groups[place]['id']} #{turn}"})
            total += sizes[place]
        turn += 1
    return chosen
