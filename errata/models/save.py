"""Checkpoints written so that a folder is whole or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from errata.errors import UsageError
from errata.models.load import no_progress_bars


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which takes its place where the block ends well and is removed where it does not.

    Raises UsageError where something stands in its place: nothing is replaced.
    """
    refuse_existing(folder)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def refuse_existing(path: Path) -> None:
    """Raises UsageError where something stands there."""
    if path.exists():
        raise UsageError(f"{path} is there already", "a checkpoint is not written over", "name another folder")


def write_checkpoint(folder: Path, model: Any, tokenizer: Any) -> None:
    """Weights as safetensors, configuration and tokenizer into a folder that exists."""
    with no_progress_bars():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
