"""Batched decoding gives what each sequence would give alone."""

from __future__ import annotations

import pytest
import torch

from errata.models.generate import ContextOverflow, generate, stream
from errata.models.load import Checkpoint
from errata.models.row import Generated
from errata.models.sampling import Decoding, Job
from tests.models import tiny
from tests.models.tiny import jobs


@pytest.mark.parametrize("decoding", [Decoding(max_tokens=40), Decoding(max_tokens=40, temperature=1.2, top_p=0.9)])
def test_a_batch_gives_what_each_row_gives_alone(checkpoint: Checkpoint, decoding: Decoding) -> None:
    asked = jobs(checkpoint, decoding)

    together = generate(checkpoint, asked)
    by_threes = generate(checkpoint, asked, rows=3)
    alone = [generate(checkpoint, [job])[0] for job in asked]

    assert together == alone == by_threes


def test_greedy_decoding_equals_a_plain_loop_without_cache_or_padding(checkpoint: Checkpoint) -> None:
    asked = jobs(checkpoint, Decoding(max_tokens=25))

    def slowly(prompt: list[int]) -> tuple[int, ...]:
        ids = list(prompt)
        for _ in range(25):
            with torch.inference_mode():
                ids.append(int(checkpoint.model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] in checkpoint.ends:
                break
        return tuple(ids[len(prompt) :])

    assert [row.tokens for row in generate(checkpoint, asked)] == [slowly(list(job.prompt)) for job in asked]


def test_seed_and_prompt_decide_a_draw(checkpoint: Checkpoint) -> None:
    hot = Decoding(max_tokens=30, temperature=1.5)
    prompt = checkpoint.tokenizer("once upon").input_ids

    first, again, other = generate(checkpoint, [Job(prompt, hot, 1), Job(prompt, hot, 1), Job(prompt, hot, 2)])

    assert first == again
    assert first != other


def test_rows_keep_their_own_settings(checkpoint: Checkpoint) -> None:
    prompt = checkpoint.tokenizer("once upon").input_ids
    settings = [Decoding(max_tokens=n, temperature=t) for n, t in ((3, 0), (9, 0), (5, 2.0), (1, 0))]

    rows = generate(checkpoint, [Job(prompt, each, 4) for each in settings])

    assert rows[1].tokens[:3] == rows[0].tokens
    assert rows[0].tokens[:1] == rows[3].tokens
    assert [len(row.tokens) for row in rows] == [3, 9, 5, 1]


def test_the_context_bounds_prompt_and_completion(checkpoint: Checkpoint) -> None:
    roomy = Decoding(max_tokens=10_000)
    nearly = Job([70] * (tiny.CONTEXT - 3), roomy)

    assert len(generate(checkpoint, [nearly])[0].tokens) <= 3
    with pytest.raises(ContextOverflow, match=f"{tiny.CONTEXT} tokens, the model's context {tiny.CONTEXT}"):
        generate(checkpoint, [nearly, Job([70] * tiny.CONTEXT, roomy)])
    with pytest.raises(ValueError, match="no tokens"):
        generate(checkpoint, [Job([], roomy)])


def test_rows_come_as_they_finish_and_unwanted_ones_not_at_all(checkpoint: Checkpoint) -> None:
    prompt = checkpoint.tokenizer("once upon").input_ids
    lengths = [20, 4, 12, 8]
    asked = [Job(prompt, Decoding(max_tokens=length)) for length in lengths]
    steps = 0

    def unwanted(place: int) -> bool:
        nonlocal steps
        steps += 1
        return place == 0

    came: list[tuple[int, Generated]] = list(stream(checkpoint, asked, unwanted=unwanted))

    whole = generate(checkpoint, asked)
    assert sorted(place for place, _ in came) == [1, 2, 3]
    assert all(row == whole[place] for place, row in came)
    assert steps < 4 * 12  # those that left are asked about no more
    counts = [len(row.tokens) for _, row in came]
    assert counts == sorted(counts)
