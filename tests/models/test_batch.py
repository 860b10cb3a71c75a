"""Rows that leave a batch, wait for a place in it, or come to it while it runs."""

from __future__ import annotations

from typing import Any

import pytest

from errata.models import batch
from errata.models.generate import generate, stream
from errata.models.load import Checkpoint
from errata.models.sampling import Decoding, Job
from tests.models.tiny import TEXTS, jobs


@pytest.fixture
def sizes(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each forward pass has."""
    seen: list[int] = []
    forward = checkpoint.model.forward

    def counted(**inputs: Any) -> Any:
        seen.append(len(inputs["input_ids"]))
        return forward(**inputs)

    monkeypatch.setattr(checkpoint.model, "forward", counted)
    return seen


@pytest.mark.parametrize("heat", [0.0, 1.3])
def test_waiting_rows_take_the_places_of_those_that_have_ended(
    heat: float, checkpoint: Checkpoint, sizes: list[int]
) -> None:
    lengths = [3, 40, 5, 60, 4, 30, 2, 50, 6, 20, 7, 45]
    asked = [
        Job(checkpoint.tokenizer(TEXTS[seed % 7]).input_ids, Decoding(max_tokens=length, temperature=heat), seed)
        for seed, length in enumerate(lengths)
    ]

    together = generate(checkpoint, asked, rows=4)

    passes = len(sizes)
    assert max(sizes) == 4
    assert together == [generate(checkpoint, [job])[0] for job in asked]
    batches = [sorted(len(row.tokens) for row in together)[start : start + 4][-1] for start in (0, 4, 8)]
    assert passes < sum(batches) + 20  # three batches of the best composition, and a pass per admission


def test_jobs_that_come_later_join_the_running_batch(checkpoint: Checkpoint, sizes: list[int]) -> None:
    asked = jobs(checkpoint, Decoding(max_tokens=30))
    later = [[asked[2]], [], asked[3:]]

    came = dict(stream(checkpoint, asked[:2], 8, arrivals=lambda: later.pop(0) if later else ()))

    passes = len(sizes)
    assert [came[place] for place in range(7)] == generate(checkpoint, asked)
    assert passes < 45


def test_a_cache_that_cannot_be_joined_waits_for_its_batch(
    checkpoint: Checkpoint, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = jobs(checkpoint, Decoding(max_tokens=12))
    expected = generate(checkpoint, asked)
    monkeypatch.setattr(batch, "joinable", lambda _: False)
    sizes.clear()

    assert generate(checkpoint, asked, rows=4) == expected
    assert sizes == sorted(sizes[:12], reverse=True) + sorted(sizes[12:], reverse=True)
