"""Continuous batching gives what our batches give; on the CPU it is only tried, since it is meant for CUDA."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import ContinuousBatchingConfig

from errata.models import continuous, generate
from errata.models.load import Checkpoint
from errata.models.sampling import Decoding, Job

TEXTS = ["a", "the quick brown fox", "7 * 8 =", "x" * 90, "How many apples are left?", "zz top", "ha " * 20]
SMALL = ContinuousBatchingConfig(num_blocks=32, page_size=32, max_batch_tokens=128)


def jobs(checkpoint: Checkpoint, **changes: Any) -> list[Job]:
    return [
        Job(checkpoint.tokenizer(text).input_ids, Decoding(max_tokens=6 + place).model_copy(update=changes))
        for place, text in enumerate(TEXTS)
    ]


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on CUDA, with a cache that fits a test."""
    real = continuous.decode

    def decode(checkpoint: Checkpoint, jobs: Any, rooms: Any, unwanted: Any) -> Iterator[tuple[int, list[int]]]:
        return real(checkpoint, jobs, rooms, unwanted, SMALL)

    monkeypatch.setattr(continuous, "takes", lambda _, job: job.decoding.temperature == 0)
    monkeypatch.setattr(continuous, "decode", decode)


@pytest.mark.usefixtures("forced")
def test_rows_equal_those_of_our_batches(checkpoint: Checkpoint) -> None:
    asked = jobs(checkpoint)

    assert generate.generate(checkpoint, asked) == generate.generate(checkpoint, asked, rows=4)


@pytest.mark.usefixtures("forced")
def test_an_end_token_ends_a_row(checkpoint: Checkpoint) -> None:
    asked = jobs(checkpoint)
    whole = generate.generate(checkpoint, asked, rows=4)
    ending = dataclasses.replace(checkpoint, ends=frozenset({whole[5].tokens[3]}))

    found = generate.generate(ending, asked)

    assert found == generate.generate(ending, asked, rows=4)
    assert found[5].finish_reason == "stop"


@pytest.mark.usefixtures("forced")
def test_what_nobody_wants_is_not_yielded_and_sampled_rows_go_in_batches(checkpoint: Checkpoint) -> None:
    asked = [*jobs(checkpoint), *jobs(checkpoint, temperature=1.0)]

    came = dict(generate.stream(checkpoint, asked, unwanted=lambda place: place in (2, 9)))

    whole = generate.generate(checkpoint, asked, rows=5)
    assert sorted(came) == [place for place in range(14) if place not in (2, 9)]
    assert all(came[place] == whole[place] for place in came)


def test_where_it_gives_up_batches_go_on(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = jobs(checkpoint)

    def breaks(*_: Any) -> Iterator[tuple[int, list[int]]]:
        yield 3, list(whole[3].tokens)
        raise RuntimeError("no memory")

    whole = generate.generate(checkpoint, asked)
    monkeypatch.setattr(continuous, "takes", lambda *_: True)
    monkeypatch.setattr(continuous, "decode", breaks)

    assert generate.generate(checkpoint, asked) == whole


def test_it_is_for_greedy_rows_on_cuda(checkpoint: Checkpoint) -> None:
    on_cuda = dataclasses.replace(checkpoint, device=torch.device("cuda"))
    greedy, hot, stopped = (
        Job([1], Decoding(), 0),
        Job([1], Decoding(temperature=1.0), 0),
        Job([1], Decoding(stop=("x",)), 0),
    )

    assert [continuous.takes(on_cuda, job) for job in (greedy, hot, stopped)] == [True, False, False]
    assert not continuous.takes(checkpoint, greedy)


@pytest.mark.gpu
def test_on_cuda_it_is_taken_and_equals_our_batches(plain: Any) -> None:
    from errata.models.load import load

    checkpoint = load(str(plain), "cuda")
    asked = jobs(checkpoint)

    assert all(continuous.takes(checkpoint, job) for job in asked)
    rooms = [6 + place for place in range(len(TEXTS))]
    taken = dict(continuous.decode(checkpoint, asked, rooms, lambda _: False))
    assert [tuple(taken[place]) for place in range(len(asked))] == [
        row.tokens for row in generate.generate(checkpoint, asked, rows=4)
    ]
