from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from errata.errors import ErrataError, UsageError
from errata.training.objective import Objective
from tests.training import twins
from tests.training.gradient_checks import METHODS, ROWS, TELLING, VIEW, error_of, trained, with_lora
from tests.training.lab import (
    byte_tokenizer,
    dataset,
    edit,
    mcc_kd,
    one_step,
    relative_error,
    sample_rows,
    sft,
    step_gradients,
    tiny_llama,
)


def history(trainer: Any) -> list[dict[str, float]]:
    return [entry for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize("name", METHODS)
def test_five_steps_lower_the_objective(name: str, tmp_path: Path) -> None:
    trainer = trained(METHODS[name][0], tmp_path, max_steps=6, learning_rate=0.05)

    trainer.train()

    losses = [entry["loss"] for entry in history(trainer)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", [*TELLING, "nce"])
def test_training_moves_the_adapter_and_nothing_else(name: str, tmp_path: Path) -> None:
    model = with_lora(tiny_llama())
    before = {key: value.clone() for key, value in model.named_parameters()}
    frozen = [value.clone() for student in VIEW.students.values() for value in student.state_dict().values()]

    trained(METHODS[name][0], tmp_path, model=model, max_steps=5, learning_rate=0.05).train()

    moved = {key for key, value in model.named_parameters() if not torch.equal(value, before[key])}
    assert moved == {key for key in before if "lora_" in key}
    after = [value for student in VIEW.students.values() for value in student.state_dict().values()]
    assert all(torch.equal(one, other) for one, other in zip(frozen, after, strict=True))


def test_full_training_moves_every_parameter(tmp_path: Path) -> None:
    model = tiny_llama()
    before = {key: value.clone() for key, value in model.named_parameters()}

    trained(METHODS["combined"][0], tmp_path, model=model, max_steps=2, learning_rate=0.05).train()

    assert not [key for key, value in model.named_parameters() if torch.equal(value, before[key])]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_logged_terms_are_those_of_the_step_however_it_is_split(size: int, tmp_path: Path) -> None:
    trainer = trained(
        METHODS["combined"][0], tmp_path, per_device_train_batch_size=size, gradient_accumulation_steps=4 // size
    )
    model = tiny_llama()
    drawn = twins.drawn_pairs(ROWS, 1)

    trainer.train()

    (entry,) = history(trainer)
    assert entry["loss"] == pytest.approx(METHODS["combined"][1](model).item(), rel=1e-4)
    assert entry["loss/consistency"] == pytest.approx(twins.consistency(model, ROWS, drawn, 2.0).item(), rel=1e-4)
    assert entry["loss/key/right"] == pytest.approx(twins.edit(model, ROWS, beta=0.0).item(), rel=1e-4)
    assert entry["logp/wrong"] == pytest.approx(-twins.likelihood(model, ROWS, ("wrong",)).item(), rel=1e-4)
    shares = [value for key, value in entry.items() if key.startswith("grad_share/")]
    assert len(shares) == 5
    assert all(share > 0 for share in shares)
    assert sum(shares) == pytest.approx(1)


def test_a_share_is_the_norm_of_the_gradient_at_the_last_hidden_state(tmp_path: Path) -> None:
    rows = ROWS[:3]  # in the last row two pairs share a side, which the twin passes through the model twice
    trainer = trained(edit(beta=0.5), tmp_path, rows=rows)

    trainer.train()

    model, squares = tiny_llama(), []
    for beta, alpha in ((0.0, 1.0), (0.5, 0.0)):
        seen: list[torch.Tensor] = []
        hook = model.base_model.register_forward_hook(
            lambda _, __, out, seen=seen: (out.last_hidden_state.retain_grad(), seen.append(out.last_hidden_state))[0]
        )
        twins.edit(model, rows, alpha=alpha, beta=beta).backward()
        hook.remove()
        squares.append(sum(float(hidden.grad.square().sum()) for hidden in seen if hidden.grad is not None))
    (entry,) = history(trainer)
    expected = squares[1] ** 0.5 / (squares[0] ** 0.5 + squares[1] ** 0.5)
    assert entry["grad_share/key/wrong"] == pytest.approx(expected, rel=1e-3)


def test_rows_of_similar_length_go_together_where_that_is_asked(tmp_path: Path) -> None:
    settings = {"train_sampling_strategy": "group_by_length", "per_device_train_batch_size": 2}
    trainer = trained(METHODS["combined"][0], tmp_path, **settings, gradient_accumulation_steps=2)

    order = list(trainer._get_train_sampler(trainer.train_dataset))

    tokens = [sum(len(member["input_ids"]) for member in row["members"]) for row in ROWS]
    assert len(set(tokens)) > 2
    assert [tokens[place] for place in order] == sorted(tokens, reverse=True)
    assert error_of("combined", trainer) < 1e-5


@pytest.mark.parametrize("name", ["combined", "edit", "mcc-kd"])
def test_evaluation_is_over_the_whole_set_however_it_is_split(name: str, tmp_path: Path) -> None:
    found = []
    for size in (1, 3, 4):
        trainer = trained(METHODS[name][0], tmp_path, per_device_eval_batch_size=size)
        found.append(trainer.evaluate(dataset(ROWS)))

    expected = METHODS[name][1](tiny_llama()).item()
    for metrics in found:
        assert metrics["eval_loss"] == pytest.approx(expected, rel=1e-4)
        assert {key: metrics[key] for key in metrics if "/" in key} == pytest.approx(
            {key: found[0][key] for key in metrics if "/" in key}, rel=1e-4
        )


def test_the_best_checkpoint_is_chosen_by_the_loss_of_the_whole_set(tmp_path: Path) -> None:
    trainer = trained(
        METHODS["edit"][0],
        tmp_path,
        eval_rows=ROWS,
        per_device_eval_batch_size=3,
        eval_strategy="steps",
        eval_steps=1,
        save_strategy="steps",
        save_steps=1,
        load_best_model_at_end=True,
    )

    trainer.train()

    assert trainer.state.best_metric == pytest.approx(METHODS["edit"][1](tiny_llama()).item(), rel=1e-4)


def test_held_out_rows_are_read_alike_at_every_epoch(tmp_path: Path) -> None:
    trainer = trained(mcc_kd(0.5), tmp_path, eval_rows=ROWS, max_steps=-1, num_train_epochs=6, eval_strategy="epoch")

    trainer.train()  # the learning rate is 0

    losses = [entry["eval_loss/consistency"] for entry in trainer.state.log_history if "eval_loss" in entry]
    assert len(losses) == 6
    assert len(set(losses)) == 1


def test_every_epoch_draws_its_own_pairs(tmp_path: Path) -> None:
    trainer = trained(mcc_kd(0.5), tmp_path, max_steps=-1, num_train_epochs=6)
    model = tiny_llama()

    trainer.train()  # the learning rate is 0

    logged = [entry["loss/consistency"] for entry in history(trainer)]
    expected = [twins.consistency(model, ROWS, twins.drawn_pairs(ROWS, 1, epoch)).item() for epoch in range(6)]
    assert logged == pytest.approx(expected, rel=1e-4)
    assert len(set(expected)) > 2


def test_our_plain_distillation_is_that_of_the_stock_trainer(tmp_path: Path) -> None:
    from trl import SFTTrainer

    members = [m for row in ROWS for m in row["members"] if m["kind"] == "right"]
    flat = [
        {"input_ids": m["input_ids"], "labels": [-100] * m["prompt"] + m["input_ids"][m["prompt"] :]} for m in members
    ]
    settings = one_step(
        tmp_path,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    stock = SFTTrainer(tiny_llama(), settings, None, dataset(flat), processing_class=byte_tokenizer())  # type: ignore[arg-type]

    assert relative_error(step_gradients(trained(sft(), tmp_path)), step_gradients(stock)) < 1e-5


def test_packed_plain_distillation_makes_the_same_step(tmp_path: Path) -> None:
    trainer = trained(sft(), tmp_path, packing=True, max_length=128, per_device_train_batch_size=8)

    members = sum(len([m for m in row["members"] if m["kind"] == "right"]) for row in ROWS)
    assert len(trainer.train_dataset) < members
    assert error_of("sft", trainer) < 1e-5


@pytest.mark.parametrize("strategy", ["random", "group_by_length", "batch_rebalance"])
def test_a_resumed_run_follows_the_uninterrupted_one(strategy: str, tmp_path: Path) -> None:
    """It goes on within its second epoch, whose order is another than the first one's."""
    settings: dict[str, Any] = {
        "max_steps": 3 * len(ROWS),
        "train_sampling_strategy": strategy,
        "learning_rate": 0.02,
        "optim": "adamw_torch",
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 1,
        "save_strategy": "steps",
        "save_steps": len(ROWS) + 2,
    }
    whole = trained(mcc_kd(0.5), tmp_path / "whole", **settings)
    whole.train()
    cut = trained(mcc_kd(0.5), tmp_path / "cut", **settings)

    class Stop(type(cut.callback_handler.callbacks[0])):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
            control.should_training_stop = state.global_step == len(ROWS) + 3
            return control

    cut.add_callback(Stop())
    cut.train()
    resumed = trained(mcc_kd(0.5), tmp_path / "cut", **settings)
    resumed.train(resume_from_checkpoint=str(tmp_path / "cut" / f"checkpoint-{len(ROWS) + 2}"))

    keys = ("step", "loss", "loss/consistency", "grad_share/consistency")
    curve = [{key: entry[key] for key in keys if key in entry} for entry in history(whole)]
    assert [{key: entry[key] for key in keys if key in entry} for entry in history(resumed)] == curve
    assert len({json.dumps(entry) for entry in curve}) == 3 * len(ROWS)


def test_mixed_precision_makes_nearly_the_same_step(tmp_path: Path) -> None:
    trainer = trained(METHODS["combined"][0], tmp_path, bf16=True)

    assert error_of("combined", trainer) < 0.1
    assert sum(value for key, value in history(trainer)[0].items() if key.startswith("grad_share/")) == pytest.approx(1)


def test_a_student_with_a_scale_on_its_logits_is_refused_where_distributions_are_compared(tmp_path: Path) -> None:
    model = tiny_llama()
    model.config.logits_scaling = 8.0

    with pytest.raises(UsageError, match="logits_scaling"):
        trained(mcc_kd(), tmp_path, model=model)


def test_a_diverged_step_ends_training_and_changes_no_weight(tmp_path: Path) -> None:
    model = tiny_llama()
    trainer = trained(METHODS["mapd"][0], tmp_path, model=model, max_steps=3, learning_rate=0.1)
    with torch.no_grad():
        model.lm_head.weight[7] = float("nan")
    before = {key: value.clone() for key, value in model.named_parameters()}

    with pytest.raises(ErrataError, match="no finite number in step 1") as error:
        trainer.train()

    assert error.value.exit_code == 1
    assert all(torch.equal(value.nan_to_num(), before[key].nan_to_num()) for key, value in model.named_parameters())


def test_on_a_cpu_a_batch_goes_in_parts_unless_the_student_is_tiny(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def budget(folder: str, asked: int | None = None) -> int | None:
        collator: Any = trained(sft(), tmp_path / folder, use_cpu=True, tokens_per_batch=asked).data_collator
        return collator.tokens  # type: ignore[no-any-return]

    assert budget("tiny") is None
    monkeypatch.setattr("errata.models.generate.TINY", 1000)
    assert budget("large") == 1024
    assert budget("asked", 64) == 64


@pytest.mark.parametrize(
    ("terms", "settings", "found"),
    [
        (edit(), {"packing": True}, "packing"),
        (METHODS["nce"][0][1:], {}, "NAT checkpoint"),
        (sft(), {"max_length": 12}, r"of \d+ sequences are longer than 12"),
        (sft(), {"label_smoothing_factor": 0.1}, "label_smoothing_factor"),
        (sft(), {"loss_type": "dft"}, "dft"),
        (sft(), {"padding_free": True}, "padding_free"),
    ],
)
def test_bad_settings_are_refused_by_name(terms: Any, settings: Any, found: str, tmp_path: Path) -> None:
    from errata.training.trainer import build_trainer

    with pytest.raises(UsageError, match=found):
        build_trainer(tiny_llama(), one_step(tmp_path, **settings), dataset(ROWS), byte_tokenizer(), Objective(terms))


def test_rows_of_another_tokenizer_are_refused(tmp_path: Path) -> None:
    from errata.training.trainer import build_trainer

    other = byte_tokenizer()
    other.add_tokens(["<more>"])

    with pytest.raises(UsageError, match="another tokenizer"):
        build_trainer(tiny_llama(), one_step(tmp_path), dataset(sample_rows()), other, Objective(sft()))
