"""What holds for all tests."""

from __future__ import annotations

import gc

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
"""A busy machine makes any example slow now and then; one that is too slow would be shrunk for five minutes."""


def pytest_collection_finish() -> None:
    """Leaves what the imports have made out of every later collection of garbage, which it would slow by a sixth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
