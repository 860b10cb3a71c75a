"""The tags between which a student thinks, and a completion's thinking as token ids in them.

tokenizer --its chat template and vocabulary--> TAGS --> open + thinking + close, behind the prompt
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase


class ThinkTags(NamedTuple):
    """What stands before, and after, the thinking of a completion."""

    open: str
    close: str
    line_break: str
    """Between a tag and the thinking; twice between the closing tag and the text."""


DEFAULT = ThinkTags("<think>", "</think>", "\n")
TAGS = (
    DEFAULT,  # Qwen3, DeepSeek-R1, SmolLM3
    ThinkTags("[THINK]", "[/THINK]", ""),  # Magistral
    ThinkTags("<|START_THINKING|>", "<|END_THINKING|>", ""),  # Command A Reasoning
    ThinkTags("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>", ""),  # gpt-oss
)


def tags_of(tokenizer: PreTrainedTokenizerBase) -> ThinkTags:
    """Those of its chat template, else of its vocabulary; `<think>` where it knows none."""
    template, added = str(tokenizer.chat_template or ""), set(tokenizer.get_added_vocab())
    known = [tags for tags in TAGS if tags.open in template] or [tags for tags in TAGS if tags.open in added]
    return known[0] if known else DEFAULT


def think_ids(tokenizer: PreTrainedTokenizerBase, reasoning: str, prompt_ids: Sequence[int]) -> list[int]:
    """Token ids of the thinking in its tags; without the opening one where the prompt already ends with it.

    Tags that are special tokens become those; within the thinking a special token's name is plain text.
    """
    tags = tags_of(tokenizer)
    opening = _ids(tokenizer, tags.open, special=True)
    ends_open = str(tokenizer.decode(list(prompt_ids[-2 * len(opening) - 2 :]))).rstrip().endswith(tags.open)
    inside = _ids(tokenizer, f"{tags.line_break}{reasoning}{tags.line_break}", special=False)
    if ends_open:
        opening, inside = [], _ids(tokenizer, f"{reasoning}{tags.line_break}", special=False)
    return [*opening, *inside, *_ids(tokenizer, tags.close, special=True)]


def before_text(tokenizer: PreTrainedTokenizerBase) -> str:
    """What stands between the closing tag and the text."""
    return tags_of(tokenizer).line_break * 2


def _ids(tokenizer: PreTrainedTokenizerBase, text: str, *, special: bool) -> list[int]:
    """`special`: names of special tokens are read as those."""
    out = tokenizer(text, add_special_tokens=False, split_special_tokens=not special, verbose=False)
    return list(out["input_ids"])
