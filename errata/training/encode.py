"""One group: the sequences of one problem that are trained on together, as token ids.

    member = prompt ids (from the one renderer) + completion ids (the text, then the end token once)
    group  = the members of one problem + the pairs among them with their key tokens

A group is one row of the trainer's data set, which a shuffle moves and a shard receives, so no sampler can part it.
Nothing is ever cut: a member that does not fit is refused or left out as a whole, because the end of a rationale is its
answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from transformers import PreTrainedTokenizerBase

from errata.errors import UsageError
from errata.exports.sequences import RIGHT_KINDS, WRONG_KINDS, Kind
from errata.records import Span, digest
from errata.training.align import AlignMode, Keys, select_keys
from errata.training.think_tags import before_text, think_ids


class Member(TypedDict):
    """One sequence. `prompt` counts the prompt's tokens; `answer` is [start, end) of the answer's tokens within
    `input_ids`, [0, 0] where no span is marked."""

    kind: Kind
    input_ids: list[int]
    prompt: int
    answer: list[int]
    think: NotRequired[int]
    """Tokens of the completion that are thinking, with its tags; there only where there is any."""
    begin: NotRequired[int]
    """The position within `input_ids` from which a wrong rationale counts as wrong; there only where it is known."""


class GroupPair(TypedDict):
    """Two members by their places in the row, and their key tokens as positions within `input_ids`."""

    right: int
    wrong: int
    right_keys: list[int]
    wrong_keys: list[int]


FILLER = "filler"
"""The id of a row that counts nothing (errata.training.fillers)."""


class Group(TypedDict):
    """One problem's group. `tokenizer` is the fingerprint of what made the ids."""

    id: str
    tokenizer: str
    members: list[Member]
    pairs: list[GroupPair]


@dataclass(frozen=True)
class Written:
    """A completion as text, with its prompt already rendered to ids; `answer` marks the answer's characters."""

    kind: Kind
    prompt_ids: Sequence[int]
    text: str
    answer: Span | None = None
    reasoning: str | None = None
    """What is thought before the text."""
    wrong_from: int | None = None
    """The character of the text from which a wrong rationale counts as wrong; None: from its start."""


def fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Equal for tokenizers with the same vocabulary and end token."""
    return digest(tokenizer.get_vocab(), tokenizer.eos_token_id)


class Encoder:
    """Texts to token ids with one tokenizer. `end_id`: what closes a completion, by default the tokenizer's EOS."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, end_id: int | None = None) -> None:
        if end_id is None:
            end_id = tokenizer.eos_token_id
        if end_id is None:
            raise UsageError(
                "a tokenizer without an end token", "the student would never learn to stop", "set its eos_token"
            )
        self.tokenizer, self.end_id = tokenizer, end_id
        self.fingerprint = fingerprint(tokenizer)

    def completion(self, text: str, answer: Span | None = None) -> tuple[list[int], Span]:
        """Ids of `text`, ended by the end token once, and the token span of `answer` (Span(0, 0) without one, and where
        this tokenizer writes it in one token with what stands around it).

        A marked answer is tokenized apart, so that equal answers give equal ids whatever stands before them; a single
        space before it goes with it, as in ordinary text, and counts as a part of it only where it shares a token with
        it: the answers of " 18" and "$18" are alike where digits are tokens of their own. A special token's name within
        the text is plain text.
        """
        if not text.strip():
            raise UsageError("an empty completion", "there is nothing to learn from it", "leave the row out")
        ids, offsets = self._tokenize(text)
        span = Span(0, 0)
        if answer is not None:
            ids, span = self._apart(text, answer, ids, offsets)
            blank = [not str(self.tokenizer.decode([token])).strip() for token in ids[span.start : span.end]]
            span = Span(span.start + (blank.index(False) if False in blank else 0), span.end)
        self.refuse_end(ids, text)
        return [*ids, self.end_id], span

    def tokens_before(self, text: str, place: int) -> int:
        """How many tokens of a text without a marked answer end at or before this character."""
        _, offsets = self._tokenize(text)
        return next((number for number, (_, end) in enumerate(offsets) if end > place), len(offsets))

    def refuse_end(self, ids: Sequence[int], text: str) -> None:
        """Raises UsageError where the ids of a text hold the end token."""
        if self.end_id in ids:
            raise UsageError(
                f"the end token (id {self.end_id}) within the text {text[:60]!r}",
                "the student would learn to stop there",
                "use a fast tokenizer, which can read special tokens' names as plain text, or clean the text",
            )

    def _tokenize(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        out = self.tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True, verbose=False
        )
        return list(out["input_ids"]), list(out["offset_mapping"])

    def _apart(self, text: str, answer: Span, ids: list[int], offsets: list[tuple[int, int]]) -> tuple[list[int], Span]:
        if not 0 <= answer.start < answer.end <= len(text):
            raise UsageError(
                f"answer span {list(answer)} in a text of {len(text)} characters",
                "it marks no character",
                "grade the rationale again, so that the span is that of its answer",
            )
        start = answer.start - (text[answer.start - 1 : answer.start] == " ")
        pieces = [self._tokenize(piece)[0] for piece in (text[:start], text[start : answer.end], text[answer.end :])]
        apart = [token for piece in pieces for token in piece]
        if self.tokenizer.decode(apart) == self.tokenizer.decode(ids):
            return apart, Span(len(pieces[0]), len(pieces[0]) + len(pieces[1]))
        span = token_span(offsets, answer)  # such a tokenizer marks the start of every text it is given
        shared = offsets[span.start][0] < start or offsets[span.end - 1][1] > answer.end
        return ids, Span(0, 0) if shared else span


