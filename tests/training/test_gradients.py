"""Every objective's gradient, taken by the trainer in padded micro-batches, against its slow twin."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from errata.training.collate import Batch
from errata.training.objective import Objective
from errata.training.terms import Calibrated, Consistency, KeySteps, Likelihood
from tests.training import twins
from tests.training.lab import (
    byte_tokenizer,
    dataset,
    edit,
    mapd,
    mcc_kd,
    mix,
    nce,
    negative_training,
    one_step,
    relative_error,
    sample_rows,
    sft,
    step_gradients,
    tiny_llama,
    unlikelihood,
)

CLOSE = 1e-5
ROWS = sample_rows()
RIGHT = ("right",)


class View:
    """A NAT student's stand-in: two other random students."""

    def __init__(self) -> None:
        self.students = {"mixed": tiny_llama(1), "negative": tiny_llama(2)}

    def hidden(self, view: str, batch: Batch) -> torch.Tensor:
        names = ("input_ids", "attention_mask", "position_ids")
        with torch.no_grad():
            return self.students[view].base_model(**{name: batch[name] for name in names if name in batch})[0]

    def project(self, hidden_ND: torch.Tensor) -> torch.Tensor:
        return self.students["mixed"].lm_head(hidden_ND)


def one_view() -> View:
    view = View()
    view.students["negative"].lm_head = view.students["mixed"].lm_head
    return view


VIEW = one_view()


def consistent(model: Any, pairs: int | None, alpha: float, temperature: float = 1.0, shift: int = 1) -> Any:
    drawn = twins.drawn_pairs(ROWS, pairs)
    likelihood = twins.likelihood(model, twins.only_drawn(ROWS, drawn) if pairs else ROWS, RIGHT)
    return likelihood + alpha * twins.consistency(model, ROWS, drawn, temperature, shift)


def combined(model: Any) -> Any:
    """MAPD's tasks, EDIT's weights and MCC-KD's term on the same rows."""
    drawn = twins.drawn_pairs(ROWS, 1)
    seen = twins.only_drawn(ROWS, drawn)
    return (
        twins.mapd(model, seen, 0.4)
        + 0.5 * twins.edit(model, ROWS, beta=0.2)
        + 0.3 * twins.consistency(model, ROWS, drawn, 2.0)
    )


COMBINED = (*mapd(0.4), KeySteps(weight=0.5, beta=0.2), Consistency(weight=0.3, temperature=2.0))


def distilled(model: Any, calibrate: bool = True) -> Any:
    views = VIEW.students["mixed"], VIEW.students["negative"]
    return 0.5 * twins.likelihood(model, ROWS, RIGHT) + 0.5 * twins.calibrated(
        model, ROWS, *views, temperature=2.0, calibrate=calibrate
    )


METHODS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "sft": (sft(), lambda m: twins.likelihood(m, ROWS, RIGHT)),
    "mapd": (mapd(0.3), lambda m: twins.mapd(m, ROWS, 0.3)),
    "edit": (edit(), lambda m: twins.edit(m, ROWS)),
    "edit-gamma": (edit(0.7, 0.4, 0.1), lambda m: twins.edit(m, ROWS, 0.7, 0.4, 0.1)),
    "edit-bounded": (edit(beta=0.4, bounded=True), lambda m: twins.edit(m, ROWS, beta=0.4, bounded=True)),
    "mcc-kd": (mcc_kd(0.5), lambda m: consistent(m, 1, 0.5)),
    "mcc-kd-all-pairs": (mcc_kd(0.5, 2.0, None), lambda m: consistent(m, None, 0.5, 2.0)),
    "mcc-kd-alpha-0": (mcc_kd(0.0), lambda m: consistent(m, 1, 0.0)),
    "mix": (mix(), lambda m: twins.likelihood(m, ROWS, ("right", "wrong"))),
    "nt": (
        negative_training(0.2),
        lambda m: twins.likelihood(m, ROWS, RIGHT) - 0.2 * twins.likelihood(m, ROWS, ("wrong",)),
    ),
    "ul": (
        unlikelihood(0.2),
        lambda m: twins.likelihood(m, ROWS, RIGHT) + 0.2 * twins.likelihood(m, ROWS, ("wrong",), push=True),
    ),
    "nce": (nce(temperature=2.0), distilled),
    "nce-uncalibrated": (nce(temperature=2.0, calibrate=False), lambda m: distilled(m, calibrate=False)),
    "combined": (COMBINED, combined),
}
"""Those whose gradient is most of one's own: a wrong term would show."""
TELLING = ("mapd", "edit-gamma", "mcc-kd", "combined")


def with_lora(model: Any) -> Any:
    """LoRA on attention and feed-forward layers, with both of its matrices random, so that both have a gradient."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(5)
    adapted = get_peft_model(model, LoraConfig(r=3, target_modules=["q_proj", "v_proj", "down_proj"]))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return adapted


def trained(terms: Any, folder: Path, side: str = "right", model: Any = None, rows: Any = ROWS, **settings: Any) -> Any:
    from errata.training.trainer import build_trainer

    objective = Objective(terms)
    return build_trainer(
        tiny_llama() if model is None else model,
        one_step(folder, **settings),
        dataset(rows),
        byte_tokenizer(side),
        objective,
        teacher=VIEW if objective.reads_teacher else None,  # type: ignore[arg-type]
    )


def error_of(name: str, trainer: Any, model: Any = None, twin: Callable[[Any], Any] | None = None) -> float:
    model = tiny_llama() if model is None else model
    expected = twins.gradients(model, (twin or METHODS[name][1])(model))
    return relative_error(step_gradients(trainer), expected)


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


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", [*TELLING, "nce"])
def test_adapters_get_the_twins_gradient(name: str, checkpointing: bool, tmp_path: Path) -> None:
    trainer = trained(METHODS[name][0], tmp_path, model=with_lora(tiny_llama()), gradient_checkpointing=checkpointing)

    assert error_of(name, trainer, model=with_lora(tiny_llama())) < CLOSE


@pytest.mark.parametrize("name", [*TELLING, "nce"])
def test_gradient_checkpointing_changes_nothing(name: str, tmp_path: Path) -> None:
    assert error_of(name, trained(METHODS[name][0], tmp_path, gradient_checkpointing=True)) < CLOSE


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


def test_control_a_missing_term_is_found(tmp_path: Path) -> None:
    for name in ("mcc-kd", "nce", "combined"):
        terms = [term for term in METHODS[name][0] if not isinstance(term, Consistency | Calibrated)]

        assert error_of(name, trained(terms, tmp_path)) > WRONG, name


# ---- two processes ---------------------------------------------------------------------------------------------------

WORKER = """
import sys, torch
from pathlib import Path
from tests.training.lab import step_gradients
folder = Path(sys.argv[1])
for name in TELLING:
    trainer = trained(METHODS[name][0], folder, per_device_train_batch_size=1, ddp_backend="gloo")
    assert trainer.accelerator.num_processes == 2
    found = step_gradients(trainer)
    logged = trainer.state.log_history[0]["loss"]
    if trainer.accelerator.is_main_process:
        torch.save({"gradients": found, "loss": logged}, folder / f"{name}.pt")
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
