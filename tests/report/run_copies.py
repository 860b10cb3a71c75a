"""Copies of a run directory that a test may change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson


def copy_of(lesson: Path, folder: Path) -> Path:
    run = folder / "run"
    run.mkdir()
    for name in ("recipe.yaml", "manifest.json", "transcripts.jsonl"):
        shutil.copy(lesson / name, run / name)
    return run


def change_log(run: Path, change: Any) -> None:
    lines = [orjson.loads(line) for line in (run / "transcripts.jsonl").read_bytes().splitlines()]
    for line in lines:
        change(line)
    (run / "transcripts.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
