"""Draws from logits: within the nucleus, by their probabilities."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from errata.models.sampling import sample


@given(st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=12), st.floats(0.05, 1), st.floats(0, 0.999))
def test_a_draw_falls_in_the_nucleus(logits: list[float], top_p: float, uniform: float) -> None:
    probs = torch.tensor(logits).softmax(-1).tolist()

    token = sample(torch.tensor([logits]), [1.0], [top_p], [uniform])[0]

    likelier = sum(each for each in probs if each > probs[token])
    assert likelier < top_p + 1e-5


def test_draws_follow_the_probabilities() -> None:
    probs = torch.tensor([0.5, 0.3, 0.15, 0.05])
    uniforms = [(place + 0.5) / 1000 for place in range(1000)]
    logits_BV = probs.log().expand(1000, -1)

    plain = torch.tensor(sample(logits_BV, [1.0] * 1000, [1.0] * 1000, uniforms)).bincount(minlength=4)
    nucleus = torch.tensor(sample(logits_BV, [1.0] * 1000, [0.75] * 1000, uniforms)).bincount(minlength=4)
    cold = torch.tensor(sample(logits_BV, [0.5] * 1000, [1.0] * 1000, uniforms)).bincount(minlength=4)

    assert plain.tolist() == [500, 300, 150, 50]
    assert nucleus.tolist() == [625, 375, 0, 0]
    assert cold.tolist() == pytest.approx((1000 * probs**2 / (probs**2).sum()).tolist(), abs=1)


def test_a_nucleus_beyond_the_most_likely_tokens_is_found() -> None:
    flat_BV = torch.zeros(1, 5000)

    assert sample(flat_BV, [1.0], [0.9], [0.999])[0] > 4000
