"""Whether a run directory is being written, told without touching it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from errata.config.files import open_own
from errata.config.processes import is_running
from errata.runs.run_dir import RunDir

HOLDER = ".holder"
SILENT_S = 60.0
"""Seconds after which a directory counts as left, whatever its last holder does now: a manifest is saved every few."""


def is_on(run: RunDir) -> bool:
    """Whether the process that last held the directory lives and has written within a minute."""
    return is_held(run.path) and time.time() - max(_changed(run.log), _changed(run.manifest_file)) < SILENT_S


def is_held(folder: Path) -> bool:
    """Whether the process that last held a folder lives."""
    try:
        with os.fdopen(open_own(folder / HOLDER, os.O_RDONLY), encoding="ascii") as file:
            return is_running(int(file.read(20)))
    except (OSError, ValueError):
        return False


def _changed(path: Path) -> float:
    """Seconds since the epoch; 0 where there is none."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0
