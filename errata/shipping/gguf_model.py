"""A plain checkpoint as a GGUF file: its configuration, its weights and its tokenizer, by the package `gguf`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errata.config.files import draft_of
from errata.errors import UsageError
from errata.models import load
from errata.models.prompting import templated
from errata.records import Message
from errata.shipping.gguf_tokenizer import Vocabulary, begins_with_bos, special_ids, vocabulary_of
from errata.shipping.merge import Plain

DTYPES = ("f32", "f16", "bf16", "q8_0")
"""How weights are stored; vectors are float32 in any case, as llama.cpp wants them."""
PLAIN_TEMPLATE = "{% for message in messages %}{{ message['content'] + '\\n' }}{% endfor %}"
_BLOCK = 32
"""Weights of a row that share a scale in q8_0."""


@dataclass(frozen=True)
class Architecture:
    """A kind of model that llama.cpp computes as transformers does, by the names of both."""

    model_type: str
    name: str
    alternates: bool = False
    """Rotated halves of a query or key head alternate in the file, where transformers stores one after the other."""


ARCHITECTURES = (
    Architecture("llama", "llama", alternates=True),
    Architecture("qwen2", "qwen2"),
    Architecture("qwen3", "qwen3"),
)


def write_gguf(plain: Plain, out: Path, dtype: str, name: str) -> Path:
    """Writes the file, whole or not at all; `dtype` is one of DTYPES, `name` what the file calls the model.

    Raises UsageError where something stands there, for an architecture or tokenizer that would not answer alike, and
    for weights that float16 cannot hold.
    """
    import gguf

    if out.exists():
        raise UsageError(f"{out} is there already", "a model is not written over", "name another file")
    config = plain.model.config
    architecture = architecture_of(config)
    vocabulary = vocabulary_of(plain.tokenizer, config.vocab_size)
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(out)
    writer = gguf.GGUFWriter(draft, architecture.name)
    try:
        _write_settings(writer, plain.model, dtype, name)
        _write_tokenizer(writer, plain, vocabulary)
        for tensor, values, stored in _tensors(plain.model, architecture, dtype):
            writer.add_tensor(tensor, gguf.quants.quantize(values, stored), raw_dtype=stored)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
    return out


def architecture_of(config: Any) -> Architecture:
    """Raises UsageError for one that is not known, or known with a setting that is not written."""
    for each in ARCHITECTURES:
        if each.model_type == config.model_type:
            fault = _fault_of(config)
            if fault is None:
                return each
            raise _unknown(f"a {config.model_type} model with {fault}")
    raise _unknown(f"a model of the architecture {config.model_type}")


def _unknown(fault: str) -> UsageError:
    known = ", ".join(each.model_type for each in ARCHITECTURES)
    return UsageError(
        fault,
        f"errata writes GGUF files of {known} with plain or Llama 3's rotary positions; another would answer otherwise",
        "ship it --to merged, and convert that folder with llama.cpp's own convert_hf_to_gguf.py",
    )


def _fault_of(config: Any) -> str | None:
    """What of the configuration is not written; None where all is."""
    rope = config.rope_parameters.get("rope_type", "default")
    faults = {
        f"rotary positions of the type {rope}": rope not in ("default", "llama3"),
        f"the activation {config.hidden_act}": config.hidden_act != "silu",
        "a sliding window": bool(getattr(config, "use_sliding_window", False)),
        "biases": bool(getattr(config, "mlp_bias", False) or getattr(config, "attention_bias", False)),
    }
    return next((what for what, there in faults.items() if there), None)


def _head_dim(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _write_settings(writer: Any, model: Any, dtype: str, name: str) -> None:
    import gguf

    kinds = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0"}
    config = model.config
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType[kinds[dtype]])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(_head_dim(config))
    writer.add_value_length(_head_dim(config))
    writer.add_rope_dimension_count(_head_dim(config))
    writer.add_rope_freq_base(float(config.rope_parameters["rope_theta"]))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _write_tokenizer(writer: Any, plain: Plain, vocabulary: Vocabulary) -> None:
    tokenizer = plain.tokenizer
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types([int(each) for each in vocabulary.types])
    if vocabulary.merges:
        writer.add_token_merges(vocabulary.merges)
    if vocabulary.scores:
        writer.add_token_scores(vocabulary.scores)
        writer.add_add_space_prefix(True)
        writer.add_remove_extra_whitespaces(True)
        writer.add_precompiled_charsmap(vocabulary.charsmap)
    for name, place in special_ids(tokenizer, ends_of(plain)).items():
        getattr(writer, f"add_{name}_token_id")(place)
    writer.add_add_bos_token(adds_bos(plain))
    writer.add_add_eos_token(False)
    writer.add_chat_template(with_template(tokenizer).chat_template)


def ends_of(plain: Plain) -> list[int]:
    """The ids after which a completion is over, in order."""
    return sorted(load.ends_of(plain.model.generation_config, plain.tokenizer))


def with_template(tokenizer: Any) -> Any:
    """The tokenizer with a chat template that writes what errata.models.prompting does where it has none."""
    if tokenizer.chat_template:
        return tokenizer
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template = PLAIN_TEMPLATE
    return tokenizer


def adds_bos(plain: Plain) -> bool:
    """Whether a prompt begins with the BOS: where the chat template writes it, or, without one, the tokenizer."""
    tokenizer = plain.tokenizer
    if not tokenizer.chat_template:
        return begins_with_bos(tokenizer)
    text = templated(tokenizer, [Message(role="user", content="a")])
    return bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)


def _tensors(model: Any, architecture: Architecture, dtype: str) -> Iterator[tuple[str, Any, Any]]:
    """Name, values in float32 and kind of storage of every tensor of the file."""
    import gguf

    arch = next(each for each, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture.name)
    names = gguf.get_tensor_name_map(arch, model.config.num_hidden_layers)
    shared = model.config.tie_word_embeddings
    for own, weight in model.state_dict().items():
        if own == "lm_head.weight" and shared:
            continue  # llama.cpp takes the embedding where it finds no output
        name = names.get_name(own, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise _unknown(f"a {architecture.model_type} model with the weights {own}")
        weight = weight.float()
        if architecture.alternates and own.endswith(("q_proj.weight", "k_proj.weight")):
            weight = _alternating(weight, _head_dim(model.config))
        values = weight.contiguous().numpy()
        _check_range(own, values, dtype)
        yield name, values, _stored_as(values, dtype)
    if model.config.rope_parameters.get("rope_type") == "llama3":
        yield "rope_freqs.weight", _slowed(model), gguf.GGMLQuantizationType.F32


def _alternating(weight: Any, head: int) -> Any:
    """Rows of query or key heads with the two halves of each head in turn: 0, h/2, 1, h/2 + 1, ..."""
    rows, columns = weight.shape
    return weight.reshape(rows // head, 2, head // 2, columns).transpose(1, 2).reshape(rows, columns)


def _slowed(model: Any) -> Any:
    """How much slower each pair of dimensions turns than plain rotary positions: Llama 3's for long contexts."""
    import torch

    rotary, head = model.model.rotary_emb, _head_dim(model.config)
    theta = model.config.rope_parameters["rope_theta"]
    plain = 1.0 / theta ** (torch.arange(0, head, 2, dtype=torch.float32) / head)
    return (plain / rotary.inv_freq.float().cpu()).numpy()


def _check_range(name: str, values: Any, dtype: str) -> None:
    """Raises UsageError for weights beyond what float16 holds, which q8_0 has its scales in too."""
    largest = float(abs(values).max()) if values.size else 0.0
    if dtype in ("f16", "q8_0") and not largest < 65_504:
        raise UsageError(
            f"{name} holds a weight of {largest:g}", f"{dtype} ends at 65504", "store it as f32 or bf16: --dtype bf16"
        )


def _stored_as(values: Any, dtype: str) -> Any:
    """float32 for vectors; float16 for rows that no blocks of q8_0 fit."""
    import gguf

    if values.ndim == 1:
        return gguf.GGMLQuantizationType.F32
    if dtype == "q8_0" and values.shape[-1] % _BLOCK:
        return gguf.GGMLQuantizationType.F16
    return gguf.GGMLQuantizationType[dtype.upper()]
