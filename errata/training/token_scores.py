"""Log-probabilities of learned tokens alone: the LM head reads no prompt and no padding, and few tokens at a time.

    hidden states ND --head, chunk by chunk--> log p of N labels, their entropy, whether they are the likeliest

For devices without Triton, where TRL's own head scores every position. N learned positions, D hidden, V vocabulary.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

CHUNK_BYTES = 32 << 20
"""Size of the largest tensor that is made within a chunk, in fp32."""
KEPT_BYTES = 512 << 20
"""What may be kept of a forward pass for its backward pass; where it is more, chunks are computed anew."""


class Scores(NamedTuple):
    """N values each; only `logp_N` has a gradient."""

    logp_N: Tensor
    entropy_N: Tensor
    is_top_N: Tensor


def score(hidden_ND: Tensor, weight_VD: Tensor, bias_V: Tensor | None, label_N: Tensor) -> Scores:
    """Scores of the labels under softmax(hidden @ weight.T + bias), in fp32.

    Matrices are multiplied in autocast's dtype, else in that of the hidden states; everything else is fp32.
    """
    device = hidden_ND.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden_ND.dtype
    return Scores(*_Score.apply(hidden_ND, weight_VD, bias_V, label_N, dtype))  # type: ignore[no-untyped-call]


class _Chunk(NamedTuple):
    """Unnormalised probabilities of some positions: `exp_CV / sum_C1` are those of the softmax."""

    exp_CV: Tensor
    sum_C1: Tensor


class _Score(torch.autograd.Function):
    """Keeps the unnormalised probabilities where they fit KEPT_BYTES, so that no product is taken twice."""

    @staticmethod
    def forward(
        ctx: Any, hidden_ND: Tensor, weight_VD: Tensor, bias_V: Tensor | None, label_N: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor]:
        size, width = len(label_N), len(weight_VD)
        keep = any(ctx.needs_input_grad) and size * width * dtype.itemsize <= KEPT_BYTES
        logp_N, entropy_N = (torch.empty(size, dtype=torch.float32, device=hidden_ND.device) for _ in range(2))
        is_top_N = torch.empty(size, dtype=torch.bool, device=hidden_ND.device)
        chunks: list[_Chunk] = []
        weight_DV = weight_VD.to(dtype).t()
        with torch.autocast(hidden_ND.device.type, enabled=False):
            for at in _chunks(size, width):
                logits_CV = _logits(hidden_ND[at], weight_DV, bias_V, dtype)
                top_C1, place_C1 = logits_CV.max(-1, keepdim=True)
                below_CV = logits_CV.sub_(top_C1)
                label_C1 = label_N[at, None]
                exp_CV = below_CV.exp()
                sum_C1 = exp_CV.sum(-1, keepdim=True)
                logp_N[at] = (below_CV.gather(1, label_C1) - sum_C1.log()).squeeze(1)
                entropy_N[at] = sum_C1.log().squeeze(1) - torch.linalg.vecdot(exp_CV, below_CV) / sum_C1.squeeze(1)
                is_top_N[at] = (place_C1 == label_C1).squeeze(1)
                if keep:
                    chunks.append(_Chunk(exp_CV.to(dtype), sum_C1))
        ctx.save_for_backward(hidden_ND, weight_VD, bias_V, label_N, *(each for chunk in chunks for each in chunk))
        ctx.dtype = dtype
        ctx.mark_non_differentiable(entropy_N, is_top_N)
        return logp_N, entropy_N, is_top_N

    @staticmethod
    def backward(ctx: Any, slope_N: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        hidden_ND, weight_VD, bias_V, label_N, *flat = ctx.saved_tensors
        chunks = [_Chunk(*flat[place : place + 2]) for place in range(0, len(flat), 2)]
        weights, biases = ctx.needs_input_grad[1], ctx.needs_input_grad[2]
        by_hidden_ND = torch.empty_like(hidden_ND)
        by_weight_VD = torch.zeros_like(weight_VD, dtype=torch.float32) if weights else None
        by_bias_V = torch.zeros_like(bias_V, dtype=torch.float32) if biases else None
        weight = weight_VD.to(ctx.dtype)
        for place, at in enumerate(_chunks(len(label_N), len(weight_VD))):
            chunk = chunks[place] if chunks else _anew(hidden_ND[at], weight, bias_V, ctx.dtype)
            by_logits_CV = _by_logits(chunk, slope_N[at, None], label_N[at, None], ctx.dtype)
            by_hidden_ND[at] = by_logits_CV @ weight
            if by_weight_VD is not None:
                _add_product(by_weight_VD, by_logits_CV.t(), hidden_ND[at].to(ctx.dtype))
            if by_bias_V is not None:
                by_bias_V += by_logits_CV.sum(0, dtype=torch.float32)
        return (
            by_hidden_ND,
            None if by_weight_VD is None else by_weight_VD.to(weight_VD.dtype),
            None if by_bias_V is None or bias_V is None else by_bias_V.to(bias_V.dtype),
            None,
            None,
        )


def _chunks(size: int, width: int) -> list[slice]:
    step = max(1, CHUNK_BYTES // (4 * width))
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]


def _logits(hidden_CD: Tensor, weight_DV: Tensor, bias_V: Tensor | None, dtype: torch.dtype) -> Tensor:
    """In fp32, of a product in `dtype`."""
    logits_CV = hidden_CD.to(dtype) @ weight_DV
    return (logits_CV if bias_V is None else logits_CV.add_(bias_V.to(dtype))).float()


def _anew(hidden_CD: Tensor, weight_VD: Tensor, bias_V: Tensor | None, dtype: torch.dtype) -> _Chunk:
    logits_CV = _logits(hidden_CD, weight_VD.t(), bias_V, dtype)
    exp_CV = logits_CV.sub_(logits_CV.amax(-1, keepdim=True)).exp_()
    return _Chunk(exp_CV, exp_CV.sum(-1, keepdim=True))


def _by_logits(chunk: _Chunk, slope_C1: Tensor, label_C1: Tensor, dtype: torch.dtype) -> Tensor:
    """slope * (one hot - softmax)."""
    by_logits_CV = (chunk.exp_CV * (-slope_C1 / chunk.sum_C1).to(chunk.exp_CV.dtype)).to(dtype)
    return by_logits_CV.scatter_add_(1, label_C1, slope_C1.to(dtype))


def _add_product(sum_VD: Tensor, left_VC: Tensor, right_CD: Tensor) -> None:
    """Adds a product in fp32, whatever its factors are."""
    if left_VC.dtype == torch.float32:
        sum_VD.addmm_(left_VC, right_CD)
    else:
        sum_VD += left_VC @ right_CD
