"""Memory that is no longer used goes back to the system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCATTERED = """
from pathlib import Path
from errata.models.memory import {name}

def megabytes():
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) // 1024

blocks = [bytearray(100_000) for _ in range(3000)]
del blocks[:-1]  # the last one lies above all others, so that the heap does not shrink by itself
before = megabytes()
{name}()
print(before, megabytes())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
@pytest.mark.parametrize("name", ["trim_heap", "give_memory_back"])
def test_blocks_that_lie_below_a_living_one_are_returned(name: str) -> None:
    code = [sys.executable, "-c", SCATTERED.format(name=name)]
    before, after = map(int, subprocess.run(code, capture_output=True, text=True, check=True).stdout.split())
    assert before - after > 200
