"""TRL's settings that nothing would read are refused by name; those that are read are not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled
from trl import SFTConfig

from errata.errors import UsageError
from errata.training.parse_args import parse
from errata.training.refused_settings import refuse_settings
from tests.training.lab import one_step


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("completion_only_loss", True),
        ("completion_only_loss", False),
        ("assistant_only_loss", True),
        ("dataset_text_field", "question"),
        ("truncation_mode", "keep_end"),
        ("chat_template_path", "template.jinja"),
        ("model_init_kwargs", {"dtype": "bfloat16"}),
        ("pad_token", "<pad>"),
        ("shuffle_dataset", True),
        ("packing_strategy", "wrapped"),
        ("eval_packing", True),
        ("dataset_num_proc", 2),
        ("label_smoothing_factor", 0.1),
        ("loss_type", "dft"),
        ("tokens_per_batch", 0),
        ("tokens_per_batch", -5),
    ],
)
def test_a_setting_without_effect_is_refused_by_name(name: str, value: Any, tmp_path: Path) -> None:
    args = one_step(tmp_path)
    setattr(args, name, value)  # of some of them TRL warns when they are given

    with pytest.raises(UsageError, match=f"the setting {name}"):
        refuse_settings(args)


def test_what_is_read_is_taken(tmp_path: Path) -> None:
    refuse_settings(one_step(tmp_path))
    refuse_settings(one_step(tmp_path, dataset_text_field="text", activation_checkpointing=True, tokens_per_batch=64))
    packed = one_step(tmp_path, packing=True, max_length=64, shuffle_dataset=True, dataset_num_proc=2)
    refuse_settings(packed)
    packed.tokens_per_batch = 64
    with pytest.raises(UsageError, match="tokens_per_batch with packing"):
        refuse_settings(packed)
    packed.tokens_per_batch, packed.share_prompts = None, True
    with pytest.raises(UsageError, match="share_prompts with packing"):
        refuse_settings(packed)


def test_deepspeed_takes_no_token_budget(tmp_path: Path) -> None:
    args = one_step(tmp_path, tokens_per_batch=64)
    args.deepspeed = "zero2.json"  # as if its package were there

    with pytest.raises(UsageError, match="tokens_per_batch with DeepSpeed"):
        refuse_settings(args)


@pytest.mark.skipif(importlib.util.find_spec("deepspeed") is not None, reason="deepspeed is installed")
def test_deepspeed_without_its_package_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "zero2.json").write_text('{"zero_optimization": {"stage": 2}}')

    with pytest.raises(UsageError, match="deepspeed") as refused:
        parse("sft", ["--deepspeed", str(tmp_path / "zero2.json"), "--output_dir", str(tmp_path / "out")])

    assert refused.value.do == "install it, or leave it out"
    assert not is_deepspeed_zero3_enabled()  # each load asks it while what was half made lives


def test_activation_checkpointing_is_off_on_a_cpu_unless_it_is_asked_for(tmp_path: Path) -> None:
    free = one_step(tmp_path, activation_checkpointing=None)
    by_old_name = one_step(tmp_path, activation_checkpointing=None, gradient_checkpointing=True)

    assert (free.activation_checkpointing, by_old_name.activation_checkpointing) == (False, True)
    assert one_step(tmp_path, activation_checkpointing=True).gradient_checkpointing is True


@pytest.mark.parametrize(("name", "said"), [("clearml", "not installed"), ("wandbb", "TRL reports to")])
def test_what_a_training_cannot_report_to_is_refused(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        refuse_settings(SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to=name))
