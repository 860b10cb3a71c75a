"""What holds for all tests."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("loaded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("loaded")
"""An example's time says how busy the machine is, and nothing about the code."""


def pytest_collection_finish() -> None:
    """Leaves what the imports have made out of every later collection of garbage, which it would slow by a sixth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium that playwright drives; without either the test skips.

    Its event loop runs as long as it is open, so that no fixture made after it may call asyncio.run.
    """
    from benchmarks.report_picture import ARGUMENTS, chromium

    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if (path := chromium()) is None:
        pytest.skip("no chromium on this machine (Debian: apt install chromium)")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield opened
        opened.close()
