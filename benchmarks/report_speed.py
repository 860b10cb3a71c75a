"""Building the report of 1,000 and 10,000 transcripts: time, peak memory, size of the page, each in a fresh process.

The transcripts are those of a small simulated lesson, repeated with other ids and questions. What grows from the
smaller to the larger log is the cost of a transcript: its place in the log's index and in the page's.
`python -m benchmarks.report_speed N` takes another size than 10,000.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.export_speed import lesson, peak, write_log

SIZE = 10_000
BOUND = 1_500
"""Bytes of peak memory that a further transcript may cost."""
SLACK = 32 * 2**20
"""Bytes by which two peaks differ, allowed on top."""


def _build(run: Path) -> None:
    """One report in this process; prints its figures. CPU time is that of the whole process, imports included."""
    from errata.report.build import write_report

    started = time.perf_counter()
    done = write_report(run)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "cpu": time.process_time(), "bytes": done.bytes, "peak": peak()}))


def main(size: int = SIZE) -> bool:
    """Prints the table; True where memory stays within the bound."""
    print("| transcripts | log | seconds | CPU seconds | page | peak memory |\n|---|---|---|---|---|---|")
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        run, lines = lesson(Path(folder))
        for number in (size // 10, size):
            log = write_log(run, lines, number)
            command = [sys.executable, "-m", "benchmarks.report_speed", "build", str(log)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            figures = json.loads(done.stdout.splitlines()[-1])
            peaks.append(figures["peak"])
            megabytes = (log / "transcripts.jsonl").stat().st_size / 1e6
            print(
                f"| {number:,} | {megabytes:,.0f} MB | {figures['seconds']:.1f} | {figures['cpu']:.1f} "
                f"| {figures['bytes'] / 1e6:.1f} MB | {figures['peak'] / 2**20:.0f} MiB |",
                flush=True,
            )
    growth = (peaks[1] - peaks[0]) / (size - size // 10)
    reached = growth <= BOUND + SLACK / size
    print(f"\n{growth:,.0f} bytes for each further transcript; {'within' if reached else 'OVER'} the bound")
    return reached


if __name__ == "__main__":
    if sys.argv[1:2] == ["build"]:
        _build(Path(sys.argv[2]))
    else:
        raise SystemExit(not main(*map(int, sys.argv[1:])))
