"""The one renderer of the student's prompt: exam, training and evals see the same token ids.

    with a chat template     the template's text with its generation prompt; special tokens are those it writes
    without one              the messages' texts, a line break after each, behind the tokenizer's own BOS if it sets one
    a completion             its text, tokenized apart from the prompt, then the tokenizer's EOS

Prompt and completion are tokenized apart and joined as ids, so a completion can never change its prompt's tokens. A
prompt never ends with an EOS.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from errata.errors import UsageError
from errata.records import Message

LONGEST_RENDERING_S = 10.0
"""Seconds; a template that does what it should takes less than a thousandth."""

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Example(NamedTuple):
    """Token ids to train on: the model reads `prompt` and is taught `completion`."""

    prompt: list[int]
    completion: list[int]


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> list[int]:
    """The token ids a model reads before it writes its answer.

    Raises UsageError where the tokenizer's chat template refuses the messages (some know no system message).
    """
    if tokenizer.chat_template:
        return _ids(tokenizer, templated(tokenizer, messages), special=False)
    text = "".join(f"{message.content}\n" for message in messages)
    ids = _ids(tokenizer, text, special=True)
    closing = len(ids) - len(_ids(tokenizer, text, special=False))
    if closing and ids[-1] == tokenizer.eos_token_id:  # a tokenizer that closes every text of its own accord
        ids.pop()
    return ids


def example_ids(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], completion: str) -> Example:
    """What training reads: the exam's prompt ids, and the completion's with the EOS that ends an answer."""
    answer = _ids(tokenizer, completion, special=False)
    if tokenizer.eos_token_id is not None:
        answer.append(tokenizer.eos_token_id)
    return Example(prompt_ids(tokenizer, messages), answer)


class TookTooLong(Exception):
    """Python code was cut off."""


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """Raises TookTooLong within Python code that runs longer, in whatever thread; a sandbox bounds no loops."""
    end = time.monotonic() + seconds

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if time.monotonic() > end:
            raise TookTooLong
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def templated(tokenizer: Any, messages: Sequence[Message], *, answering: bool = True) -> str:
    """The messages as the tokenizer's chat template writes them, with what makes the model answer if `answering`.

    Raises UsageError where it refuses them.
    """
    from jinja2 import TemplateError

    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        with no_longer_than(LONGEST_RENDERING_S):
            text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=answering)
    except TookTooLong as error:
        raise UsageError(
            f"the checkpoint's chat template takes more than {LONGEST_RENDERING_S:g} s for {len(turns)} messages",
            "it came with the checkpoint, and may loop without an end",
            "give the tokenizer another chat template",
        ) from error
    except (TemplateError, MemoryError) as error:
        roles = ", ".join(message.role for message in messages)
        raise UsageError(
            f"the checkpoint's chat template refuses messages of the roles {roles}: {error}",
            "the prompt cannot be rendered for this model",
            "leave out the agent's `system` text, or give the tokenizer another chat template",
        ) from error
    return text


def _ids(tokenizer: Any, text: str, *, special: bool) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=special)["input_ids"]
    return list(ids)
