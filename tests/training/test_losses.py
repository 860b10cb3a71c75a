from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from errata.training.losses import (
    bidirectional_kl,
    consistency_sum,
    disagreement,
    distillation_sum,
    divergence_sum,
    unlikelihood_sum,
    weighted_nll_sum,
)


def random_logits(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 2


def test_weighted_nll_is_the_sum_of_signed_surprises() -> None:
    logp = torch.tensor([[-1.0, -2.0, -4.0]])

    assert float(weighted_nll_sum(logp, torch.tensor([[1.0, 0.0, -0.5]]))) == pytest.approx(1.0 - 2.0)


@given(st.floats(-30, -1e-5))
def test_unlikelihood_is_minus_log_of_the_rest(logp: float) -> None:
    found = float(unlikelihood_sum(torch.tensor([logp], dtype=torch.float64), torch.ones(1)))

    assert found == pytest.approx(-math.log(-math.expm1(logp)), rel=1e-9)


def test_unlikelihood_is_bounded_and_pushes_down_even_what_is_certain() -> None:
    logits = torch.tensor([[60.0, 0.0], [0.0, 60.0]], requires_grad=True)
    logp = F.log_softmax(logits, -1)[:, :1]

    loss = unlikelihood_sum(logp, torch.ones(2, 1))
    loss.backward()

    assert 0 <= loss.item() < 20
    assert torch.isfinite(logits.grad).all()
    certain = torch.zeros(1, requires_grad=True)
    unlikelihood_sum(certain, torch.ones(1)).backward()
    assert float(certain.grad) > 1e5  # times 1 - p on the way to the logits


@given(st.floats(0.5, 4), st.integers(0, 20))
def test_bidirectional_kl_is_both_divergences_scaled_by_temperature(temperature: float, seed: int) -> None:
    left, right = random_logits(4, 9, seed=seed).double(), random_logits(4, 9, seed=seed + 100).double()
    p, q = (F.softmax(x / temperature, -1) for x in (left, right))
    expected = 0.5 * temperature**2 * ((p * (p / q).log()).sum(-1) + (q * (q / p).log()).sum(-1))

    assert torch.allclose(bidirectional_kl(left, right, temperature).double(), expected, rtol=1e-4, atol=1e-6)


def test_bidirectional_kl_is_zero_for_equal_logits_and_symmetric() -> None:
    left, right = random_logits(3, 7), random_logits(3, 7, seed=1)

    assert float(bidirectional_kl(left, left.clone(), 2.0).abs().max()) == 0
    assert torch.equal(bidirectional_kl(left, right), bidirectional_kl(right, left))
    assert (bidirectional_kl(left, right) > 0).all()


def test_both_sides_of_the_consistency_term_receive_gradient() -> None:
    answers = random_logits(4, 7).requires_grad_()

    consistency_sum(answers, torch.tensor([0, 1]), torch.tensor([2, 3]), torch.tensor([0.5, 0.5])).backward()

    assert (answers.grad.abs().sum(-1) > 0).all()


def test_consistency_is_the_mean_over_each_answers_positions() -> None:
    answers = random_logits(6, 7)
    kl = bidirectional_kl(answers[:3], answers[3:])

    found = consistency_sum(answers, torch.arange(3), torch.arange(3, 6), torch.tensor([1.0, 0.5, 0.5]))

    assert float(found) == pytest.approx(float(kl[0] + kl[1:].mean()), rel=1e-6)


def test_disagreement_is_between_nothing_and_one() -> None:
    same, other = random_logits(5, 7), random_logits(5, 7, seed=3)
    p, q = other.softmax(-1), same.softmax(-1)

    found = disagreement(divergence_sum(other, same), 5)

    assert float(disagreement(divergence_sum(same, same.clone()), 5)) == pytest.approx(0, abs=1e-7)
    assert float(found) == pytest.approx(math.tanh(float((p * (p / q).log()).sum(-1).mean())))
    assert 0 < float(found) < 1


def test_distillation_is_a_cross_entropy_that_reaches_no_teacher() -> None:
    student, mixed = (random_logits(5, 7, seed=seed).requires_grad_() for seed in range(2))

    found = distillation_sum(student, mixed)
    found.backward()

    expected = -(mixed.softmax(-1) * student.log_softmax(-1)).sum()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert student.grad is not None
    assert mixed.grad is None


def test_divergences_of_parts_add_up_to_that_of_the_whole() -> None:
    negative, mixed = (random_logits(5, 7, seed=seed) for seed in range(2))

    parts = divergence_sum(negative[:2], mixed[:2]) + divergence_sum(negative[2:], mixed[2:])

    assert float(parts) == pytest.approx(float(divergence_sum(negative, mixed)), rel=1e-6)
