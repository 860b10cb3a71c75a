"""What holds for all tests."""

from __future__ import annotations

import gc

from hypothesis import HealthCheck, settings

settings.register_profile("loaded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("loaded")
"""An example's time says how busy the machine is, and nothing about the code."""


def pytest_collection_finish() -> None:
    """Leaves what the imports have made out of every later collection of garbage, which it would slow by a sixth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
