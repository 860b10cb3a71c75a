"""`kill -9` at runs whose calls are in batches: nothing is paid twice, nothing is lost, the exports are the same."""

from __future__ import annotations

import pytest

from benchmarks import batch


@pytest.mark.slow
def test_a_few_kills_of_a_small_run_in_batches() -> None:
    assert batch.main(["--problems", "6", "--kills", "3"])
