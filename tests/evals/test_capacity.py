"""A comparison says where its arms were trained with unequal capacity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from errata.evals.compare import compare
from tests.evals.eval_dirs import eval_dir, rights

SMALL: dict[str, Any] = {"trained_weights": 672, "lora_rank": 3, "lora_modules": ["q_proj", "v_proj"]}
WIDE = SMALL | {"trained_weights": 22_000, "lora_rank": 98}


def notes(folder: Path, against: str | None = None, **arms: dict[str, Any]) -> list[str]:
    values = {"t": rights(20, 5)}
    paths = [eval_dir(folder, name, values, seed=0, **training) for name, training in arms.items()]
    return [note for note in compare(paths, against=against).notes if "capacity" in note]


def test_arms_that_differ_are_told_with_what_was_trained(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, sft=SMALL, edit=SMALL, nat=WIDE)

    for told in (
        "unequal capacity",
        "sft 672 weights (LoRA of rank 3 on q_proj, v_proj)",
        "nat 22,000 weights (LoRA of rank 98",
    ):
        assert told in note


def test_arms_of_equal_capacity_need_no_note(tmp_path: Path) -> None:
    assert notes(tmp_path, sft=SMALL, edit=SMALL) == []


def test_as_many_weights_on_other_modules_differ_too(tmp_path: Path) -> None:
    assert len(notes(tmp_path, a=SMALL, b=SMALL | {"lora_modules": ["k_proj"]})) == 1


def test_only_arms_that_are_compared_count(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, "sft", sft=SMALL, edit=SMALL, nat=WIDE)

    assert "edit" not in note


def test_a_student_whose_training_is_not_known_is_passed_over(tmp_path: Path) -> None:
    assert notes(tmp_path, sft=SMALL, old={"rows": 3}, other={}) == []
