"""A tiny random Llama, a byte tokenizer, a few rows of every kind, and the gradient one optimizer step applies."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from errata.records import Span
from errata.training.align import AlignMode
from errata.training.encode import Encoder, Group, Written, make_group
from errata.training.methods import edit as edit_method
from errata.training.methods import mapd as mapd_method
from errata.training.methods import mcc_kd as mcc_kd_method
from errata.training.methods import nce as nce_method
from errata.training.methods import unlearn
from errata.training.terms import Likelihood, Term

# ---- the terms of the shipped methods --------------------------------------------------------------------------------


def sft() -> tuple[Term, ...]:
    return (Likelihood(),)


def mapd(*knobs: Any, **more: Any) -> tuple[Term, ...]:
    return mapd_method.terms(mapd_method.MapdKnobs(*knobs, **more))


def edit(*knobs: Any, **more: Any) -> tuple[Term, ...]:
    return edit_method.terms(edit_method.EditKnobs(*knobs, **more))


def mcc_kd(*knobs: Any, **more: Any) -> tuple[Term, ...]:
    return mcc_kd_method.terms(mcc_kd_method.MccKdKnobs(*knobs, **more))


def nce(**knobs: Any) -> tuple[Term, ...]:
    return nce_method.terms(nce_method.NceKnobs(**knobs))


mix = unlearn.mix


def negative_training(*knobs: Any) -> tuple[Term, ...]:
    return unlearn.negative_training(unlearn.UnlearnKnobs(*knobs))


def unlikelihood(*knobs: Any) -> tuple[Term, ...]:
    return unlearn.unlikelihood(unlearn.UnlearnKnobs(*knobs))


# ---- a student and its rows ------------------------------------------------------------------------------------------


def byte_tokenizer(padding_side: str = "right") -> PreTrainedTokenizerFast:
    """One token a byte; no merges, so texts differ where their tokens do."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<pad>", "<eos>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", padding_side=padding_side
    )


def tiny_llama(seed: int = 0, **changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    shape = {
        "vocab_size": 258,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.2,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": None,
        "tie_word_embeddings": False,
    }
    return LlamaForCausalLM(LlamaConfig(**{**shape, **changes}))


def written(encoder: Encoder, kind: Any, question: str, text: str) -> Written:
    """A completion whose answer is what stands after the last `= `."""
    found = list(re.finditer(r"= (\w+)", text))
    prompt = encoder.tokenizer(question, add_special_tokens=False)["input_ids"]
    return Written(kind, prompt, text, Span(*found[-1].span(1)) if found and kind != "mistake" else None)


STORIES: list[tuple[str, list[tuple[str, str]], list[tuple[int, int]]]] = [
    (
        "3 and 4?",
        [
            ("right", "3 + 4 = 7"),
            ("right", "four and three more: = 7"),
            ("right", "count on from 3 = 7"),
            ("wrong", "3 * 4 = 12"),
            ("mistake", "it says and, not times"),
        ],
        [(0, 3)],
    ),
    ("12 less 1?", [("right", "12 - 1 = 11"), ("right", "one under twelve = 11"), ("wrong", "12 + 1 = 13")], [(0, 2)]),
    (
        "8 halves?",
        [("right", "8 / 2 = 4"), ("wrong", "8 * 2 = 16"), ("mistake", "half"), ("mistake", "a half is less than all")],
        [(0, 1)],
    ),
    (
        "9 - 5?",
        [
            ("right", "five from nine = 4"),
            ("right", "nine = 9, less five = 4"),
            ("chosen", "9 - 5 = 4"),
            ("rejected", "9 - 5 = 5"),
            ("mistake", "count again"),
        ],
        [(2, 3), (0, 3)],
    ),
]


def sample_rows(align: AlignMode = "edit", tokenizer: Any = None) -> list[Group]:
    encoder = Encoder(tokenizer or byte_tokenizer())
    return [
        make_group(f"p{i}", [written(encoder, kind, question, text) for kind, text in texts], pairs, encoder, align)
        for i, (question, texts, pairs) in enumerate(STORIES)
    ]


def dataset(rows: list[Group]) -> Dataset:
    return Dataset.from_list([dict(row) for row in rows])


def one_step(folder: Path, **changes: Any) -> Any:
    """Settings for one optimizer step over all rows, two micro-batches of two rows."""
    from errata.training.arguments import Training

    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "use_cpu": True,
        "bf16": False,
        "activation_checkpointing": False,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 2,
        "max_steps": 1,
        "learning_rate": 0.0,
        "max_grad_norm": 0.0,
        "optim": "sgd",
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1,
        "max_length": None,
        "disable_tqdm": True,
        "seed": 0,
        "dataloader_pin_memory": False,
    }
    return Training(**{**settings, **changes})


def step_gradients(trainer: Any) -> dict[str, torch.Tensor]:
    """The gradients the optimizer is about to apply in the trainer's one step."""
    from transformers import TrainerCallback

    found: dict[str, torch.Tensor] = {}

    class Look(TrainerCallback):
        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **rest: Any) -> None:
            for name, parameter in model.named_parameters():
                if parameter.grad is not None:
                    found[name.removeprefix("module.")] = parameter.grad.detach().clone()

    trainer.add_callback(Look())
    trainer.train()
    return found


def relative_error(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """Norm of the difference over the norm of what is expected, over all parameters."""
    assert set(found) == set(expected)
    difference = sum(float((found[name].double() - expected[name].double()).square().sum()) for name in expected)
    norm = sum(float(expected[name].double().square().sum()) for name in expected)
    assert norm > 1e-12
    return float((difference / norm) ** 0.5)
