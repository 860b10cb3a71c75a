"""Which data types of 16 bits a processor computes in fast; in the others float32 takes a fraction of the time."""

from __future__ import annotations

from typing import Literal

HalfPrecision = Literal["bfloat16", "float16"]


def is_slow(dtype: HalfPrecision, device: str) -> bool:
    """Whether matrix products in `dtype` run without vector instructions for it, by oneDNN's own test of the CPU.

    False where torch was built without oneDNN, so that none can say.

    On a Zen 3 core, which has AVX2 alone, a product of 512 x 576 by 576 x 1,536 reached 60 GFLOPS in float32 and 8 in
    bfloat16 (2026-11-30).
    """
    if device != "cpu":
        return False
    import torch

    if not torch.backends.mkldnn.is_available():
        return False
    fast = {
        "bfloat16": torch.ops.mkldnn._is_mkldnn_bf16_supported,
        "float16": torch.ops.mkldnn._is_mkldnn_fp16_supported,
    }
    return not fast[dtype]()
