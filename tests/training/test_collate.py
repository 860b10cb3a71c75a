from __future__ import annotations

from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from errata.exports.sequences import KINDS
from errata.training.collate import Collator, Draws, Reading, draw_pairs, parts_of
from errata.training.encode import Group
from errata.training.objective import Objective
from tests.training.lab import edit, mapd, mcc_kd, sample_rows, sft

ROWS = sample_rows()
ALL = Reading(frozenset(KINDS), pairs=True)


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_changes_where_tokens_stand_but_not_what_they_are(side: str) -> None:
    batch = Collator(0, ALL, side=side, multiple_of=8)(ROWS)  # type: ignore[arg-type]
    members = [member for row in ROWS for member in row["members"]]

    assert batch["input_ids"].shape[0] == len(members)
    assert batch["input_ids"].shape[1] == -(-max(len(member["input_ids"]) for member in members) // 8) * 8
    for b, member in enumerate(members):
        here = batch["attention_mask"][b].bool()
        assert batch["input_ids"][b][here].tolist() == member["input_ids"]
        assert batch["labels"][b][here].tolist() == [-100] * member["prompt"] + member["input_ids"][member["prompt"] :]
        assert batch["labels"][b][~here].eq(-100).all()
        assert bool(here[0 if side == "right" else -1])  # it touches the side that is not padded
        if side == "left":
            assert batch["position_ids"][b][here].tolist() == list(range(len(member["input_ids"])))


@pytest.mark.parametrize("side", ["right", "left"])
def test_key_tokens_and_sides_follow_their_sequences(side: str) -> None:
    batch = Collator(0, Objective(edit()).reading(), side=side)(ROWS)  # type: ignore[arg-type]

    b = 0
    for row in ROWS:
        sides = {place for pair in row["pairs"] for place in (pair["right"], pair["wrong"])}
        for place, member in enumerate(row["members"]):
            if place not in sides:
                continue  # no term reads it
            keys = [t for pair in row["pairs"] if pair["right"] == place for t in pair["right_keys"]]
            keys += [t for pair in row["pairs"] if pair["wrong"] == place for t in pair["wrong_keys"]]
            here = batch["attention_mask"][b].bool()
            assert batch["key"][b][here].tolist() == [keys.count(t) for t in range(len(member["input_ids"]))]
            assert batch["key"][b][~here].eq(0).all()
            assert float(batch["sides"][b]) == sum(place in (pair["right"], pair["wrong"]) for pair in row["pairs"])
            b += 1
    assert b == len(batch["input_ids"])


@pytest.mark.parametrize("side", ["right", "left"])
def test_answers_are_read_one_position_before_their_tokens(side: str) -> None:
    batch = Collator(0, Objective(mcc_kd(pairs=None)).reading(), side=side)(ROWS)  # type: ignore[arg-type]
    flat = batch["input_ids"].flatten()

    predicted = flat[batch["answer_rows"] + 1]

    rights = [[each for each in row["members"] if each["kind"] == "right" and each["answer"][1]] for row in ROWS]
    answers = [each["input_ids"][slice(*each["answer"])] for row in rights if len(row) > 1 for each in row]
    assert predicted.tolist() == [token for answer in answers for token in answer]
    assert batch["drawn"].tolist() == [later for row in rights for later in reversed(range(len(row)))]
    assert torch.equal(predicted[batch["left"]], predicted[batch["right"]])
    assert len(batch["left"]) == len(batch["per_answer"]) == 3 * 1 + 1 * 2 + 1 * 1
    assert float(batch["per_answer"].sum()) == pytest.approx(float(batch["drawn"].sum())) == pytest.approx(5)


def test_only_what_a_term_reads_is_in_the_batch() -> None:
    kinds = {
        name: set(Collator(0, Objective(terms).reading())(ROWS)["kind"].tolist())
        for name, terms in {"sft": sft(), "mapd": mapd(), "edit": edit()}.items()
    }

    assert kinds["sft"] == {KINDS.index("right")}
    assert kinds["mapd"] == {KINDS.index("right"), KINDS.index("mistake")}
    assert KINDS.index("mistake") not in kinds["edit"]


def test_an_item_counts_once_however_many_rationales_it_has() -> None:
    batch = Collator(0, ALL)(ROWS)

    for kind in ("right", "mistake"):
        here = batch["kind"] == KINDS.index(kind)
        items = sum(any(member["kind"] == kind for member in row["members"]) for row in ROWS)
        assert float(batch["share"][here].sum()) == pytest.approx(items)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(1, 12), st.integers(0, 5))
