"""Rows of TRL's preference trainers are the groups' own tokens, and nothing else."""

from __future__ import annotations

from errata.training.trl_rows import completion_rows, labeled_rows, preference_rows, with_mismatched
from tests.training.lab import byte_tokenizer, sample_rows

GROUPS = sample_rows()


def read(ids: list[int]) -> str:
    return str(byte_tokenizer().decode(ids, skip_special_tokens=False))


def test_a_pair_is_a_row_with_both_sides_closed() -> None:
    rows = list(preference_rows(GROUPS))

    assert len(rows) == sum(len(group["pairs"]) for group in GROUPS) == 5
    assert {name: read(ids) for name, ids in rows[0].items()} == {
        "prompt_ids": "3 and 4?",
        "chosen_ids": "3 + 4 = 7<eos>",
        "rejected_ids": "3 * 4 = 12<eos>",
    }


def test_a_rationale_is_a_row_with_its_label() -> None:
    rows = list(labeled_rows(GROUPS[1:2]))

    assert [row["label"] for row in rows] == [True, True, False]
    assert read(rows[2]["completion_ids"]) == "12 + 1 = 13<eos>"
    assert {read(row["prompt_ids"]) for row in rows} == {"12 less 1?"}


def test_a_text_is_a_row_whose_prompt_is_no_target() -> None:
    rows = list(completion_rows(GROUPS[1:2]))

    assert next(read(row["input_ids"]) for row in rows) == "12 less 1?12 - 1 = 11<eos>"
    targets = [
        [token for token, taught in zip(row["input_ids"], row["completion_mask"], strict=True) if taught]
        for row in rows
    ]
    assert list(map(read, targets)) == ["12 - 1 = 11<eos>", "one under twelve = 11<eos>", "12 + 1 = 13<eos>"]


def test_completions_are_rotated_within_their_batch() -> None:
    rows = [{"completion_ids": [number]} for number in range(5)]

    mismatched = [row["KL_completion_ids"] for row in with_mismatched(rows, 3)]

    assert mismatched == [[2], [0], [1], [4], [3]]
