"""What the steps at work say of themselves, by their logs: for whoever waits for a study or a school."""

from __future__ import annotations

from pathlib import Path

from errata.config.files import read_tail
from errata.errors import plain
from errata.steps.record import RECORD

TAIL_BYTES = 4096
MOST_CHARS = 300


def newest_line(home: Path, logs: str, since: float) -> str:
    """The last line of that log which was written to last, behind its name; empty where no step at work wrote one.

        train_base_seed-0_sft: steps 14/100 | loss 0.98 | time 5m, 31m left, 0.047 steps/s

    What a step wrote before one has ended was perhaps that one's, and is left for the next line of those at work.

    Args:
        logs: the folder of logs in `home`, which also holds the record of steps.
        since: the time before which another command wrote.
    """
    try:
        written = {log: log.lstat().st_mtime for log in (home / logs).glob("*.log")}
        log = max(written, key=written.__getitem__)
        record = home / RECORD
        ended = record.lstat().st_mtime if record.exists() else since
        if written[log] < max(since, ended):
            return ""
        lines = read_tail(log, TAIL_BYTES).decode(errors="replace").splitlines()
    except (OSError, ValueError):  # no log yet, or one that goes away meanwhile
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return plain(f"{log.stem}: {last}")[:MOST_CHARS] if last else ""
