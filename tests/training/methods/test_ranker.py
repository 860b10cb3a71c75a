"""The ranker: its loss and gradient against slow twins, what it learns, what is saved, how it scores."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from transformers import BertConfig, BertModel, T5Config, T5ForConditionalGeneration

from errata.errors import ErrataError, UsageError
from errata.models.ranker import RankerSettings, Scorer, load_ranker, new_ranker
from errata.training.methods.ranker import RankerTrainer, pair_loss_sum, pair_rows, pairwise_accuracy
from tests.training.lab import relative_error, step_gradients, tiny_llama
from tests.training.methods.ranker_twin import (
    LORA,
    PAIRS,
    ROWS,
    TOKENIZER,
    ranker,
    trainer,
    twin_gradients,
    twin_loss,
    twin_score,
)

FIVE: dict[str, Any] = {
    "max_steps": 5,
    "learning_rate": 0.01,
    "optim": "adamw_torch",
    "lr_scheduler_type": "constant",
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 1,
}


def logged(made: RankerTrainer, key: str = "loss") -> list[float]:
    return [entry[key] for entry in made.state.log_history if key in entry]


# ---- loss ------------------------------------------------------------------------------------------------------------


def test_the_pair_loss_by_hand() -> None:
    scores = torch.tensor([[0.9, 0.2], [0.5, 0.5]])

    assert pair_loss_sum(scores.logit()).item() == pytest.approx(0.1**3 + 0.2**3 + 2 * 0.5**3)
    assert pair_loss_sum(scores.logit(), 7).item() == pytest.approx(0.1**7 + 0.2**7 + 2 * 0.5**7)
    assert pairwise_accuracy(torch.tensor([[0.9, 0.2], [0.5, 0.5], [0.1, 0.3]])).tolist() == [1, 0.5, 0]


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_gradient_equals_its_twin(size: int, lora: bool, tmp_path: Path) -> None:
    made = trainer(
        ranker(lora),
        tmp_path,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=-(-4 // size),
        activation_checkpointing=size == 2,
    )

    assert relative_error(step_gradients(made), twin_gradients(ranker(lora))) < 1e-5
    assert logged(made)[0] == pytest.approx(twin_loss(ranker(lora)).item(), rel=1e-4)


def test_control_pooling_the_question_as_well_is_found(tmp_path: Path) -> None:
    made = trainer(ranker(), tmp_path)
    collate = made.data_collator
    made.data_collator = lambda rows: {**(batch := collate(rows)), "rationale": batch["attention_mask"].float()}

    assert relative_error(step_gradients(made), twin_gradients(ranker())) > 1e-2


# ---- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lora", [False, True])
def test_five_steps_lower_the_loss_and_move_what_they_should(lora: bool, tmp_path: Path) -> None:
    model = ranker(lora)
    before = {name: value.clone() for name, value in model.named_parameters()}
    made = trainer(model, tmp_path, **FIVE)

    made.train()

    assert logged(made)[-1] < logged(made)[0]
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {name for name in before if not lora or "lora_" in name or "head." in name}


def separable() -> list[dict[str, str]]:
    """Right rationales double a number, wrong ones halve it."""
    return [
        {"prompt": f"double {n}?", "chosen": f"{n} and {n}{end}", "rejected": f"half of {n}{end}"}
        for n, end in itertools.product(range(12), ("", ".", "!"))
    ]


def test_a_separable_set_is_learned_in_a_few_steps_and_held_out_pairs_with_it(tmp_path: Path) -> None:
    pairs = separable()
    rows, held_out = pair_rows(pairs[:27], TOKENIZER, 64), pair_rows(pairs[27:], TOKENIZER, 64)
    made = trainer(ranker(), tmp_path, rows, **{**FIVE, "max_steps": 25}, eval_rows=held_out)

    made.train()
    found = made.evaluate()

    assert logged(made)[-1] < 0.1 * logged(made)[0]
    assert logged(made, "accuracy")[-1] == 1
    assert found["eval_accuracy"] == 1
    assert found["eval_score/right"] > 0.8 > 0.2 > found["eval_score/wrong"]


def test_a_resumed_run_ends_where_the_uninterrupted_one_does(tmp_path: Path) -> None:
    for lora in (False, True):
        saving = {**FIVE, "per_device_train_batch_size": 1, "save_strategy": "steps", "save_steps": 3}
        whole, resumed = ranker(lora), ranker(lora)
        trainer(whole, tmp_path / f"whole{lora}", **saving).train()

        with torch.no_grad():
            resumed.head.out.weight.fill_(0.5)
        trainer(resumed, tmp_path / "again", **saving).train(str(tmp_path / f"whole{lora}" / "checkpoint-3"))

        for name, value in resumed.named_parameters():
            assert torch.equal(value, whole.get_parameter(name)), name


def test_the_best_checkpoint_is_the_one_kept(tmp_path: Path) -> None:
    steps = {"eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps", "save_steps": 1}
    settings = {**FIVE, **steps, "learning_rate": 1.0, "load_best_model_at_end": True}
    model = ranker()
    made = trainer(model, tmp_path, **settings, eval_rows=ROWS)

    made.train()

    best = load_ranker(made.state.best_model_checkpoint, device="cpu").ranker
    assert all(torch.equal(value, best.get_parameter(name)) for name, value in model.named_parameters())


def test_a_diverged_ranker_ends_training(tmp_path: Path) -> None:
    model = ranker()
    with torch.no_grad():
        model.head.out.bias.fill_(float("nan"))

    with pytest.raises(ErrataError, match="no numbers in step 1"):
        trainer(model, tmp_path, **FIVE).train()


# ---- scores ----------------------------------------------------------------------------------------------------------


def texts() -> tuple[list[str], list[str]]:
    sides = [(pair["prompt"], pair[side]) for pair in PAIRS for side in ("chosen", "rejected")]
    return [question for question, _ in sides], [text for _, text in sides]


def test_a_score_depends_on_nothing_but_question_and_rationale() -> None:
    scorer = Scorer(ranker().eval(), TOKENIZER)
    questions, rationales = texts()

    found = scorer.score(questions, rationales, rows=3)

    with torch.no_grad():
        alone = [twin_score(scorer.ranker, *pair).item() for pair in zip(questions, rationales, strict=True)]
    assert found == pytest.approx(alone, abs=1e-5)
    assert len(set(found)) == len(found)


def test_what_cannot_be_read_has_no_score() -> None:
    scorer = Scorer(ranker().eval(), TOKENIZER)

    found = scorer.score(["a?"] * 3, ["b", "", "c" * 70])

    assert isinstance(found[0], float)
    assert found[1:] == [None, None]
    assert scorer.score([], []) == []


@pytest.mark.parametrize("lora", [False, True])
def test_a_reloaded_ranker_scores_alike(lora: bool, tmp_path: Path) -> None:
    tiny_llama().save_pretrained(tmp_path / "base")
    TOKENIZER.save_pretrained(tmp_path / "base")
    student = type(tiny_llama()).from_pretrained(tmp_path / "base")
    model = new_ranker(student, RankerSettings(max_length=99), LoraConfig(**LORA) if lora else None)
    made = trainer(model, tmp_path / "ranker", **FIVE)
    made.train()
    made.save_model()

    loaded = load_ranker(tmp_path / "ranker", device="cpu")

    assert loaded.ranker.settings == model.settings
    assert loaded.score(*texts()) == Scorer(model.eval(), TOKENIZER).score(*texts())


def test_an_encoder_will_do(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}
    model = new_ranker(BertModel(BertConfig(vocab_size=258, **shape)))
    made = trainer(model, tmp_path, **FIVE)
    made.train()
    made.save_model()

    assert logged(made)[-1] < logged(made)[0]
    found = load_ranker(tmp_path, device="cpu").score(*texts())
    assert found == pytest.approx(Scorer(model.eval(), TOKENIZER).score(*texts()), abs=1e-6)


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "found"),
    [
        ({"prompt": "a", "chosen": "b", "rejected": "b"}, "pair 2: both sides are equal"),
        ({"prompt": "a", "chosen": "b", "rejected": " "}, "pair 2: no text in `rejected`"),
        ({"prompt": "a", "chosen": "b"}, "pair 2: no text in `rejected`"),
        ({"prompt": "a", "chosen": "b" * 70, "rejected": "c"}, r"1 of 4 rationales are longer than 64 .*72"),
    ],
)
def test_pairs_that_teach_nothing_are_refused_by_number(pair: dict[str, str], found: str) -> None:
    with pytest.raises(UsageError, match=found):
        pair_rows([PAIRS[0], pair], TOKENIZER, 64)


def test_what_is_no_ranker_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pair"):
        pair_rows([], TOKENIZER, 64)
    small = T5Config(vocab_size=50, d_model=8, d_ff=8, d_kv=4, num_layers=1, num_heads=2)
    with pytest.raises(UsageError, match="T5ForConditionalGeneration"):
        new_ranker(T5ForConditionalGeneration(small))
    with pytest.raises(UsageError, match="ranker_config"):
        load_ranker(tmp_path)
    ranker().save(tmp_path)
    with pytest.raises(UsageError, match="does not hold this ranker's weights"):
        ranker(hidden_size=64).restore(tmp_path)
    (tmp_path / "ranker_head.safetensors").write_bytes(b"torn")
    with pytest.raises(UsageError, match="does not hold this ranker's weights"):
        load_ranker(tmp_path)
