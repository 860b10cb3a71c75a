"""Every objective's gradient, taken by the trainer in padded micro-batches, against its slow twin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from errata.training.collate import Batch
from errata.training.terms import Calibrated, Consistency, Likelihood
from tests.training import twins
from tests.training.gradient_checks import (
    METHODS,
    ROWS,
    TELLING,
    consistent,
    error_of,
    trained,
    with_lora,
)
from tests.training.lab import (
    edit,
    relative_error,
    tiny_llama,
)

CLOSE = 1e-5


@pytest.mark.parametrize("name", METHODS)
def test_gradient_equals_its_twin(name: str, tmp_path: Path) -> None:
    assert error_of(name, trained(METHODS[name][0], tmp_path)) < CLOSE


@pytest.mark.parametrize("name", METHODS)
def test_padding_on_the_left_changes_nothing(name: str, tmp_path: Path) -> None:
    assert error_of(name, trained(METHODS[name][0], tmp_path, "left")) < CLOSE


@pytest.mark.parametrize("size", [1, 3, 4])
@pytest.mark.parametrize("name", TELLING)
def test_micro_batches_of_any_size_make_the_same_step(name: str, size: int, tmp_path: Path) -> None:
    trainer = trained(
        METHODS[name][0],
        tmp_path,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=-(-len(ROWS) // size),
    )

    assert error_of(name, trainer) < CLOSE


@pytest.mark.parametrize("name", [*TELLING, "nce"])
def test_a_token_budget_makes_the_same_step_in_parts(name: str, tmp_path: Path) -> None:
    trainer = trained(METHODS[name][0], tmp_path, tokens_per_batch=120, per_device_train_batch_size=4)
    widths: list[int] = []
    step = trainer.compute_loss
    trainer.compute_loss = lambda model, inputs, **more: (
        widths.append(inputs["input_ids"].numel()),
        step(model, inputs, **more),
    )[1]

    assert error_of(name, trainer) < CLOSE
    assert len(widths) > 2
    assert trainer.state.log_history[0]["loss"] == pytest.approx(METHODS[name][1](tiny_llama()).item(), rel=1e-4)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", [*TELLING, "nce"])
def test_adapters_get_the_twins_gradient(name: str, checkpointing: bool, tmp_path: Path) -> None:
    trainer = trained(METHODS[name][0], tmp_path, model=with_lora(tiny_llama()), activation_checkpointing=checkpointing)

    assert error_of(name, trainer, model=with_lora(tiny_llama())) < CLOSE


@pytest.mark.parametrize("name", [*TELLING, "nce"])
def test_activation_checkpointing_changes_nothing(name: str, tmp_path: Path) -> None:
    assert error_of(name, trained(METHODS[name][0], tmp_path, activation_checkpointing=True)) < CLOSE


def test_tied_embeddings_get_the_gradient_of_both_uses(tmp_path: Path) -> None:
    trainer = trained(METHODS["combined"][0], tmp_path, model=tiny_llama(tie_word_embeddings=True))

    assert error_of("combined", trainer, model=tiny_llama(tie_word_embeddings=True)) < CLOSE


# ---- negative controls: each of these mistakes is far outside the tolerance ------------------------------------------

WRONG = 1e-2


def test_control_an_unshifted_span_is_found(tmp_path: Path) -> None:
    unshifted = lambda m: consistent(m, 1, 0.5, shift=0)  # noqa: E731

    assert error_of("mcc-kd", trained(METHODS["mcc-kd"][0], tmp_path), twin=unshifted) > WRONG


def test_control_a_mean_over_each_micro_batch_is_found(tmp_path: Path) -> None:
    for name in ("sft", "mapd", "edit", "mcc-kd"):
        trainer = trained(METHODS[name][0], tmp_path)
        whole_step = trainer.compute_loss
        trainer.compute_loss = lambda model, inputs, num_items_in_batch=None, step=whole_step: (
            step(model, inputs) / 2  # by the micro-batch's own denominators, averaged over the two
        )

        assert error_of(name, trainer) > WRONG, name


def test_control_a_wrong_sign_is_found(tmp_path: Path) -> None:
    upside_down = lambda m: twins.edit(m, ROWS, beta=-0.2)  # noqa: E731

    assert error_of("edit", trained(edit(beta=0.2), tmp_path), twin=upside_down) > WRONG


def test_control_weights_beside_their_tokens_are_found(tmp_path: Path) -> None:
    trainer = trained(METHODS["edit"][0], tmp_path)
    collate = trainer.data_collator

    def shifted(rows: Any) -> Batch:
        batch = collate(rows)
        return batch | {"key": batch["key"].roll(-1, dims=1)}

    trainer.data_collator = shifted

    assert error_of("edit", trainer) > WRONG


def test_control_a_rationale_counted_once_each_is_found(tmp_path: Path) -> None:
    once_each = (Likelihood(weight=0.7), Likelihood(weight=0.3, reads=("mistake",)))

    assert error_of("mapd", trained(once_each, tmp_path)) > 1e-3


def test_control_a_mean_over_all_tokens_is_not_the_mean_of_each_rationale(tmp_path: Path) -> None:
    assert error_of("mcc-kd-per-rationale", trained(METHODS["mcc-kd"][0], tmp_path)) > WRONG


def test_control_a_missing_term_is_found(tmp_path: Path) -> None:
    for name in ("mcc-kd", "nce", "combined"):
        terms = [term for term in METHODS[name][0] if not isinstance(term, Consistency | Calibrated)]

        assert error_of(name, trained(terms, tmp_path)) > WRONG, name


# ---- two processes ---------------------------------------------------------------------------------------------------

WORKER = """
import sys, torch
from pathlib import Path
from tests.training.gradient_checks import METHODS, TELLING, trained
from tests.training.lab import step_gradients
folder = Path(sys.argv[1])
for name in TELLING:
    trainer = trained(METHODS[name][0], folder, per_device_train_batch_size=1, ddp_backend="gloo")
    assert trainer.accelerator.num_processes == 2
    found = step_gradients(trainer)
    logged = trainer.state.log_history[0]["loss"]
    if trainer.accelerator.is_main_process:
        torch.save({"gradients": found, "loss": logged}, folder / f"{name}.pt")
    trainer.accelerator.wait_for_everyone()
trainer.accelerator.end_training()
"""


@pytest.mark.slow
def test_two_processes_make_the_same_step(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path)],
            cwd=root,
            env=os.environ
            | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
            | {"MASTER_PORT": "29517", "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [rank.communicate(timeout=300)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], said

    for name in TELLING:
        found = torch.load(tmp_path / f"{name}.pt", weights_only=True)
        model = tiny_llama()
        loss = METHODS[name][1](model)
        assert relative_error(found["gradients"], twins.gradients(model, loss)) < CLOSE, name
        assert found["loss"] == pytest.approx(loss.item(), rel=1e-4), name
