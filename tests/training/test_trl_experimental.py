"""Taking TRL's experimental trainers says nothing on the way."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_it_is_imported_without_a_notice() -> None:
    code = "import errata.training.trl_experimental"

    told = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=True)

    assert "experimental" not in told.stderr
