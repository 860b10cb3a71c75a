"""Two processes: NAT, NCE and the ranker make the step of one, and a signal to one stops and saves both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from errata.training.checkpoints import checkpoints, fault_of, manifest_of
from tests.training.lab import relative_error
from tests.training.methods import nat_twin, nce_twin, ranker_twin
from tests.training.trainings import FIVE

CLOSE = 1e-5
WORKER = """
import sys, torch
from pathlib import Path
from tests.training.methods import nat_twin, nce_twin, ranker_twin
from errata.training.checkpoints import checkpoints, fault_of, manifest_of
from tests.training.lab import step_gradients
folder = Path(sys.argv[1])
spread = {"per_device_train_batch_size": 1, "ddp_backend": "gloo"}
trainers = {
    "nat": nat_twin.stage_two(nat_twin.nat(folder / "stage1", lively=True), folder / "out", **spread),
    "nce": nce_twin.stage_three(folder / "nat", folder / "out", **spread),
    "ranker": ranker_twin.trainer(ranker_twin.ranker(), folder / "out", **spread),
}
for name, trainer in trainers.items():
    assert trainer.accelerator.num_processes == 2
    found = step_gradients(trainer)
    if trainer.accelerator.is_main_process:
        torch.save({"gradients": found, "logged": trainer.state.log_history[0]}, folder / f"{name}.pt")
    trainer.accelerator.wait_for_everyone()
trainer.accelerator.end_training()
"""


def ranks(words: list[str], port: int, **more: str) -> list[subprocess.Popen[str]]:
    root = Path(__file__).parents[2]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "PYTHONPATH": str(root)}
    shared |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **more}
    return [
        subprocess.Popen(
            [sys.executable, *words],
            cwd=root,
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


@pytest.mark.slow
def test_a_signal_to_one_process_saves_and_ends_both(run: Path, tmp_path: Path) -> None:
    words = ["-m", "errata", "train", "sft", *FIVE, "--dataset_name", str(run), "--output_dir", str(tmp_path / "out")]
    words += ["--save_strategy", "steps", "--save_steps", "2", "--max_steps", "100000", "--ddp_backend", "gloo"]
    both = ranks(words, 29531, ACCELERATE_USE_CPU="true")
    limit = time.monotonic() + 200
    while not list((tmp_path / "out").glob("checkpoint-*/trainer_state.json")) and time.monotonic() < limit:
        time.sleep(0.2)

    both[1].send_signal(signal.SIGTERM)

    said = [each.communicate(timeout=100)[1] for each in both]
    assert [each.returncode for each in both] == [130, 130], said
    last = checkpoints(tmp_path / "out")[0]
    assert fault_of(last, processes=2) is None
    assert manifest_of(tmp_path / "out")["step"] == int(last.name.removeprefix("checkpoint-"))


@pytest.mark.slow
def test_two_processes_make_the_same_step(tmp_path: Path) -> None:
    nat_twin.save_nat(nat_twin.save_negative(tmp_path / "stage1"), tmp_path / "nat", "value_out")
    both = ranks(["-c", WORKER, str(tmp_path)], 29523)
    said = [rank.communicate(timeout=300)[1] for rank in both]
    assert [rank.returncode for rank in both] == [0, 0], said

    expected = {
        "nat": nat_twin.twin_gradients(tmp_path / "stage1"),
        "nce": nce_twin.twin_gradients(tmp_path / "nat"),
        "ranker": ranker_twin.twin_gradients(ranker_twin.ranker()),
    }
    for name, gradients in expected.items():
        found = torch.load(tmp_path / f"{name}.pt", weights_only=True)
        assert relative_error(found["gradients"], gradients) < CLOSE, name
        if name == "ranker":
            loss = ranker_twin.twin_loss(ranker_twin.ranker()).item()
            assert found["logged"]["loss"] == pytest.approx(loss, rel=1e-4)
