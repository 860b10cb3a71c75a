"""NCE: a real NAT student distilled into a plain adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel

from errata.errors import UsageError
from errata.models.gate import load_nat
from errata.training import terms as term_module
from errata.training.methods.nce import nat_teacher, nce_trainer
from errata.training.objective import Objective
from errata.training.sequence_weights import Weighed, given_weights, own_weights
from tests.training.lab import (
    byte_tokenizer,
    dataset,
    nce,
    one_step,
    relative_error,
    step_gradients,
    tiny_llama,
)
from tests.training.methods.nat_students import FIVE, logits, losses, moved
from tests.training.methods.nat_twin import save_nat, save_negative
from tests.training.methods.nce_twin import PLAIN, ROWS, stage_three, twin_gradients

CLOSE = 1e-5


@pytest.fixture(scope="module")
def nat_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A NAT student that is neither its base nor either of its views."""
    folder = tmp_path_factory.mktemp("nat")
    negative = save_negative(folder / "stage1", lora_dropout=0.5)  # must be off in a teacher
    return save_nat(negative, folder / "nat", "lora_B.positive", "value_out")


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"a": 0.9, "temperature": 2.0},
        {"a": 0.9, "calibrate": "one"},
        {"a": 0.9, "calibrate": "mean"},
        {"a": 0.9, "calibrate": "shuffled"},
    ],
    ids=["paper", "hot", "weights-one", "weights-mean", "weights-shuffled"],
)
def test_gradient_equals_its_twin(nat_folder: Path, side: str, settings: dict[str, Any], tmp_path: Path) -> None:
    trainer = stage_three(nat_folder, tmp_path, side, nce(**settings))

    assert relative_error(step_gradients(trainer), twin_gradients(nat_folder, **settings)) < CLOSE


