"""Sequences of one prompt as one row: what each position sees and reads is what its sequence alone would give it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import MistralConfig, MistralForCausalLM

from errata.errors import UsageError
from errata.training import shared_prompts
from errata.training.collate import Collator, Reading, parts_of
from errata.training.encode import Member
from errata.training.objective import Objective
from errata.training.shared_prompts import by_prompt, columns, in_sequences, inputs_of, length, reads_alike, visible
from tests.training.gradient_checks import METHODS, TELLING, error_of, trained
from tests.training.lab import mcc_kd, sample_rows, sft, tiny_llama

CLOSE = 1e-5
ROWS = sample_rows()
TOKENS = st.lists(st.integers(2, 99), min_size=1, max_size=5)
MEMBERS = st.lists(st.tuples(st.sampled_from([[7], [7, 8], [7, 8, 9, 9], [5, 8]]), TOKENS), min_size=1, max_size=6)


def member(prompt: list[int], more: list[int]) -> Member:
    return Member(kind="right", input_ids=[*prompt, *more], prompt=len(prompt), answer=[0, 0])


@given(MEMBERS, st.booleans())
def test_every_position_sees_its_own_sequence_up_to_itself(
    pairs: list[tuple[list[int], list[int]]], left: bool
) -> None:
    members = [member(*pair) for pair in pairs]
    width = max(len(each["input_ids"]) for each in members)
    starts = [width - len(each["input_ids"]) if left else 0 for each in members]
    rows = by_prompt(members)
    lengths = [length([members[b] for b in places]) for places in rows]
    batch = columns(rows, members, starts, width, max(lengths) + 2, 0)
    mask, size = visible(batch["branch"])[:, 0], batch["branch"].shape[1]
    assert sorted(b for places in rows for b in places) == list(range(len(members)))
    assert int((batch["branch"] >= 0).sum()) == sum(lengths)
    assert mask.any(-1).all(), "a position that sees nothing would make every state no number"
    for b, each in enumerate(members):
        for t in range(len(each["input_ids"])):
            r, place = divmod(int(batch["place_in_rows"][b, starts[b] + t]), size)
            here = mask[r, place]
            assert batch["row_ids"][r][here].tolist() == each["input_ids"][: t + 1]
            assert batch["row_positions"][r][here].tolist() == list(range(t + 1))


def test_logits_are_those_of_the_sequences_alone() -> None:
    model = tiny_llama()
    batch = Collator(0, Reading(frozenset({"right", "mistake"}), pairs=True), shares_prompts=True)(ROWS)
    alone = {name: batch[name] for name in ("input_ids", "attention_mask")}
    assert batch["row_ids"].numel() < batch["input_ids"].numel() * 0.9
    one, other = (model(**each).logits for each in (inputs_of(batch), alone))
    learned = batch["labels"].roll(-1, 1) != -100
    assert torch.allclose(in_sequences(one, batch)[learned], other[learned], atol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"tokens_per_batch": 120, "per_device_train_batch_size": 4}], ids=str)
@pytest.mark.parametrize("name", [*TELLING, "nce"])
def test_shared_prompts_make_the_same_step(name: str, settings: dict[str, Any], tmp_path: Path) -> None:
    trainer = trained(METHODS[name][0], tmp_path, share_prompts=True, **settings)
    batch = trainer.data_collator(ROWS)
    assert sum(part["row_ids"].numel() for part in parts_of(batch) if "row_ids" in part)
    assert error_of(name, trainer) < CLOSE


def test_padding_on_the_left_makes_the_same_step(tmp_path: Path) -> None:
    assert error_of("combined", trained(METHODS["combined"][0], tmp_path, "left", share_prompts=True)) < CLOSE


def test_control_a_branch_that_sees_the_others_makes_another_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shared_prompts, "visible", lambda branch_RL: visible(branch_RL.clamp(max=0)))
    monkeypatch.setattr("errata.training.trainer.reads_alike", lambda model: True)
    assert error_of("combined", trained(METHODS["combined"][0], tmp_path, share_prompts=True)) > 100 * CLOSE


def test_a_batch_without_a_shared_prompt_is_as_ever() -> None:
    one = Collator(0, Objective(sft()).reading(), shares_prompts=True)
    alone = [{**row, "members": row["members"][:1], "pairs": []} for row in ROWS]
    assert "row_ids" not in one(alone)  # type: ignore[arg-type]


def test_parts_hold_the_tokens_that_are_read() -> None:
    reading = Objective(mcc_kd(pairs=None)).reading()
    tokens = 140
    parts = parts_of(Collator(0, reading, tokens=tokens, shares_prompts=True)(ROWS))
    assert len(parts) < len(parts_of(Collator(0, reading, tokens=tokens)(ROWS)))
    assert all(part.get("row_ids", part["input_ids"]).numel() <= tokens for part in parts)


def mistral(**changes: Any) -> Any:
    torch.manual_seed(0)
    shape = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    return MistralForCausalLM(MistralConfig(**{**shape, **heads, **changes}))


def test_a_student_shares_prompts_where_trying_it_shows_that_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    student = tiny_llama().train()
    assert reads_alike(student)
    assert student.training
    assert reads_alike(mistral(sliding_window=None))
    assert not reads_alike(mistral(sliding_window=8)), "its window would be lost"
    assert not reads_alike(tiny_llama(attn_implementation="eager"))
    monkeypatch.setattr(shared_prompts, "visible", lambda branch_RL: visible(branch_RL.clamp(max=0)))
    assert not reads_alike(student), "as if its attention took the mask for another"


def test_prompts_are_shared_on_a_cpu_unless_the_student_is_tiny_or_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def shares(asked: bool | None = None, **changes: Any) -> bool:
        model = tiny_llama(**changes)
        collator: Any = trained(sft(), tmp_path, model=model, use_cpu=True, share_prompts=asked).data_collator
        return bool(collator.shares_prompts)

    assert not shares()
    assert shares(asked=True)
    with pytest.raises(UsageError, match="share_prompts with this student"):
        shares(asked=True, attn_implementation="eager")
    monkeypatch.setattr("errata.models.generate.TINY", 1000)
    assert shares()
    assert not shares(asked=False)
    assert not shares(attn_implementation="eager")
