"""The losses: pure functions of log-probabilities or gathered logits, in nats.

B sequences, T positions, V vocabulary, N gathered positions. A `logp_BT` is already shifted: entry t is the
log-probability of label t + 1, so that what belongs to a token (its weight, its mask) is passed without its first
column. Functions named `*_sum` leave the division to the caller, who knows the whole step (over micro-batches and
processes).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

NEARLY_ONE = 1e-6
"""A probability closer to 1 than this counts as this close in -log(1 - p), which is infinite at 1."""


def weighted_nll_sum(logp_BT: Tensor, weight_BT: Tensor) -> Tensor:
    """Sum of -w log p; a scalar.

    With weight 1 on completions: distillation of rationales. With EDIT's weights on key tokens, divided by the side's
    response length: either half of its equation 4 (arXiv 2405.19737), the wrong half being subtracted.
    """
    return -(weight_BT * logp_BT).sum()


def unlikelihood_sum(logp_BT: Tensor, weight_BT: Tensor) -> Tensor:
    """Sum of -w log(1 - p); a scalar, never below 0: the bounded way to push tokens down (arXiv 1908.04319, eq. 2).

    Near p = 1 the value is capped (NEARLY_ONE) but not the gradient: the surest wrong tokens are still pushed.
    """
    capped_BT = logp_BT + (logp_BT.clamp(max=-NEARLY_ONE) - logp_BT).detach()
    small = capped_BT.detach() < -math.log(2)  # log(1 - e^x) without cancellation on either side of p = 1/2
    log_rest_BT = torch.where(
        small,
        torch.log1p(-torch.where(small, capped_BT, capped_BT.new_tensor(-1.0)).exp()),
        torch.log(-torch.expm1(torch.where(small, capped_BT.new_tensor(-0.5), capped_BT))),
    )
    return -(weight_BT * log_rest_BT).sum()


def bidirectional_kl(left_NV: Tensor, right_NV: Tensor, temperature: float = 1.0) -> Tensor:
    """(KL(p || q) + KL(q || p)) / 2 per position, times temperature squared; N values.

    p and q are the softmax of the logits divided by the temperature, both sides alike (MCC-KD, arXiv 2310.14747,
    eq. 3). Zero for equal logits, symmetric, and both sides receive gradient. In fp32 whatever comes in.
    """
    left_NV, right_NV = (log_softmax(logits.float() / temperature, -1) for logits in (left_NV, right_NV))
    return 0.5 * temperature**2 * ((left_NV.exp() - right_NV.exp()) * (left_NV - right_NV)).sum(-1)


def consistency_sum(
    answer_NV: Tensor, left_M: Tensor, right_M: Tensor, weight_M: Tensor, temperature: float = 1.0
) -> Tensor:
    """Sum over pairs of rationales of the mean bidirectional KL over their answers' positions; a scalar.

    `answer_NV` are the logits that predict the answers' tokens, of every rationale of the batch. The M comparisons
    take rows `left_M` against rows `right_M`; `weight_M` is one over the answer's length.
    """
    return (weight_M * bidirectional_kl(answer_NV[left_M], answer_NV[right_M], temperature)).sum()


def divergence_sum(negative_NV: Tensor, mixed_NV: Tensor) -> Tensor:
    """Sum over positions of KL(negative || mixed); a scalar, never below 0. In fp32 whatever comes in."""
    negative_NV, mixed_NV = log_softmax(negative_NV.float(), -1), log_softmax(mixed_NV.float(), -1)
    return (negative_NV.exp() * (negative_NV - mixed_NV)).sum()


def disagreement(divergence: Tensor, positions: int) -> Tensor:
    """tanh of the mean KL(negative || mixed) over one sequence's positions, from its sum; a scalar in [0, 1).

    beta of NCE (arXiv 2312.12832, eq. 6 and 7): large where the student with its negative adapter alone and the whole
    NAT student disagree.
    """
    return (divergence / positions).tanh()


def distillation_sum(student_NV: Tensor, teacher_NV: Tensor, temperature: float = 1.0) -> Tensor:
    """Sum over positions of the cross-entropy of teacher and student, times temperature squared; a scalar.

    The distillation term of NCE (arXiv 2312.12832, eq. 8) before a sequence's weight 0.5 + beta; no gradient reaches
    the teacher.
    """
    teacher_NV = (teacher_NV.detach().float() / temperature).softmax(-1)
    return -(temperature**2) * (teacher_NV * log_softmax(student_NV.float() / temperature, -1)).sum()