def test_few_tokens_distributions_are_held_at_once(
    nat_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(term_module, "CHUNK", 3)
    trainer = stage_three(nat_folder, tmp_path)
    project, sizes = trainer.teacher.project, set()
    monkeypatch.setattr(trainer.teacher, "project", lambda hidden: sizes.add(len(hidden)) or project(hidden))

    assert relative_error(step_gradients(trainer), twin_gradients(nat_folder)) < CLOSE
    assert max(sizes) == 3


@pytest.mark.parametrize(("size", "calibrate"), [(1, "own"), (1, "shuffled"), (3, "own"), (4, "own")])
def test_micro_batches_of_any_size_make_the_same_step(
    nat_folder: Path, size: int, calibrate: str, tmp_path: Path
) -> None:
    split = {"per_device_train_batch_size": size, "gradient_accumulation_steps": -(-4 // size)}

    trainer = stage_three(
        nat_folder, tmp_path, terms=nce(calibrate=calibrate), **split, activation_checkpointing=size == 3
    )

    assert relative_error(step_gradients(trainer), twin_gradients(nat_folder, calibrate=calibrate)) < CLOSE


def test_controls_other_weights_and_views_are_found(nat_folder: Path, tmp_path: Path) -> None:
    own = twin_gradients(nat_folder, a=0.9)
    for calibrate, least in (("mean", 100 * CLOSE), ("shuffled", 100 * CLOSE), ("one", 1e-2)):
        other = stage_three(nat_folder, tmp_path, terms=nce(a=0.9, calibrate=calibrate))
        assert relative_error(step_gradients(other), own) > least

    swapped = stage_three(nat_folder, tmp_path, terms=nce(a=0.9))
    hidden = swapped.teacher.hidden
    swapped.teacher.hidden = lambda view, batch: hidden("mixed" if view == "negative" else "negative", batch)
    assert relative_error(step_gradients(swapped), own) > 1e-2


def test_five_steps_move_the_new_adapter_and_neither_teacher_nor_base(nat_folder: Path, tmp_path: Path) -> None:
    trainer = stage_three(nat_folder, tmp_path, **FIVE)
    nat = trainer.teacher.nat
    before = {name: value.clone() for name, value in nat.state_dict().items()}

    found = moved(trainer, trainer.model)

    assert found == {name for name, _ in trainer.model.named_parameters() if "lora_" in name}
    assert all(torch.equal(value, before[name]) for name, value in nat.state_dict().items())
    assert losses(trainer)[-1] < losses(trainer)[0]


def test_five_steps_of_distillation_alone_bring_the_student_nearer(nat_folder: Path, tmp_path: Path) -> None:
    trainer = stage_three(nat_folder, tmp_path, terms=nce(a=1.0)[1:], **FIVE)

    trainer.train()

    assert losses(trainer)[-1] < losses(trainer)[0]


def test_teacher_and_student_stand_on_the_same_weights(nat_folder: Path) -> None:
    base = tiny_llama()
    teacher = nat_teacher(base, nat_folder)

    theirs = {value.data_ptr() for value in teacher.base.parameters()}

    assert {value.data_ptr() for value in base.parameters()} < theirs
    assert torch.equal(logits(base), logits(tiny_llama()))
    assert torch.equal(logits(teacher.nat), logits(load_nat(tiny_llama(), nat_folder).eval()))


def test_the_distilled_student_is_a_plain_adapter(nat_folder: Path, tmp_path: Path) -> None:
    trainer = stage_three(nat_folder, tmp_path, **FIVE)
    trainer.train()
    trainer.save_model()

    loaded = PeftModel.from_pretrained(tiny_llama(), tmp_path)

    torch.testing.assert_close(logits(loaded), logits(trainer.model.eval()))
    torch.testing.assert_close(logits(loaded.merge_and_unload()), logits(trainer.model.eval()))


def test_in_mixed_precision_the_loss_is_nearly_that_of_full(nat_folder: Path, tmp_path: Path) -> None:
    values = []
    for half in (False, True):
        trainer = stage_three(nat_folder, tmp_path, bf16=half)
        trainer.train()
        values.append(trainer.state.log_history[0]["loss/calibrated"])

    assert values[1] != values[0]
    assert values[1] == pytest.approx(values[0], rel=0.05)


def test_what_cannot_be_distilled_is_refused_by_name(nat_folder: Path, tmp_path: Path) -> None:
    teacher = nat_teacher(tiny_llama(), nat_folder)
    args, data, tokenizer = one_step(tmp_path), dataset(ROWS), byte_tokenizer()

    with pytest.raises(UsageError, match="NCE with full fine-tuning"):
        nce_trainer(tiny_llama(), teacher, args, data, tokenizer, None, Objective(nce()))
    with pytest.raises(UsageError, match="300 tokens and a NAT student of 258"):
        nce_trainer(tiny_llama(vocab_size=300), teacher, args, data, tokenizer, LoraConfig(**PLAIN), Objective(nce()))
    with pytest.raises(UsageError, match="nat_config"):
        nat_teacher(tiny_llama(), nat_folder.parent / "stage1")


@given(st.lists(st.tuples(st.floats(0.5, 1.5), st.integers(1, 40)), min_size=1, max_size=20), st.integers(0, 5))
def test_what_a_control_gives_is_made_of_the_sequences_own_weights(told: list[tuple[float, int]], seed: int) -> None:
    own = {(place,): Weighed(*each) for place, each in enumerate(told)}
    mean, shuffled = (given_weights(own, how, seed) for how in ("mean", "shuffled"))

    total = sum(weight * tokens for weight, tokens in told)
    assert sum(mean[key] * own[key].tokens for key in own) == pytest.approx(total)
    assert len(set(mean.values())) == 1
    assert sorted(shuffled.values()) == sorted(weight for weight, _ in told)
    assert shuffled == given_weights(dict(reversed(own.items())), "shuffled", seed)
    assert given_weights(own, "own", seed) == given_weights(own, "one", seed) == {}


def test_held_out_rows_have_weights_of_their_own(nat_folder: Path, tmp_path: Path) -> None:
    base = tiny_llama()
    objective = Objective(nce(calibrate="mean"))
    trainer = nce_trainer(
        base,
        nat_teacher(base, nat_folder),
        one_step(tmp_path),
        dataset(ROWS[:2]),
        byte_tokenizer(),
        LoraConfig(**PLAIN),
        objective,
        eval_rows=dataset(ROWS[2:]),
    )

    own = own_weights(trainer.teacher, ROWS, ("right",))
    given = trainer.teacher.given
    assert set(given) == set(own)
    assert len(set(given.values())) == 2
