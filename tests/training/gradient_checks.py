"""One step of a trainer on small groups, to be compared with slow twins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from errata.training.collate import Batch
from errata.training.objective import Objective
from errata.training.terms import Consistency, KeySteps
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

    def given_weights(self, batch: Batch) -> torch.Tensor:
        return torch.ones(len(batch["input_ids"]))


def one_view() -> View:
    view = View()
    view.students["negative"].lm_head = view.students["mixed"].lm_head
    return view


VIEW = one_view()


def consistent(
    model: Any,
    pairs: int | None,
    alpha: float,
    temperature: float = 1.0,
    shift: int = 1,
    per_rationale: bool = False,
) -> Any:
    drawn = twins.drawn_pairs(ROWS, pairs)
    seen = twins.only_drawn(ROWS, drawn) if pairs else ROWS
    likelihood = twins.likelihood(model, seen, RIGHT, per_sequence=per_rationale)
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


def distilled(model: Any, calibrate: str = "own") -> Any:
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
    "edit-anchor": (
        edit(anchor=0.3),
        lambda m: twins.edit(m, ROWS) + 0.3 * twins.likelihood(m, ROWS, ("chosen",)),
    ),
    "mcc-kd": (mcc_kd(0.5), lambda m: consistent(m, 1, 0.5)),
    "mcc-kd-all-pairs": (mcc_kd(0.5, 2.0, None), lambda m: consistent(m, None, 0.5, 2.0)),
    "mcc-kd-per-rationale": (
        mcc_kd(0.5, per_rationale=True),
        lambda m: consistent(m, 1, 0.5, per_rationale=True),
    ),
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
    "nce-uncalibrated": (nce(temperature=2.0, calibrate="one"), lambda m: distilled(m, calibrate="one")),
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


def trained(
    terms: Any,
    folder: Path,
    side: str = "right",
    model: Any = None,
    rows: Any = ROWS,
    eval_rows: Any = None,
    **settings: Any,
) -> Any:
    from errata.training.trainer import build_trainer

    objective = Objective(terms)
    return build_trainer(
        tiny_llama() if model is None else model,
        one_step(folder, **settings),
        dataset(rows),
        byte_tokenizer(side),
        objective,
        eval_rows=None if eval_rows is None else dataset(eval_rows),
        teacher=VIEW if objective.reads_teacher else None,  # type: ignore[arg-type]
    )


def error_of(name: str, trainer: Any, model: Any = None, twin: Callable[[Any], Any] | None = None) -> float:
    model = tiny_llama() if model is None else model
    expected = twins.gradients(model, (twin or METHODS[name][1])(model))
    return relative_error(step_gradients(trainer), expected)
