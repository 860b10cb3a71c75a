"""The student named `tiny`: a small Llama that starts from nothing, with a tokenizer made of its data.

    texts --tokenizer--> few different words: a word is a token    else: byte-level BPE, which spells anything

It is saved as an ordinary checkpoint (safetensors and JSON), so that all else takes it for one.

The tokenizer puts `<s>` before a prompt and `</s>` behind an answer. A line of several words that the prompts repeat
(an instruction, a heading) is one token with that line as its text: nothing is reworded, and decoding gives it back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from errata.errors import UsageError
from errata.models.save import whole_folder, write_checkpoint

PAD, BEGIN, END, UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' else '\n' }}{% endfor %}"
)
SHAPE = {
    "hidden_size": 96,
    "intermediate_size": 256,
    "num_hidden_layers": 3,  # two of width 128 do not learn to chain steps
    "num_attention_heads": 4,
    "tie_word_embeddings": True,
    "initializer_range": 0.05,
}
NUMBERS = 100
"""0 to 99 are one token each where a word is a token."""
PERIODS = (2, 3, 4, 5, 7, 10, 14, 20, 33, 50, 100, 200)
NUMBER_SCALE = 3.0
CONTEXT = 1024
MOST_WORDS = 600
"""Texts of more different words are no longer tokenized word by word."""
BPE_TOKENS = 2048
_SHARE_OF_LINES, _LEAST_REPEATED = 0.01, 10
_NUMBER = re.compile(r"-?\d+")


def make(
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    words: Iterable[str] = (),
    seed: int = 0,
    context: int = CONTEXT,
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """An untrained student for these texts, of about 0.35 million weights where a word is a token.

    Args:
        prompts: what the student reads, as the messages' texts.
        completions: what it writes.
        words: further words it shall know.
        seed: of the weights.
        context: tokens of a prompt and its completion together.

    Raises UsageError where there is no text.
    """
    tokenizer = make_tokenizer(prompts, completions, words)
    return make_model(tokenizer, seed, context), tokenizer


def make_model(tokenizer: PreTrainedTokenizerFast, seed: int = 0, context: int = CONTEXT) -> LlamaForCausalLM:
    shape: dict[str, Any] = dict(SHAPE)
    config = LlamaConfig(
        **shape,
        vocab_size=len(tokenizer),
        max_position_embeddings=context,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    _place_numbers(model, tokenizer)
    return model


def _place_numbers(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Number tokens start with the cosine and sine of their value at PERIODS in their first dimensions.

    Left at random they would first have to be put in order, which took most of the classroom's school: of 400 held-out
    answers 110 failed for arithmetic after as many steps, with this start 6.
    """
    ids = [tokenizer.convert_tokens_to_ids(str(number)) for number in range(NUMBERS)]
    if len(set(ids)) < NUMBERS:  # a tokenizer that spells numbers
        return
    angles = 2 * torch.pi * torch.arange(NUMBERS)[:, None] / torch.tensor(PERIODS)
    waves = torch.cat([angles.cos(), angles.sin()], dim=1) * (NUMBER_SCALE * SHAPE["initializer_range"] * 2**0.5)
    embeddings: Any = model.get_input_embeddings()
    embeddings.weight.data[ids, : waves.shape[1]] = waves


def make_tokenizer(
    prompts: Sequence[str], completions: Sequence[str], words: Iterable[str] = ()
) -> PreTrainedTokenizerFast:
    """Of the words where they are few and no completion has a line break, which joining words would lose; else BPE.

    Raises UsageError where there is no text.
    """
    lines = repeated_lines(prompts)
    known = {word for text in (*completions, *(_without(prompt, lines) for prompt in prompts)) for word in text.split()}
    if not known:
        raise UsageError("no text to make a tokenizer of", "the tiny student's words are those of its data", "add rows")
    written = {word for word in known | set(words) if not _NUMBER.fullmatch(word)}
    if len(written) <= MOST_WORDS and not any("\n" in text for text in completions):
        backend = _of_words(written)
    else:
        backend = _of_bytes([*prompts, *completions])
    backend.add_tokens([AddedToken(line, normalized=False) for line in lines])
    backend.add_special_tokens([PAD, BEGIN, END, UNKNOWN])
    backend.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, backend.token_to_id(BEGIN))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        bos_token=BEGIN,
        eos_token=END,
        unk_token=UNKNOWN,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def repeated_lines(prompts: Sequence[str]) -> list[str]:
    """Lines of several words that one different prompt in a hundred holds, and at least ten do; longest first."""
    different = set(prompts)
    counts = Counter(line for prompt in different for line in set(prompt.split("\n")) if len(line.split()) > 1)
    least = max(_LEAST_REPEATED, _SHARE_OF_LINES * len(different))
    return sorted((line for line, count in counts.items() if count >= least), key=lambda line: (-len(line), line))


def _without(prompt: str, lines: Sequence[str]) -> str:
    dropped = set(lines)
    return "\n".join(line for line in prompt.split("\n") if line not in dropped)


def _of_words(words: Iterable[str]) -> Tokenizer:
    """A word is a token and so is a number from 0 to 99; a larger or negative one is spelled, as in `10 ##5`."""
    numbers = [str(number) for number in range(NUMBERS)]
    tokens = [UNKNOWN, *numbers, *(f"##{digit}" for digit in range(10)), "-", *sorted(words)]
    backend = Tokenizer(
        models.WordPiece(vocab={token: i for i, token in enumerate(dict.fromkeys(tokens))}, unk_token=UNKNOWN)
    )
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return backend


def _of_bytes(texts: Iterable[str]) -> Tokenizer:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=BPE_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def save(folder: Path, model: Any, tokenizer: PreTrainedTokenizerBase) -> Path:
    """Writes a checkpoint that is whole or not there: beside its place first, then moved; replaces nothing.

    Raises UsageError where something stands in its place.
    """
    with whole_folder(folder) as part:
        write_checkpoint(part, model, tokenizer)
    return folder
