"""llama.cpp, asked as a user would ask it: a chat by its server's own template and tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errata.models.generate import generate
from errata.models.load import Checkpoint
from errata.models.prompting import prompt_ids
from errata.models.sampling import Decoding, Job
from errata.records import Message


def server(file: Path, context: int) -> Any:
    """llama.cpp's server over the file, in this process and without a port, in full precision where the file has it."""
    xllamacpp = pytest.importorskip("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx, params.n_parallel, params.warmup, params.verbosity = context, 1, False, 0
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cpuparams.n_threads = 1
    return xllamacpp.Server(params)


def answers(served: Any, questions: list[str], tokens: int) -> list[tuple[str, int, int]]:
    """To each question alone, greedily: the text, and how many tokens were read and written."""
    told = []
    for question in questions:
        reply = served.handle_chat_completions(
            {
                "messages": [{"role": "user", "content": question}],
                "max_tokens": tokens,
                "temperature": 0,
                "cache_prompt": False,
            }
        )
        usage = reply["usage"]
        told.append((reply["choices"][0]["message"]["content"], usage["prompt_tokens"], usage["completion_tokens"]))
    return told


def checkpoints_answers(checkpoint: Checkpoint, questions: list[str], tokens: int) -> list[tuple[str, int, int]]:
    """As `answers`, by errata itself."""
    prompts = [prompt_ids(checkpoint.tokenizer, [Message(role="user", content=each)]) for each in questions]
    done = generate(checkpoint, [Job(prompt, Decoding(max_tokens=tokens)) for prompt in prompts])
    return [(each.text, len(prompt), len(each.tokens)) for prompt, each in zip(prompts, done, strict=True)]
