"""A checkpoint's tokenizer as the keys of a GGUF file, so that llama.cpp reads the same token ids.

byte-level BPE                                   model `gpt2` with the split that llama.cpp knows by name
one token a word, as `tiny` has it (WordPiece)   model `t5` (unigram): fewest pieces, which is the longest match
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from errata.errors import UsageError
from errata.shipping.whitespace_map import whitespace_map

BLANK = "\u2581"
"""Stands before a word in a unigram vocabulary."""
_QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3_SPLIT = _QWEN2_SPLIT.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


class Type(IntEnum):
    """What a token is, by the numbers of the GGUF specification (tokenizer.ggml.token_type)."""

    NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5


@dataclass(frozen=True)
class Vocabulary:
    """What a GGUF file says of a tokenizer. `tokens` and `types` have an entry per row of the embedding."""

    model: str
    tokens: list[str]
    types: list[Type]
    pre: str = "default"
    merges: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    charsmap: bytes = b""


def vocabulary_of(tokenizer: Any, rows: int) -> Vocabulary:
    """The tokenizer's, for an embedding of so many rows. Raises UsageError where llama.cpp could not read alike."""
    definition = json.loads(tokenizer.backend_tokenizer.to_str())
    vocab: dict[str, int] = tokenizer.get_vocab()
    if max(vocab.values()) >= rows:
        raise _unlike(f"{max(vocab.values()) + 1} tokens for {rows} rows of the embedding")
    added = {each["id"]: Type.CONTROL if each["special"] else Type.USER_DEFINED for each in definition["added_tokens"]}
    match definition["model"]["type"]:
        case "BPE":
            return _bpe(definition, vocab, added, rows)
        case "WordPiece":
            return _words(definition, vocab, added, rows, tokenizer.unk_token_id)
    raise _unlike(f"a tokenizer of the type {definition['model']['type']}")


def _unlike(fault: str) -> UsageError:
    return UsageError(
        fault,
        "llama.cpp would read other token ids than the student learned from: written are byte-level BPE split as "
        "GPT-2, SmolLM2, Qwen2 or Llama 3 do, and the word tokenizer of the student `tiny`",
        "ship it --to merged, and convert that folder with llama.cpp's own convert_hf_to_gguf.py",
    )


def _bpe(definition: Mapping[str, Any], vocab: Mapping[str, int], added: Mapping[int, Type], rows: int) -> Vocabulary:
    model = definition["model"]
    if model.get("byte_fallback") or model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise _unlike("a BPE tokenizer that is not byte-level")
    pre = _split_of(definition)
    if bool(model.get("ignore_merges")) != (pre == "llama-bpe"):
        raise _unlike(f"a BPE tokenizer with ignore_merges {model.get('ignore_merges')} and the split {pre}")
    tokens, types = _listed(vocab, added, rows)
    merges = (each if isinstance(each, str) else " ".join(each) for each in model["merges"])
    return Vocabulary("gpt2", tokens, types, pre, tuple(merges))


def _split_of(definition: Mapping[str, Any]) -> str:
    """llama.cpp's name (tokenizer.ggml.pre) of how texts are cut before merging."""
    splits = definition["pre_tokenizer"] or {}
    steps = splits.get("pretokenizers", [splits])
    if _is_bytes(steps[-1]) and (definition["normalizer"] or {"type": "NFC"})["type"] == "NFC":
        by_regex = steps[-1].get("use_regex", True)
        match steps[:-1]:
            case [] if by_regex and not definition["normalizer"]:
                return "gpt-2"
            case [{"type": "Digits", "individual_digits": True}] if by_regex and not definition["normalizer"]:
                return "smollm"
            case [{"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated"}] if not by_regex:
                if regex == _QWEN2_SPLIT:
                    return "qwen2"
                if regex == _LLAMA3_SPLIT:
                    return "llama-bpe"
    kinds = ", ".join(str(step.get("type")) for step in steps)
    raise _unlike(f"a BPE tokenizer that cuts texts by {kinds}")


def _is_bytes(step: Mapping[str, Any]) -> bool:
    return step.get("type") == "ByteLevel" and not step.get("add_prefix_space")


def _words(
    definition: Mapping[str, Any], vocab: Mapping[str, int], added: Mapping[int, Type], rows: int, unknown: int
) -> Vocabulary:
    prefix = definition["model"]["continuing_subword_prefix"]
    if (definition["pre_tokenizer"] or {}).get("type") != "WhitespaceSplit" or definition["normalizer"]:
        raise _unlike("a WordPiece tokenizer that cuts texts at more than white space")
    spelled = {
        token: token if place in added else token.removeprefix(prefix) if token.startswith(prefix) else BLANK + token
        for token, place in vocab.items()
    }
    tokens, types = _listed({spelled[token]: place for token, place in vocab.items()}, added, rows)
    types[unknown] = Type.UNKNOWN
    scores = tuple(-1.0 if each is Type.NORMAL else 0.0 for each in types)
    return Vocabulary("t5", tokens, types, scores=scores, charsmap=whitespace_map())


def _listed(vocab: Mapping[str, int], added: Mapping[int, Type], rows: int) -> tuple[list[str], list[Type]]:
    """Tokens by id with their types; rows of the embedding that no token has are named apart."""
    by_id = {place: token for token, place in vocab.items()}
    tokens = [by_id.get(place, f"[PAD{place}]") for place in range(rows)]
    types = [added.get(place, Type.NORMAL) if place in by_id else Type.UNUSED for place in range(rows)]
    return tokens, types


def special_ids(tokenizer: Any, ends: Sequence[int]) -> dict[str, int]:
    """The ids of tokens with a part to play, by the writer's name of their key; those that there are."""
    further = next((each for each in ends if each != tokenizer.eos_token_id), None)
    ids = {
        "bos": tokenizer.bos_token_id,
        "eos": tokenizer.eos_token_id,
        "unk": tokenizer.unk_token_id,
        "pad": tokenizer.pad_token_id,
        "eot": further,
    }
    return {name: place for name, place in ids.items() if place is not None}


def begins_with_bos(tokenizer: Any) -> bool:
    """Whether the tokenizer puts its BOS before a plain text."""
    ids = tokenizer("a", add_special_tokens=True)["input_ids"]
    return bool(ids) and tokenizer.bos_token_id is not None and ids[0] == tokenizer.bos_token_id
