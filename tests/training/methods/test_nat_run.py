"""`errata train nat` and its controls on a lesson: what stage 1 learns, what is told of it, equal capacity."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest
import torch

from errata.errors import UsageError
from errata.training.checkpoints import manifest_of
from tests.training.trainings import go

ONE = ("--max_steps", "1")
NARROW = ("--gate_width", "8", "--learning_rate", "1e-2")


def logged(folder: Path) -> dict[str, float]:
    first: dict[str, float] = json.loads((folder / "trainer_state.json").read_text())["log_history"][0]
    return first


@pytest.fixture(scope="module")
def nat(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A NAT student after one step a stage, and what was said."""
    torch.set_num_threads(1)
    out, said = tmp_path_factory.mktemp("students") / "nat", io.StringIO()
    with contextlib.redirect_stderr(said):
        assert go("nat", run, out, *NARROW, *ONE) == 0
    return out, said.getvalue()


def test_stage_one_is_probed(nat: tuple[Path, str]) -> None:
    out, said = nat

    found = manifest_of(out)["probe"]
    assert found == manifest_of(out / "stage1")["probe"]
    assert set(found) == {"wrong", "right", "base_wrong", "base_right", "sequences"}
    assert f"wrong rationales {found['wrong']:.3f}, right ones {found['right']:.3f} nats a token" in said
    assert ("not to write wrong ones" in said) == (found["wrong"] >= found["right"])


def test_a_control_learns_right_rationales_in_stage_one_of_as_many_tokens(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    assert go("nat", run, out, *NARROW, "--control", "negative_of_right", *ONE) == 0

    assert "logp/right" in logged(out / "stage1")
    assert "logp/wrong" not in logged(out / "stage1")
    assert manifest_of(out)["control"] == "negative_of_right"
    with pytest.raises(UsageError, match="trains a negative adapter of its own"):
        go("nat", run, tmp_path / "other", "--control", "negative_of_right", "--negative_adapter", str(out / "stage1"))


def test_plain_distillation_of_the_same_capacity(nat: tuple[Path, str], run: Path, tmp_path: Path) -> None:
    for control in ("lora_sft", "lora_sft_wide"):
        assert go("nat", run, tmp_path / control, *NARROW, *ONE, "--control", control) == 0

    whole, narrow, wide = (manifest_of(path) for path in (nat[0], tmp_path / "lora_sft", tmp_path / "lora_sft_wide"))
    assert (narrow["lora_rank"], narrow["lora_modules"]) == (whole["lora_rank"], whole["lora_modules"])
    assert narrow["trained_weights"] < whole["trained_weights"] / 2
    assert wide["trained_weights"] == pytest.approx(whole["trained_weights"], rel=0.03)
    assert wide["config"]["model"]["lora_alpha"] / wide["lora_rank"] == pytest.approx(2, rel=0.05)
    assert [term["reads"] for term in narrow["objective"]] == [["right"]]
    assert "logp/wrong" not in logged(tmp_path / "lora_sft")


def test_sft_takes_the_capacity_of_another_training(nat: tuple[Path, str], run: Path, tmp_path: Path) -> None:
    assert go("sft", run, tmp_path / "sft", *ONE, "--capacity_of", str(nat[0])) == 0

    mine, other = manifest_of(tmp_path / "sft"), manifest_of(nat[0])
    assert mine["trained_weights"] == pytest.approx(other["trained_weights"], rel=0.03)
    assert mine["lora_modules"] == other["lora_modules"]
    with pytest.raises(UsageError, match="does not say what was trained there"):
        go("sft", run, tmp_path / "other", "--capacity_of", str(tmp_path))


def test_a_whole_student_has_no_wide_adapter(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sft_wide with full fine-tuning"):
        go("nat", run, tmp_path / "out", "--control", "lora_sft_wide", "--use_peft", "false")


def test_nce_without_its_distillation_is_plain_and_needs_no_nat_student(run: Path, tmp_path: Path) -> None:
    assert go("nce", run, tmp_path / "out", "--control", "lora_sft", *ONE) == 0

    manifest = manifest_of(tmp_path / "out")
    assert [term["term"] for term in manifest["objective"]] == ["likelihood"]
    assert (manifest["lora_rank"], manifest["lora_modules"]) == (8, ["q_proj", "v_proj"])
