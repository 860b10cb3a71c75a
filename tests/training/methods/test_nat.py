"""NAT: what the mixed student computes, what moves when, what is saved, and how it generates."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from errata.errors import UsageError
from errata.models.gate import GATE_FILE, GateSettings, NatModel, load_nat, new_nat
from errata.training.methods.nat import negative_trainer, positive_trainer
from tests.training.lab import (
    byte_tokenizer,
    dataset,
    one_step,
    relative_error,
    step_gradients,
    tiny_llama,
)
from tests.training.methods.nat_students import FIVE, IDS, LORA, fill, logits, losses, moved
from tests.training.methods.nat_twin import ROWS, nat, save_negative, stage_two, twin_gradients, twin_of


@pytest.fixture(scope="module")
def negative(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A negative adapter, random in both of its matrices."""
    return save_negative(tmp_path_factory.mktemp("negative"))


# ---- what it computes ------------------------------------------------------------------------------------------------


def test_a_fresh_nat_student_is_the_base_student(negative: Path) -> None:
    assert torch.equal(logits(nat(negative)), logits(tiny_llama()))


def test_its_views_are_the_two_adapters_alone(negative: Path) -> None:
    model = nat(negative, lively=True)
    alone = PeftModel.from_pretrained(tiny_llama(), negative)

    with model.view("negative"):
        found = logits(model)

    assert torch.equal(found, logits(alone))
    assert not torch.allclose(found, logits(model))
    with model.view("positive"):
        assert not torch.allclose(logits(model), found)
    with model.disable_adapter():
        assert torch.equal(logits(model), logits(tiny_llama()))


@pytest.mark.parametrize(
    ("settings", "divisor"), [({}, 1.0), ({"temperature": 2.0, "scaled": True, "beta": 0.3}, 2 * 8**0.5)]
)
def test_it_is_the_papers_formula_layer_by_layer(negative: Path, settings: dict[str, Any], divisor: float) -> None:
    model = nat(negative, lively=True, **settings)
    plain, _ = twin_of(model, settings.get("beta", 0.5), divisor)

    assert len(model.gates) == 6
    torch.testing.assert_close(logits(model), logits(plain))


def test_the_negative_adapter_weighs_half_at_most_either_way(negative: Path) -> None:
    gate = nat(negative).gates["base_model.model.model.layers.0.self_attn.v_proj"]
    x, positive, other = torch.randn(50, 32) * 30, torch.randn(50, 16) * 30, torch.randn(50, 16) * 30

    alpha_n = gate.alpha_n(x, positive, other)

    assert alpha_n.min().item() == pytest.approx(-0.5)
    assert alpha_n.max().item() == pytest.approx(0.5)
    assert torch.allclose(gate.alpha_n(x, positive, positive), torch.zeros(50, 1))


def test_layers_narrower_than_their_input_have_gates_of_their_width(negative: Path) -> None:
    gate = nat(negative).gates["base_model.model.model.layers.1.self_attn.v_proj"]

    assert gate.query.weight.shape == (8, 32)
    assert gate.key.weight.shape == gate.value_in.weight.shape == (8, 16)
    assert gate.value_out.weight.shape == (16, 8)


def test_arithmetic_is_twice_the_positive_less_the_negative_and_can_be_merged(negative: Path) -> None:
    model = nat(negative, lively=True, gate="arithmetic")
    expected = tiny_llama()
    for name, layer in model._layers():
        update = 2 * layer.get_delta_weight("positive") - layer.get_delta_weight("negative")
        expected.get_submodule(name.removeprefix("base_model.model.")).weight.data += update
    mixed = logits(model)

    torch.testing.assert_close(mixed, logits(expected))
    assert not model.gates
    torch.testing.assert_close(logits(copy.deepcopy(model).merge_and_unload(safe_merge=True)), mixed)
    model.merge_adapter()
    torch.testing.assert_close(logits(model), mixed)
    model.unmerge_adapter()
    torch.testing.assert_close(logits(model), mixed)


def test_a_gate_that_reads_the_input_cannot_be_merged(negative: Path) -> None:
    for safe in (True, False):
        with pytest.raises(UsageError, match="train nce"):
            nat(negative).merge_and_unload(safe_merge=safe)


def test_the_control_has_as_many_trainable_weights_and_knows_nothing(negative: Path) -> None:
    own, control = nat(negative), new_nat(tiny_llama(), negative, GateSettings(width=8), shuffle=1)
    again = new_nat(tiny_llama(), negative, GateSettings(width=8), shuffle=1)

    assert own.get_nb_trainable_parameters() == control.get_nb_trainable_parameters()
    assert torch.equal(logits(control), logits(tiny_llama()))
    for (name, one), (_, other), (_, same) in zip(
        own.named_parameters(), control.named_parameters(), again.named_parameters(), strict=True
    ):
        if ".negative." in name:
            assert not torch.equal(one, other), name
            assert torch.equal(other, same), name
            assert torch.equal(one.flatten().sort().values, other.flatten().sort().values), name


