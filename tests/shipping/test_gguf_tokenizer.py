"""Tokenizers that llama.cpp knows, by how they cut texts, and those that it would read otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from errata.errors import UsageError
from errata.shipping.gguf_tokenizer import Type, vocabulary_of

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
# as Qwen2's and Llama 3's tokenizer.json have it
STARTS, ENDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|", r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
QWEN2 = STARTS + r"\p{N}" + ENDS + r"|\s+(?!\S)|\s+"
LLAMA3 = STARTS + r"\p{N}{1,3}" + ENDS + r"|\s+(?!\S)|\s+"


def tokenizer(pre: Any, *, normalizer: Any = None, **model: Any) -> PreTrainedTokenizerFast:
    vocab = {token: place for place, token in enumerate([*BYTES, "th"])}
    made = Tokenizer(models.BPE(vocab=vocab, merges=[("t", "h")], **model))
    made.pre_tokenizer = pre
    if normalizer:
        made.normalizer = normalizer
    made.add_special_tokens(["<end>"])
    made.add_tokens(["a line"])
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>")


def split(regex: str) -> Any:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(regex), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


PLAIN = pre_tokenizers.ByteLevel(add_prefix_space=False)
DIGITS = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), PLAIN])


@pytest.mark.parametrize(
    ("made", "pre"),
    [
        (tokenizer(PLAIN), "gpt-2"),
        (tokenizer(DIGITS), "smollm"),
        (tokenizer(split(QWEN2), normalizer=normalizers.NFC()), "qwen2"),
        (tokenizer(split(LLAMA3), ignore_merges=True), "llama-bpe"),
    ],
)
def test_a_split_that_llama_cpp_has_is_named(made: Any, pre: str) -> None:
    vocabulary = vocabulary_of(made, 300)

    assert (vocabulary.model, vocabulary.pre, vocabulary.merges) == ("gpt2", pre, ("t h",))
    assert vocabulary.tokens[:259] == [*BYTES, "th", "<end>", "a line"]
    assert vocabulary.types[256:260] == [Type.NORMAL, Type.CONTROL, Type.USER_DEFINED, Type.UNUSED]
    assert len(vocabulary.tokens) == len(vocabulary.types) == 300


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (tokenizer(split(r"\w+|\W+")), "cuts texts by Split, ByteLevel"),
        (tokenizer(pre_tokenizers.ByteLevel(add_prefix_space=True)), "cuts texts by ByteLevel"),
        (tokenizer(PLAIN, normalizer=normalizers.Lowercase()), "cuts texts by ByteLevel"),
        (tokenizer(PLAIN, ignore_merges=True), "ignore_merges True"),
        (tokenizer(PLAIN, byte_fallback=True), "not byte-level"),
    ],
)
def test_another_is_refused(made: Any, found: str) -> None:
    with pytest.raises(UsageError, match=found) as refusal:
        vocabulary_of(made, 300)
    assert "other token ids" in refusal.value.why


def test_more_tokens_than_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="259 tokens for 200 rows"):
        vocabulary_of(tokenizer(PLAIN), 200)
