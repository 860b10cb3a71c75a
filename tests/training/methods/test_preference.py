"""DPO and KTO train by TRL's trainers on errata's own tokens, end to end on the tiny student."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM
from trl import DPOTrainer, KTOTrainer

from errata.config.hooks import check_hooks
from errata.errors import EXIT_DONE, UsageError
from errata.training.checkpoints import manifest_of
from errata.training.job import train
from errata.training.methods.preference import HOOKS
from errata.training.parse_args import parse

WORDS = [
    *("--model_name_or_path", "tiny", "--max_steps", "3", "--logging_steps", "1", "--learning_rate", "1e-2"),
    *("--per_device_train_batch_size", "4", "--disable_tqdm", "true", "--save_strategy", "no", "--report_to", "none"),
]


@pytest.mark.parametrize("trainer", [DPOTrainer, KTOTrainer])
def test_the_installed_version_has_what_is_overridden(trainer: Any) -> None:
    check_hooks(trainer, HOOKS, exact=True)


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_flags_of_trl_pass_through_and_the_machine_sets_defaults(method: str, tmp_path: Path) -> None:
    args = parse(method, [*WORDS, "--output_dir", str(tmp_path / "out"), "--beta", "0.3"]).training

    assert args.beta == 0.3
    assert args.activation_checkpointing is not args.use_cpu
    with pytest.raises(UsageError, match=r"the flag --betta is not known"):
        parse(method, ["--betta", "1"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "more"),
    [("dpo", ()), ("dpo", ("--use_peft", "--lora_r", "4")), ("kto", ()), ("redi", ("--max_length", "512"))],
)
def test_a_run_trains_a_student_that_can_be_loaded(
    run: Path, tmp_path: Path, method: str, more: tuple[str, ...]
) -> None:
    out = tmp_path / "out"

    code = train(method, [*WORDS, "--dataset_name", str(run), "--output_dir", str(out), *more])

    assert code == EXIT_DONE
    manifest = manifest_of(out)
    assert (manifest["method"], manifest["status"], manifest["step"]) == (method, "finished", 3)
    assert manifest["last"]["loss"] == manifest["last"]["loss"]
    if not more:
        assert AutoModelForCausalLM.from_pretrained(out).num_parameters() == manifest["trained_weights"]


@pytest.mark.slow
def test_too_long_rows_are_refused_and_never_cut(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="longer than 20 tokens"):
        train("dpo", [*WORDS, "--dataset_name", str(run), "--output_dir", str(tmp_path / "out"), "--max_length", "20"])
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_combination_is_refused(run: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("terms: [{kind: sft}]\n")

    with pytest.raises(UsageError, match="terms for dpo"):
        train(
            "dpo",
            ["--config", str(config), *WORDS, "--dataset_name", str(run), "--output_dir", str(tmp_path / "out")],
        )
