"""Which data types this very processor is slow in, and who says so."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
import torch

from errata.models import load as loading
from errata.models.load import load
from errata.models.load_options import LoadOptions
from errata.models.precision import HalfPrecision, is_slow


def cpu_seconds(dtype: torch.dtype, times: int = 8) -> float:
    """Of the fastest of several products of two matrices in one thread."""
    left_MK, right_KN = torch.ones(256, 576, dtype=dtype), torch.ones(576, 768, dtype=dtype)
    taken = []
    for _ in range(times):
        began = time.thread_time()
        left_MK @ right_KN
        taken.append(time.thread_time() - began)
    return min(taken)


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_a_data_type_is_slow_where_its_products_take_longer_than_those_of_float32(name: HalfPrecision) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        longer = cpu_seconds(getattr(torch, name)) / cpu_seconds(torch.float32)
    finally:
        torch.set_num_threads(threads)
    assert longer > 2 if is_slow(name, "cpu") else longer < 4, f"{longer:.1f} times as long"


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_of_other_devices_nothing_is_said(device: str) -> None:
    assert not is_slow("bfloat16", device)


def test_where_none_can_say_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.delattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", raising=False)
    assert not is_slow("bfloat16", "cpu")


def test_a_checkpoint_read_in_a_slow_data_type_says_so(
    plain: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loading, "is_slow", lambda dtype, device: (dtype, device) == ("bfloat16", "cpu"))
    with caplog.at_level(logging.WARNING, logger="errata"):
        load(str(plain), device="cpu")
        load(str(plain), device="cpu", options=LoadOptions(dtype="float16"))
        assert caplog.messages == []
        load(str(plain), device="cpu", options=LoadOptions(dtype="bfloat16"))
    (message,) = caplog.messages
    assert message == f"{plain.name}: in bfloat16, which this CPU is slow in; float32 takes a fraction of the time"
