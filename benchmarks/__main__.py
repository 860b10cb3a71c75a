"""Runs every benchmark: `python -m benchmarks`. Exits 1 where one misses its mark."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path

BENCHMARKS = ("imports", "gateway_speed", "memory", "alignment", "train_step", "real_step", "grading_speed")


def machine() -> str:
    """The date and the size of the machine, as the tables state them."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return f"{date.today()}, {os.cpu_count()} cores, {gib:.0f} GB, Python {platform.python_version()}, load {load:.1f}"


def main() -> int:
    missed = []
    print(machine())
    for name in BENCHMARKS:
        print(f"\n## {name}\n", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=Path(__file__).parent.parent).returncode:
            missed.append(name)
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nall marks reached")
    return bool(missed)


if __name__ == "__main__":
    raise SystemExit(main())