def test_pair_draws_are_fixed_by_seed_epoch_and_row(seed: int, epoch: int, count: int, size: int) -> None:
    members = list(range(size))

    pairs = draw_pairs(seed, epoch, "p1", members, count)

    assert pairs == draw_pairs(seed, epoch, "p1", members, count)
    assert len(pairs) == len(set(pairs)) == min(count, size * (size - 1) // 2)
    assert all(i < j for i, j in pairs)
    assert pairs == sorted(pairs)
    assert draw_pairs(seed, epoch, "p1", members, None) == list(combinations(members, 2))


def test_pair_draws_change_with_the_epoch_and_reach_every_pair() -> None:
    drawn = {draw_pairs(0, epoch, "p1", range(4), 1)[0] for epoch in range(60)}

    assert len(drawn) == 6


def test_the_rationales_seen_change_with_the_epoch() -> None:
    collator = Collator(0, Reading(frozenset({"right"}), False, Draws(("right",), 1, 0)))
    seen = set()
    for epoch in range(12):
        collator.set_epoch(epoch)
        seen.add(tuple(collator(ROWS[:1])["input_ids"].flatten().tolist()))

    assert len(seen) == 3  # the three pairs of three rationales


def test_a_rationale_without_a_marked_answer_is_not_seen_beside_a_drawn_pair() -> None:
    row: Group = {**ROWS[0], "members": [*ROWS[0]["members"][:3], {**ROWS[0]["members"][1], "answer": [0, 0]}]}
    drawing = Reading(frozenset({"right"}), False, Draws(("right",), 1, 0))
    comparing = Reading(frozenset({"right"}), False, Draws(("right",), None, 0))

    assert len(Collator(0, drawing)([row])["input_ids"]) == 2
    assert len(Collator(0, comparing)([row])["input_ids"]) == 4
    alone: Group = {**row, "members": row["members"][2:]}
    assert len(Collator(0, drawing)([alone])["input_ids"]) == 2


def test_a_group_with_one_rationale_is_seen_without_a_pair() -> None:
    row: Group = ROWS[2]

    batch = Collator(0, Objective(mcc_kd()).reading())([row])

    assert len(batch["input_ids"]) == 1
    assert batch["answer_rows"].numel() == batch["left"].numel() == 0
    assert batch["answer_rows"].dtype == torch.int64


def test_an_epoch_set_here_reaches_the_workers_that_load_data() -> None:
    collator = Collator(0, Reading(frozenset({"right"}), False, Draws(("right",), 1, 0)))
    loader = DataLoader(ROWS[:1] * 2, batch_size=1, collate_fn=collator, num_workers=1, persistent_workers=True)  # type: ignore[arg-type]
    for epoch in range(4):
        collator.set_epoch(epoch)

        from_worker = [batch["input_ids"].tolist() for batch in loader]

        assert from_worker == [collator(ROWS[:1])["input_ids"].tolist()] * 2


@pytest.mark.parametrize("tokens", [60, 120, 400, 10_000])
def test_a_batch_over_the_budget_goes_in_parts_of_similar_length(tokens: int) -> None:
    whole = Collator(0, ALL)(ROWS)

    parts = parts_of(Collator(0, ALL, tokens=tokens)(ROWS))

    rows = {len(row["members"]) for row in ROWS}
    for part in parts:
        assert part["input_ids"].numel() <= tokens or len(part["input_ids"]) in rows  # a row alone
    widths = [part["input_ids"].shape[1] for part in parts]
    assert widths == sorted(widths, reverse=True)
    assert (len(parts) == 1) == (tokens == 10_000)
    for column in ("share", "sides", "drawn"):
        assert sum(float(part[column].sum()) for part in parts) == pytest.approx(float(whole[column].sum()))
    found = sorted(ids[ids > 0].tolist() for part in parts for ids in part["input_ids"])
    assert found == sorted(ids[ids > 0].tolist() for ids in whole["input_ids"])


def test_a_row_of_one_sequence_opens_a_part_as_any_other() -> None:
    alone: Group = {**ROWS[2], "members": ROWS[2]["members"][:1], "pairs": []}

    for tokens in (1, 10_000):
        [part] = parts_of(Collator(0, ALL, tokens=tokens)([alone]))
        assert part["input_ids"].tolist() == [alone["members"][0]["input_ids"]]


def test_a_batch_that_fills_the_budget_exactly_goes_at_once() -> None:
    size = Collator(0, ALL)(ROWS)["input_ids"].numel()

    assert len(parts_of(Collator(0, ALL, tokens=size)(ROWS))) == 1
    assert len(parts_of(Collator(0, ALL, tokens=size - 1)(ROWS))) == 2
