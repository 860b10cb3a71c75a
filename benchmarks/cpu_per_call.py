"""CPU of one call of `errata synth`, start-up apart, at 2,000 and at 20,000 calls.

The job of `benchmarks.peers` (sample, judge, export) through the command line in a fresh process, 64 calls in flight at
a stub with 50 ms latency. Start-up is what the same command takes for one problem, which makes two calls.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.peers.contenders import Done, run, serving

SIZES = (2_000, 20_000)
IN_FLIGHT, LATENCY_S = 64, 0.05
MARK = 1.25
"""How much dearer a call may be in the larger run."""


def job(calls: int) -> Done:
    """The job with so many calls, two per problem."""
    with tempfile.TemporaryDirectory() as folder, serving("stub", LATENCY_S, 0) as port:
        return run("errata", port, Path(folder) / "run", calls // 2, IN_FLIGHT)


def main() -> bool:
    """Prints the table; True where a call of the larger run costs no more than the mark allows."""
    start = job(2)
    runs = {calls: job(calls) for calls in SIZES}
    print("| calls | CPU s | ms per call | start-up apart | peak memory |\n|---|---|---|---|---|")
    apart = {}
    for calls, done in runs.items():
        apart[calls] = (done.cpu - start.cpu) / calls * 1e3
        each = f"{done.cpu / calls * 1e3:.2f} | {apart[calls]:.2f} | {done.peak / 2**20:.0f} MiB"
        print(f"| {calls:,} | {done.cpu:.1f} | {each} |")
    broken = [calls for calls, done in runs.items() if done.code or done.rows * 2 != calls]
    grown = apart[SIZES[-1]] / apart[SIZES[0]]
    print(f"\nstart-up: {start.cpu:.1f} s of CPU; a call of the larger run costs {grown:.2f} times the other's")
    if broken:
        print(f"not all rows came of the runs of {', '.join(map(str, broken))} calls")
    return not broken and grown <= MARK


if __name__ == "__main__":
    raise SystemExit(not main())