# ---- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
def test_gradient_equals_its_twin(negative: Path, side: str, checkpointing: bool, tmp_path: Path) -> None:
    trainer = stage_two(nat(negative, lively=True), tmp_path, side, activation_checkpointing=checkpointing)

    assert relative_error(step_gradients(trainer), twin_gradients(negative)) < 1e-5


def expected_to_move(model: NatModel) -> set[str]:
    return {name for name, _ in model.named_parameters() if ".positive." in name or ".nat_gate." in name}


@pytest.mark.parametrize("gate", ["attention", "arithmetic"])
def test_five_steps_move_positive_adapter_and_gate_alone(negative: Path, gate: str, tmp_path: Path) -> None:
    model = nat(negative, gate=gate)
    trainer = stage_two(model, tmp_path, **FIVE)

    assert moved(trainer, model) == expected_to_move(model)
    assert losses(trainer)[-1] < losses(trainer)[0]
    assert all(value.grad is None for name, value in model.named_parameters() if ".negative." in name)


def test_control_an_unfrozen_negative_adapter_is_found(negative: Path, tmp_path: Path) -> None:
    model = nat(negative)
    for name, value in model.named_parameters():
        if ".negative." in name:
            value.requires_grad_(True)

    assert moved(stage_two(model, tmp_path / "moved", **FIVE), model) > expected_to_move(model)

    model = nat(negative, lively=True)
    for name, value in model.named_parameters():
        if ".negative." in name:
            value.requires_grad_(True)
    found = step_gradients(stage_two(model, tmp_path / "gradients"))
    assert set(found) > set(twin_gradients(negative))
    assert sum(float(value.square().sum()) for name, value in found.items() if ".negative." in name) > 1e-6


def test_what_starts_at_zero_moves_in_its_turn(negative: Path, tmp_path: Path) -> None:
    model = nat(negative)
    seen: dict[str, int] = {}
    before = {name: value.clone() for name, value in model.named_parameters()}
    trainer = stage_two(model, tmp_path, **{**FIVE, "max_steps": 3})

    class Look(type(trainer.callback_handler.callbacks[0])):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            for name, value in model.named_parameters():
                if name not in seen and not torch.equal(value, before[name]):
                    seen[name] = state.global_step

    trainer.add_callback(Look())
    trainer.train()

    order = {"value_out": 1, "lora_B.positive": 2, "query": 2, "key": 2, "value_in": 2, "lora_A.positive": 3}
    for part, step in order.items():
        assert {at for name, at in seen.items() if f".{part}." in name} == {step}, part
    assert not [name for name in seen if ".negative." in name]


def test_stage_one_learns_wrong_rationales_in_a_plain_adapter(tmp_path: Path) -> None:
    trainer = negative_trainer(
        tiny_llama(), one_step(tmp_path, **FIVE), dataset(ROWS), byte_tokenizer(), LoraConfig(**LORA)
    )
    assert len(trainer.train_dataset) == 3

    found = moved(trainer, trainer.model)
    trainer.save_model()

    assert found == {name for name, _ in trainer.model.named_parameters() if "lora_" in name}
    assert losses(trainer)[-1] < losses(trainer)[0]
    model = nat(tmp_path)
    with model.view("negative"):
        torch.testing.assert_close(logits(model), logits(trainer.model.eval()))


# ---- disk ------------------------------------------------------------------------------------------------------------


def test_a_resumed_run_ends_where_the_uninterrupted_one_does(negative: Path, tmp_path: Path) -> None:
    saving = {**FIVE, "save_strategy": "steps", "save_steps": 3}
    whole = nat(negative)
    stage_two(whole, tmp_path / "whole", **saving).train()

    resumed = nat(negative)
    fill(resumed, "nat_gate", 1)
    stage_two(resumed, tmp_path / "again", **saving).train(str(tmp_path / "whole" / "checkpoint-3"))

    for name, value in resumed.named_parameters():
        assert torch.equal(value, whole.get_parameter(name)), name
        assert value.requires_grad == (name in expected_to_move(resumed)), name


def test_the_best_checkpoint_is_the_one_kept(negative: Path, tmp_path: Path) -> None:
    model = nat(negative)
    evaluated = {"eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps", "save_steps": 1}
    settings = one_step(tmp_path, **{**FIVE, **evaluated, "learning_rate": 0.3}, load_best_model_at_end=True)
    trainer = positive_trainer(model, settings, dataset(ROWS), byte_tokenizer(), eval_rows=dataset(ROWS[:1]))

    trainer.train()

    best = load_nat(tiny_llama(), trainer.state.best_model_checkpoint)
    torch.testing.assert_close(logits(model.eval()), logits(best.eval()), rtol=0, atol=0)
    assert not trainer.state.best_model_checkpoint.endswith("-5")