def token_span(offsets: Sequence[tuple[int, int]], span: Span) -> Span:
    """The tokens that hold any character of `span`, by the tokens' character offsets; empty if none does."""
    inside = [i for i, (start, end) in enumerate(offsets) if start < span.end and end > span.start]
    return Span(inside[0], inside[-1] + 1) if inside else Span(0, 0)


def make_group(
    id: str,
    written: Sequence[Written],
    pairs: Sequence[tuple[int, int]],
    encoder: Encoder,
    align: AlignMode = "edit",
    seed: int = 0,
) -> Group:
    """One problem's group as token ids; the key tokens of its pairs are found here, once, not at every step.

    Args:
        id: names the problem in messages and fixes the row's random draws.
        pairs: (right, wrong) as places in `written`.
        seed: of what `align="random"` draws.

    Raises:
        UsageError: an empty group, prompt or completion; a pair of two equal sides or of unfit kinds.
    """
    if not written:
        raise UsageError(f"row {id}: an empty group", "a group without a sequence trains nothing", "leave it out")
    members = [_member(id, one, encoder) for one in written]
    return Group(
        id=id,
        tokenizer=encoder.fingerprint,
        members=members,
        pairs=[_pair(id, members, right, wrong, align, seed) for right, wrong in pairs],
    )


def _member(id: str, written: Written, encoder: Encoder) -> Member:
    prompt = len(written.prompt_ids)
    if not prompt:
        raise UsageError(f"row {id}: an empty prompt", "the first token of a sequence is never predicted", "add one")
    try:
        thinking, ids, (start, end) = _parts(written, encoder)
    except UsageError as error:
        raise UsageError(f"row {id}: {error.found}", error.why, error.do) from error
    before = prompt + len(thinking)
    answer = [before + start, before + end] if end else [0, 0]
    member = Member(kind=written.kind, input_ids=[*written.prompt_ids, *thinking, *ids], prompt=prompt, answer=answer)
    if thinking:
        member["think"] = len(thinking)
    if written.wrong_from is not None:
        member["begin"] = before + _tokens_before(written, encoder)
    return member


def _tokens_before(written: Written, encoder: Encoder) -> int:
    """Tokens of the text before it counts as wrong. The wrong side's answer is never marked."""
    gap = "" if written.reasoning is None else before_text(encoder.tokenizer)
    return encoder.tokens_before(gap + written.text, len(gap) + (written.wrong_from or 0))


def _parts(written: Written, encoder: Encoder) -> tuple[list[int], list[int], Span]:
    """Ids of the thinking, ids of the text, and the answer's tokens within the text."""
    if written.reasoning is None:
        return [], *encoder.completion(written.text, written.answer)
    gap, answer = before_text(encoder.tokenizer), written.answer
    marked = None if answer is None else Span(answer.start + len(gap), answer.end + len(gap))
    thinking = think_ids(encoder.tokenizer, written.reasoning, written.prompt_ids)
    encoder.refuse_end(thinking, written.reasoning)
    return thinking, *encoder.completion(gap + written.text, marked)


def _pair(id: str, members: Sequence[Member], right: int, wrong: int, align: AlignMode, seed: int) -> GroupPair:
    one, other = members[right], members[wrong]
    if one["kind"] not in RIGHT_KINDS or other["kind"] not in WRONG_KINDS:
        raise UsageError(
            f"row {id}: a pair of kinds {one['kind']} and {other['kind']}",
            "its first side is learned and its second unlearned",
            f"pair one of {', '.join(RIGHT_KINDS)} with one of {', '.join(WRONG_KINDS)}",
        )
    right_ids, wrong_ids = completion_ids(one), completion_ids(other)
    if right_ids == wrong_ids:
        raise UsageError(
            f"row {id}: a pair whose sides are equal", "it has no key step", "leave it out, or grade it again"
        )
    keys = _keys(align, one, other, (seed, id, right, wrong))
    return GroupPair(
        right=right,
        wrong=wrong,
        right_keys=[one["prompt"] + key for key in keys.right],
        wrong_keys=[other["prompt"] + key for key in keys.wrong],
    )


def _keys(align: AlignMode, one: Member, other: Member, identity: tuple[object, ...]) -> Keys:
    """Key tokens of two completions, on the wrong side none from before its first wrong step.

    Where both think, thinking is compared with thinking and text with text.
    """
    right, wrong = completion_ids(one), completion_ids(other)
    first, second = one.get("think", 0), other.get("think", 0)
    begin = target_start(other) - other["prompt"]
    if not first or not second:
        return select_keys(align, right, wrong, *identity, begin=begin)
    thinking = select_keys(align, right[:first], wrong[:second], *identity, "think", begin=min(begin, second))
    text = select_keys(align, right[first:], wrong[second:], *identity, begin=max(begin - second, 0))
    if align == "first_divergence" and (thinking.right or thinking.wrong):
        return thinking
    return Keys(
        [*thinking.right, *(first + key for key in text.right)],
        [*thinking.wrong, *(second + key for key in text.wrong)],
    )


def completion_ids(member: Member) -> list[int]:
    return member["input_ids"][member["prompt"] :]


def target_start(member: Member) -> int:
    """The position of the first token that is learned, or pushed down: the completion's first one, but of a wrong
    rationale whose first wrong step is known that step's."""
    return member.get("begin") or member["prompt"]


def refuse_truncation(rows: Iterable[Group], max_length: int) -> None:
    """Raises UsageError with the count if a member of any row is longer than `max_length` tokens."""
    lengths = [len(member["input_ids"]) for row in rows for member in row["members"]]
    over = [length for length in lengths if length > max_length]
    if over:
        raise UsageError(
            f"{len(over)} of {len(lengths)} sequences are longer than {max_length} tokens (the longest: {max(over)})",
            "cut off at the end they would lose their answers",
            f"set --max_length {max(over)} if the student can hold it, or leave those rows out",
        )
