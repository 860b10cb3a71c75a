"""How long `errata --help` takes, in starts of a bare interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15
MARK = 15


def _seconds(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> bool:
    """Prints the table; True where the mark is reached."""
    bare, help_seconds = [], []
    for _ in range(ROUNDS):  # by turns, so that a busy moment strikes both
        bare.append(_seconds("-c", "pass"))
        help_seconds.append(_seconds("-m", "errata", "--help"))
    start, help_ = statistics.median(bare), statistics.median(help_seconds)
    starts = help_ / start
    print("| | ms | bare starts |\n|---|---|---|")
    print(f"| bare interpreter | {start * 1e3:.0f} | 1 |\n| `errata --help` | {help_ * 1e3:.0f} | {starts:.1f} |")
    print(f"\nmark: at most {MARK} bare starts; {'reached' if starts <= MARK else 'MISSED'}")
    return starts <= MARK


if __name__ == "__main__":
    raise SystemExit(not main())