@pytest.mark.parametrize("gate", ["attention", "arithmetic"])
def test_a_reloaded_student_is_the_saved_one_and_generates_alike(negative: Path, gate: str, tmp_path: Path) -> None:
    model = nat(negative, lively=True, gate=gate, beta=0.4).eval()
    model.save_pretrained(str(tmp_path))
    settings: dict[str, Any] = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": 0}

    loaded = load_nat(tiny_llama(), tmp_path).eval()

    assert loaded.settings == model.settings
    for view in ("mixed", "positive", "negative"):
        with model.view(view), loaded.view(view):
            assert torch.equal(logits(loaded), logits(model))
    written = model.generate(input_ids=IDS, **settings)
    assert torch.equal(loaded.generate(input_ids=IDS, **settings), written)
    assert not torch.equal(tiny_llama().generate(input_ids=IDS, **settings), written)


def test_it_generates_in_batches_as_row_by_row_without_a_cache(negative: Path) -> None:
    from errata.models.generate import Job, generate
    from errata.models.load import Checkpoint
    from errata.models.sampling import Decoding

    model = nat(negative, lively=True).eval()
    checkpoint = Checkpoint("nat", model, byte_tokenizer(), torch.device("cpu"), 256, frozenset({1}))
    prompts = [[5, 60, 70], [11, 12, 13, 200, 30, 31, 90, 8], [44]]
    greedy = Decoding(max_tokens=10, temperature=0.0)

    found = generate(checkpoint, [Job(prompt, greedy) for prompt in prompts])

    for prompt, one in zip(prompts, found, strict=True):
        ids = list(prompt)
        for _ in one.tokens:
            with torch.no_grad():
                ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
        assert list(one.tokens) == ids[len(prompt) :]


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_what_cannot_be_mixed_is_refused_by_name(negative: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not the folder of an adapter"):
        new_nat(tiny_llama(), tmp_path)
    with pytest.raises(UsageError, match="nat_config"):
        load_nat(tiny_llama(), negative)
    with pytest.raises(UsageError, match="does not fit the student"):
        new_nat(tiny_llama(hidden_size=64), negative)
    with pytest.raises(UsageError, match="has adapters already"):
        new_nat(nat(negative), negative)
    with pytest.raises(UsageError, match="NAT with full fine-tuning"):
        negative_trainer(tiny_llama(), one_step(tmp_path), dataset(ROWS), byte_tokenizer(), None)
    rights: Any = [row | {"members": [m for m in row["members"] if m["kind"] == "right"], "pairs": []} for row in ROWS]
    with pytest.raises(UsageError, match="holds anything for nll/wrong"):
        negative_trainer(tiny_llama(), one_step(tmp_path), dataset(rights), byte_tokenizer(), LoraConfig(**LORA))
    for unfit in ({"use_dora": True}, {"bias": "lora_only"}, {"modules_to_save": ["lm_head"]}):
        get_peft_model(tiny_llama(), LoraConfig(**LORA, **unfit)).save_pretrained(tmp_path / "unfit")
        with pytest.raises(UsageError, match=next(iter(unfit))):
            new_nat(tiny_llama(), tmp_path / "unfit")
    get_peft_model(tiny_llama(), LoraConfig(r=2, target_modules=["embed_tokens"])).save_pretrained(tmp_path / "table")
    with pytest.raises(UsageError, match="linear layers"):
        new_nat(tiny_llama(), tmp_path / "table")


def test_a_damaged_nat_folder_is_named(negative: Path, tmp_path: Path) -> None:
    nat(negative).save_pretrained(str(tmp_path))
    gates = (tmp_path / GATE_FILE).read_bytes()

    (tmp_path / GATE_FILE).write_bytes(gates[:100])
    with pytest.raises(UsageError, match=r"nat_gate\.safetensors cannot be read"):
        load_nat(tiny_llama(), tmp_path)
    (tmp_path / GATE_FILE).write_bytes(gates)
    with pytest.raises(UsageError, match="does not fit"):
        load_nat(tiny_llama(num_hidden_layers=1), tmp_path)
    (tmp_path / "positive" / "adapter_model.safetensors").unlink()
    with pytest.raises(UsageError, match="positive is not the folder of an adapter"):
        load_nat(tiny_llama(), tmp_path)


def test_the_saved_adapters_name_the_base_they_were_trained_on(negative: Path, tmp_path: Path) -> None:
    base = tiny_llama()
    base.name_or_path = "students/tiny.gguf"

    new_nat(base, negative, GateSettings(width=8)).save_pretrained(str(tmp_path))

    for name in ("negative", "positive"):
        assert LoraConfig.from_pretrained(tmp_path / name).base_model_name_or_path == "students/tiny.gguf"
