"""The student a training starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from trl import ModelConfig

from errata.errors import UsageError
from errata.models.load import model_of
from errata.training import load_student
from errata.training.load_student import open_student
from tests.training.lab import byte_tokenizer, tiny_llama


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter of small updates, beside its base in bf16."""
    folder = tmp_path_factory.mktemp("adapted")
    tiny_llama().bfloat16().save_pretrained(folder / "base")
    byte_tokenizer().save_pretrained(folder / "base")
    adapter = get_peft_model(tiny_llama(), LoraConfig(r=4, target_modules=["q_proj", "down_proj"]))
    torch.manual_seed(1)
    for name, value in adapter.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.01)
    adapter.peft_config["default"].base_model_name_or_path = str(folder / "base")
    adapter.save_pretrained(folder / "adapter")
    return folder


def opened(path: Path, device_map: str | None = None, **flags: Any) -> Any:
    return open_student(ModelConfig(model_name_or_path=str(path), **flags), lambda: ([], []), 0, device_map).model


def test_an_adapter_is_merged_in_fp32_where_no_other_dtype_is_asked_for(adapted: Path) -> None:
    exact = PeftModel.from_pretrained(tiny_llama().bfloat16().float(), adapted / "adapter").merge_and_unload()

    free, asked = (opened(adapted / "adapter", dtype=dtype) for dtype in ("auto", "bfloat16"))

    expected = dict(exact.named_parameters())
    assert all(torch.equal(value, expected[name]) for name, value in free.named_parameters())
    assert all(torch.equal(value, expected[name].bfloat16()) for name, value in asked.named_parameters())
    assert any(not torch.equal(value.float(), expected[name]) for name, value in asked.named_parameters())


def test_flags_say_how_it_is_loaded(adapted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(
        load_student, "model_of", lambda files, **options: given.update(options) or model_of(files, **options)
    )

    model = opened(adapted / "base", "auto", dtype="bfloat16", attn_implementation="eager")

    assert given["device_map"] == "auto"
    assert model.dtype == torch.bfloat16
    assert model.config._attn_implementation == "eager"


def test_a_device_that_is_not_there_is_wrong_use(adapted: Path) -> None:
    with pytest.raises(UsageError, match="cannot be loaded"):
        opened(adapted / "base", "no_such_map")
