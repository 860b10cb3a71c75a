"""The student a training starts from: a hub id, a checkpoint, a GGUF file, or `tiny`, ready for TRL."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import PartialState
from peft import LoraConfig
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import ModelConfig, get_peft_config, get_quantization_config

from errata.errors import UsageError
from errata.models.files import Files, find
from errata.models.load import model_of, tokenizer_of, unloadable
from errata.training.classroom_student import model as tiny

TINY = "tiny"
BASE = "base"
"""Folder in the output that holds the weights an adapter stands on, where they are nowhere else on disk."""

Texts = tuple[list[str], list[str]]


def lora_of(config: ModelConfig) -> LoraConfig | None:
    """The adapter that the flags ask for; None: all weights are trained."""
    lora = get_peft_config(config)
    assert lora is None or isinstance(lora, LoraConfig)
    return lora


@dataclass
class Student:
    """A model to be trained with its tokenizer. `homeless`: its weights lie nowhere on disk as they are."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    fingerprint: str | None
    homeless: bool

    @property
    def context(self) -> int | None:
        length: int | None = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return length

    def house(self, output: Path) -> Path | None:
        """Where an adapter on this student will look for its base; told to the model, written by `settle`."""
        if not self.homeless:
            return None
        where = (output / BASE).absolute()
        self.model.name_or_path = self.model.config.name_or_path = str(where)
        return where

    def settle(self, where: Path) -> None:
        """Writes the base's weights there, whole or not at all; a resumed training finds them there."""
        if not (where / "config.json").is_file():
            shutil.rmtree(where, ignore_errors=True)
            tiny.save(where, self.model, self.tokenizer)


def open_student(config: ModelConfig, texts: Callable[[], Texts], seed: int, device_map: str | None = None) -> Student:
    """The student that the flags name.

    Args:
        texts: prompts and completions of the data, of which `tiny` makes its tokenizer.
        seed: of tiny's weights.
        device_map: where its layers lie, as transformers takes it.

    Raises:
        UsageError: none named, none there, or one that cannot be loaded.
    """
    name = config.model_name_or_path
    if not name:
        raise UsageError(
            "no --model_name_or_path",
            "there is no student to train",
            "name a checkpoint, a GGUF file, a hub id or tiny",
        )
    if name == TINY:
        model, tokenizer = tiny.make(*texts(), seed=seed)
        return Student(model, tokenizer, TINY, None, homeless=True)
    if config.model_revision != "main":
        raise UsageError(
            "--model_revision", "only the main branch of a hub model is read", "download it, name its folder"
        )
    files = find(name)
    try:
        student = _open(files, _options(config, device_map))
    except UsageError:
        raise
    except Exception as error:  # every library below has errors of its own for a damaged file
        raise unloadable(f"the student {name}", files.folders, error) from error
    if student.tokenizer.eos_token_id is None:
        raise UsageError(f"{name} has no end token", "a student must learn where an answer ends", "set --eos_token")
    return student


def _open(files: Files, options: dict[str, Any]) -> Student:
    model, tokenizer = model_of(files, **options), tokenizer_of(files)
    adapted = files.base is not None
    if adapted:
        model = model.merge_and_unload() if "quantization_config" in options else merged(model, options["dtype"])
    if files.kind == "gguf":
        model.name_or_path = model.config.name_or_path = str(files.path.absolute())
    model.config.use_cache = False
    return Student(model, tokenizer, str(files.path), files.fingerprint(), homeless=adapted)


def merged(model: Any, dtype: torch.dtype | Literal["auto"]) -> Any:
    """The base with its adapters in its weights, added in fp32; in bf16 small updates would be rounded away.

    It stays in fp32 with `auto`; another dtype is what was asked for.
    """
    whole = model.float().merge_and_unload()
    return whole if dtype == "auto" else whole.to(dtype)


def _options(config: ModelConfig, device_map: str | None) -> dict[str, Any]:
    """TRL's model flags as from_pretrained takes them."""
    dtype = "auto" if config.dtype in ("auto", None) else getattr(torch, config.dtype)
    options: dict[str, Any] = {"dtype": dtype}
    if config.attn_implementation:
        options["attn_implementation"] = config.attn_implementation
    if device_map:
        options["device_map"] = device_map
    quantized = get_quantization_config(config)
    if quantized is not None:
        options = {"device_map": {"": PartialState().local_process_index}, **options, "quantization_config": quantized}
    return options
