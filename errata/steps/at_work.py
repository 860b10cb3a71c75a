"""What the steps at work say of themselves, by their logs: for whoever waits for a study or a school."""

from __future__ import annotations

from pathlib import Path

from errata.config.files import read_tail
from errata.errors import plain
from errata.steps.record import RECORD

TAIL_BYTES = 4096
MOST_CHARS = 300


def newest_log(home: Path, logs: str, since: float) -> Path | None:
    """That log which was written to last; None where no step at work wrote one.

    A step's log is made or written to as it begins, and its line in the record when it ends: what was written until
    one has ended was perhaps that one's.

    Args:
        logs: the folder of logs in `home`, which also holds the record of steps.
        since: the time before which another command wrote.
    """
    try:
        written, log = max((log.lstat().st_mtime, log) for log in (home / logs).glob("*.log"))
        record = home / RECORD
        return log if written > max(since, record.lstat().st_mtime if record.exists() else since) else None
    except (OSError, ValueError):  # no log yet, or one that goes away meanwhile
        return None


def newest_line(home: Path, logs: str, since: float) -> str:
    """The last line of the newest log, behind its name; empty where no step at work wrote one.

        train_base_seed-0_sft: steps 14/100 | loss 0.98 | time 5m, 31m left, 0.047 steps/s

    Args:
        home, logs, since: as `newest_log` takes them.
    """
    log = newest_log(home, logs, since)
    if log is None:
        return ""
    try:
        lines = read_tail(log, TAIL_BYTES).decode(errors="replace").splitlines()
    except OSError:  # it has gone away
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return plain(f"{log.stem}: {last}")[:MOST_CHARS] if last else ""
