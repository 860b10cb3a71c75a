"""Trainers on a GPU in bf16: nearly the step of the slow twins in fp32 on the CPU; DDP and FSDP2 on two of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training import twins
from tests.training.gradient_checks import METHODS, VIEW, trained, with_lora
from tests.training.lab import relative_error, step_gradients, tiny_llama
from tests.training.methods import nat_twin, nce_twin, ranker_twin

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
ON_GPU = {"use_cpu": False, "bf16": True}
ROUNDED = 0.1


def on_cpu(gradients: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.cpu() for name, value in gradients.items()}


@pytest.fixture
def _view_on_gpu() -> Any:
    for student in VIEW.students.values():
        student.cuda()
    yield
    for student in VIEW.students.values():
        student.cpu()


@pytest.mark.usefixtures("_view_on_gpu")
@pytest.mark.parametrize("adapted", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("name", METHODS)
def test_every_objective_makes_nearly_its_twins_step(name: str, adapted: bool, tmp_path: Path) -> None:
    model = with_lora(tiny_llama()) if adapted else tiny_llama()

    found = on_cpu(step_gradients(trained(METHODS[name][0], tmp_path, model=model, **ON_GPU)))

    for student in VIEW.students.values():
        student.cpu()
    twin = with_lora(tiny_llama()) if adapted else tiny_llama()
    assert relative_error(found, twins.gradients(twin, METHODS[name][1](twin))) < ROUNDED


@pytest.mark.parametrize("settings", [{"tokens_per_batch": 120}, {"activation_checkpointing": True}], ids=str)
def test_parts_and_activation_checkpointing_change_nothing(settings: dict[str, Any], tmp_path: Path) -> None:
    whole, changed = (
        on_cpu(step_gradients(trained(METHODS["combined"][0], tmp_path, use_cpu=False, **each)))
        for each in ({}, settings)
    )

    assert relative_error(changed, whole) < 1e-3


def test_nat_nce_and_the_ranker_make_nearly_their_twins_steps(tmp_path: Path) -> None:
    nat_twin.save_nat(nat_twin.save_negative(tmp_path / "stage1"), tmp_path / "nat", "value_out")
    trainers = {
        "nat": nat_twin.stage_two(nat_twin.nat(tmp_path / "stage1", lively=True), tmp_path / "out", **ON_GPU),
        "nce": nce_twin.stage_three(tmp_path / "nat", tmp_path / "out", **ON_GPU),
        "ranker": ranker_twin.trainer(ranker_twin.ranker(), tmp_path / "out", **ON_GPU),
    }
    expected = {
        "nat": nat_twin.twin_gradients(tmp_path / "stage1"),
        "nce": nce_twin.twin_gradients(tmp_path / "nat"),
        "ranker": ranker_twin.twin_gradients(ranker_twin.ranker()),
    }

    for name, trainer in trainers.items():
        assert relative_error(on_cpu(step_gradients(trainer)), expected[name]) < ROUNDED, name


# ---- two GPUs --------------------------------------------------------------------------------------------------------

WORKER = """
import sys, torch
from pathlib import Path
from transformers import TrainerCallback
from tests.training.gradient_checks import METHODS, TELLING, trained
folder, sharded = Path(sys.argv[1]), sys.argv[2] == "fsdp"
spread = {"fsdp": True, "fsdp_config": {"version": 2}} if sharded else {}
whole = lambda value: value.full_tensor() if hasattr(value, "full_tensor") else value

class Look(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, model=None, **rest):
        self.found = {
            name.removeprefix("module."): whole(value.grad).cpu().clone()
            for name, value in model.named_parameters() if value.grad is not None
        }

for name in TELLING:
    trainer = trained(
        METHODS[name][0], folder, per_device_train_batch_size=1, use_cpu=False, bf16=True, **spread
    )
    assert trainer.accelerator.num_processes == 2
    look = Look()
    trainer.add_callback(look)
    trainer.train()
    if trainer.accelerator.is_main_process:
        torch.save({"gradients": look.found, "loss": trainer.state.log_history[0]["loss"]}, folder / f"{name}.pt")
    trainer.accelerator.wait_for_everyone()
trainer.accelerator.end_training()
"""


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two CUDA devices")
@pytest.mark.parametrize("spread", ["ddp", "fsdp"])
def test_two_gpus_make_nearly_the_same_step(spread: str, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    words = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29541", "--no_python"]
    (tmp_path / "worker.py").write_text(WORKER)
    subprocess.run(
        [sys.executable, *words, sys.executable, str(tmp_path / "worker.py"), str(tmp_path), spread],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        check=True,
        timeout=500,
    )

    from tests.training.gradient_checks import TELLING

    for name in TELLING:
        found = torch.load(tmp_path / f"{name}.pt", weights_only=True)
        model = tiny_llama()
        loss = METHODS[name][1](model)
        assert relative_error(found["gradients"], twins.gradients(model, loss)) < ROUNDED, name
        assert found["loss"] == pytest.approx(loss.item(), rel=0.02), name
