"""What a training may change, counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from peft import LoraConfig, get_peft_model

from errata.models.gate import GateSettings, new_nat
from errata.training.capacity import adapted_shapes, capacity_of
from tests.training.lab import tiny_llama

MODULES = ["q_proj", "v_proj"]


def weights(model: object) -> int:
    return sum(value.numel() for value in model.parameters() if value.requires_grad)  # type: ignore[attr-defined]


def test_of_a_whole_student_every_weight() -> None:
    model = tiny_llama()

    assert capacity_of(model) == (weights(model), None, [])


def test_of_an_adapter_its_rank_and_modules() -> None:
    model = get_peft_model(tiny_llama(), LoraConfig(r=3, target_modules=MODULES))

    found = capacity_of(model)

    # two layers; q maps 32 to 32 features, v 32 to 16
    assert found == (2 * 3 * (32 + 32 + 32 + 16), 3, MODULES)
    assert str(found) == "672 weights, LoRA of rank 3 on q_proj, v_proj"


def test_of_two_adapters_only_the_trained_one(tmp_path: Path) -> None:
    get_peft_model(tiny_llama(), LoraConfig(r=5, target_modules=MODULES)).save_pretrained(tmp_path)
    nat = new_nat(tiny_llama(), tmp_path, GateSettings(width=8))

    assert capacity_of(nat) == (weights(nat), 5, MODULES)
    nat.requires_grad_(False)
    assert capacity_of(nat) == (0, None, [])


@pytest.mark.parametrize("modules", [MODULES, "all-linear"])
def test_the_shapes_of_adapted_layers_are_known_before_there_is_an_adapter(modules: str | list[str]) -> None:
    lora = LoraConfig(r=3, target_modules=modules)

    shapes = adapted_shapes(tiny_llama(), lora)

    assert 3 * sum(inward + outward for inward, outward in shapes) == weights(get_peft_model(tiny_llama(), lora))
