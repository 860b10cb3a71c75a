"""Rows become one padded batch that holds every term's columns.

    [row of 3 members, row of 2 members] -> 5 sequences, padded to the longest

Where a batch would hold more tokens than a budget, it goes in parts: `more` holds all but the first, each a batch.

Where prompts are shared, the columns of errata.training.shared_prompts say what the student reads instead.

Columns, with B sequences, T positions, N answer positions, M comparisons of one against another:

    input_ids, attention_mask, labels   BT   labels are -100 on prompts, padding, and before a known first wrong step
    position_ids                        BT   with left padding only
    kind                                B    place in KINDS
    share                               B    one over the row's members of this kind
    key                                 BT   in how many pairs the token is a key token
    sides                               B    in how many pairs the sequence is a side
    answer_rows                         N    places in the flattened BT from which the answers' tokens are predicted
    left, right                         M    places in N that a consistency term compares
    per_answer                          M    one over the compared answer's length
    drawn                               B    how many of the drawn pairs of rationales begin here
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple

import torch

from errata.exports.sequences import KINDS, Kind
from errata.records import draw
from errata.training.encode import FILLER, Group, Member, target_start
from errata.training.shared_prompts import by_prompt, columns, length

Batch = dict[str, Any]
"""Tensors by column; `more` is a list of batches."""
IGNORED = -100


class Draws(NamedTuple):
    """How a consistency term picks pairs: of which kinds, how many of a row (None: all), by which seed."""

    kinds: tuple[Kind, ...]
    pairs: int | None
    seed: int


class Reading(NamedTuple):
    """What an objective reads of a row; the rest is left out of the batch."""

    kinds: frozenset[Kind]
    pairs: bool
    draws: Draws | None = None

    def members(self, row: Group) -> set[int]:
        """Places of the members that are read, before any draw; of a filler all are."""
        if row["id"] == FILLER:
            return set(range(len(row["members"])))
        by_kind = {i for i, member in enumerate(row["members"]) if member["kind"] in self.kinds}
        return by_kind | (paired(row) if self.pairs else set())


def paired(row: Group) -> set[int]:
    """Places of the members that are a side of a pair."""
    return {place for pair in row["pairs"] for place in (pair["right"], pair["wrong"])}


def draw_pairs(seed: int, epoch: int, row_id: str, members: Sequence[int], count: int | None) -> list[tuple[int, int]]:
    """`count` of the pairs among `members` (None: all of them), fixed by seed, epoch and row."""
    shuffled = sorted(combinations(members, 2), key=lambda pair: draw(seed, epoch, row_id, pair))
    return sorted(shuffled[:count])


class Flat(NamedTuple):
    """A row's members that take part in this step, and who is compared with whom, as places among them."""

    members: list[Member]
    compared: list[tuple[int, int]]
    sides: list[tuple[int, list[int]]]
    """(member, its key tokens) for either side of every pair."""
    rows: list[list[int]]
    """Places of the members that are read as one row."""


class Collator:
    """Picklable; `set_epoch` reaches the copies that data-loading workers hold.

    Args:
        tokens: the most tokens of a part of a batch, padding included; None makes no parts. No row is parted.
        shares_prompts: whether the student reads a prompt of several members of a row once.
    """

    def __init__(
        self,
        pad_id: int,
        reading: Reading,
        side: Literal["right", "left"] = "right",
        multiple_of: int | None = None,
        tokens: int | None = None,
        shares_prompts: bool = False,
    ) -> None:
        self.pad_id, self.reading, self.side, self.multiple_of = pad_id, reading, side, multiple_of
        self.tokens, self.shares_prompts = tokens, shares_prompts
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        self._epoch.fill_(epoch)

    def of_first_epoch(self) -> Collator:
        """Reads rows as this one does in its first epoch, whatever epoch this one is told."""
        return Collator(self.pad_id, self.reading, self.side, self.multiple_of, self.tokens, self.shares_prompts)

    def __call__(self, rows: Sequence[Group]) -> Batch:
        first, *more = (self._batch(part) for part in self._parts([self._flatten(row) for row in rows]))
        return {**first, "more": more} if more else first

    def _parts(self, groups: list[Flat]) -> list[list[Flat]]:
        """Groups of similar length together, as many as the budget holds; the longest come first."""
        if self.tokens is None:
            return [groups]
        parts: list[list[Flat]] = []
        room = 0
        for lengths, group in sorted(((self._lengths(group), group) for group in groups), key=_longest, reverse=True):
            if len(lengths) > room:
                parts.append([])
                room = self.tokens // self._width(lengths)
            parts[-1].append(group)
            room -= len(lengths)
        return parts

    @staticmethod
    def _lengths(group: Flat) -> list[int]:
        """Tokens of each row that is read of a group."""
        return [length([group.members[place] for place in places]) for places in group.rows]

    def _width(self, lengths: Iterable[int]) -> int:
        width = max(lengths)
        return -(-width // self.multiple_of) * self.multiple_of if self.multiple_of else width

    def _batch(self, groups: Sequence[Flat]) -> Batch:
        members = [member for group in groups for member in group.members]
        width = self._width(len(member["input_ids"]) for member in members)
        starts = [0 if self.side == "right" else width - len(member["input_ids"]) for member in members]
        batch = self._tokens(members, starts, width)
        batch |= self._shared(groups, members, starts, width)
        batch |= _pair_columns(groups, starts, width)
        batch |= _answer_columns(groups, members, starts, width)
        kinds = [[member["kind"] for member in group.members] for group in groups]
        batch["share"] = torch.tensor([1 / row.count(kind) for row in kinds for kind in row])
        return batch

    def _shared(self, groups: Sequence[Flat], members: Sequence[Member], starts: Sequence[int], width: int) -> Batch:
        """The columns of shared prompts; none where no prompt of these groups is shared."""
        rows: list[list[int]] = []
        first = 0
        for group in groups:
            rows += [[first + place for place in places] for places in group.rows]
            first += len(group.members)
        if len(rows) == len(members):
            return {}
        row_width = self._width(length([members[b] for b in places]) for places in rows)
        return columns(rows, members, starts, width, row_width, self.pad_id)

    def _flatten(self, row: Group) -> Flat:
        members, draws = row["members"], self.reading.draws
        pairs = row["pairs"] if self.reading.pairs else []
        taken = self.reading.members(row)
        compared: list[tuple[int, int]] = []
        if draws is not None:
            candidates = [i for i, one in enumerate(members) if one["kind"] in draws.kinds and one["answer"][1]]
            compared = draw_pairs(draws.seed, int(self._epoch), row["id"], candidates, draws.pairs)
            if compared and draws.pairs is not None:  # the paper's step: of these rationales only those drawn are seen
                drawn = {place for pair in compared for place in pair}
                alike = {i for i, one in enumerate(members) if one["kind"] in draws.kinds}
                taken -= alike - drawn - (paired(row) if pairs else set())
        place = {old: new for new, old in enumerate(sorted(taken))}
        flat = [members[old] for old in place]
        return Flat(
            members=flat,
            compared=[(place[i], place[j]) for i, j in compared],
            sides=[(place[pair["right"]], pair["right_keys"]) for pair in pairs]
            + [(place[pair["wrong"]], pair["wrong_keys"]) for pair in pairs],
            rows=by_prompt(flat) if self.shares_prompts else [[b] for b in range(len(flat))],
        )

    def _tokens(self, members: Sequence[Member], starts: Sequence[int], width: int) -> Batch:
        shape = (len(members), width)
        batch = {
            "input_ids": torch.full(shape, self.pad_id),
            "attention_mask": torch.zeros(shape, dtype=torch.int64),
            "labels": torch.full(shape, IGNORED),
            "kind": torch.tensor([KINDS.index(member["kind"]) for member in members]),
        }
        for b, (member, start) in enumerate(zip(members, starts, strict=True)):
            ids = torch.tensor(member["input_ids"])
            end, first = start + len(ids), target_start(member)
            batch["input_ids"][b, start:end] = ids
            batch["attention_mask"][b, start:end] = 1
            batch["labels"][b, start + first : end] = ids[first:]
        if self.side == "left":
            batch["position_ids"] = (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
        return batch


def parts_of(batch: Batch) -> list[Batch]:
    """The parts of a batch, one after the other; of most batches itself alone."""
    return [batch, *batch.get("more", ())]


def _longest(pair: tuple[list[int], Flat]) -> int:
    lengths, _ = pair
    return max(lengths)


def _pair_columns(groups: Sequence[Flat], starts: Sequence[int], width: int) -> Batch:
    key_BT = torch.zeros(len(starts), width)
    sides_B = torch.zeros(len(starts))
    first = 0
    for group in groups:
        for place, keys in group.sides:
            b = first + place
            sides_B[b] += 1
            key_BT[b, torch.tensor(keys, dtype=torch.int64) + starts[b]] += 1
        first += len(group.members)
    return {"key": key_BT, "sides": sides_B}


def _answer_columns(groups: Sequence[Flat], members: Sequence[Member], starts: Sequence[int], width: int) -> Batch:
    """Where the compared answers are predicted: a token at position t by the hidden state at t - 1."""
    rows: list[int] = []
    left: list[int] = []
    right: list[int] = []
    per_answer: list[float] = []
    drawn_B = torch.zeros(len(members))
    first = 0
    for group in groups:
        place_of: dict[int, int] = {}
        for b in sorted({first + place for pair in group.compared for place in pair}):
            start, end = members[b]["answer"]
            place_of[b] = len(rows)
            rows.extend(range(b * width + starts[b] + start - 1, b * width + starts[b] + end - 1))
        for i, j in group.compared:
            start, end = members[first + i]["answer"]
            left.extend(range(place_of[first + i], place_of[first + i] + end - start))
            right.extend(range(place_of[first + j], place_of[first + j] + end - start))
            per_answer.extend([1 / (end - start)] * (end - start))
            drawn_B[first + i] += 1
        first += len(group.members)
    longs: dict[str, Any] = {"answer_rows": rows, "left": left, "right": right}
    batch = {name: torch.tensor(values, dtype=torch.int64) for name, values in longs.items()}
    return batch | {"per_answer": torch.tensor(per_answer), "drawn": drawn_B}
