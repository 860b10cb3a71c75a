"""A student as one plain checkpoint: its adapter, where it has one, added to the weights of its base."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from errata.errors import UsageError
from errata.models.files import Files, find
from errata.models.load import model_of, need_torch, no_progress_bars, tokenizer_of, unloadable
from errata.models.save import whole_folder, write_checkpoint

DTYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
"""Of weights in a folder, as errata and as torch calls them."""


class Plain(NamedTuple):
    """A model in float32 without adapters, on the CPU, and its tokenizer."""

    model: Any
    tokenizer: Any


def merged(student: str) -> Plain:
    """The student of a path or hub id, merged in float32: in 16 bits a merge rounds small updates away.

    Raises UsageError where it cannot be loaded, and for a NAT student, which is no sum of weights.
    """
    need_torch()
    files = find(student)
    if files.kind == "nat":
        raise UsageError(
            f"{student} is a NAT student",
            "its gate mixes two adapters anew for every token, so that no single set of weights answers as it does",
            "distil it into a plain adapter and ship that: errata train nce",
        )
    try:
        return _merged(files)
    except UsageError:
        raise
    except Exception as error:  # the libraries below have errors of their own for damaged files
        raise unloadable(f"the checkpoint {student}", files.folders, error) from error


def _merged(files: Files) -> Plain:
    import torch

    with no_progress_bars():
        model = model_of(files, dtype=torch.float32)
        tokenizer = tokenizer_of(files)
    if files.kind == "lora":
        model = model.merge_and_unload(safe_merge=True)
    return Plain(model.eval(), tokenizer)


def write_merged(plain: Plain, out: Path, dtype: str) -> Path:
    """Writes a checkpoint folder, whole or not at all; `dtype` is a key of DTYPES. Raises UsageError where one is."""
    import torch

    with whole_folder(out) as part:
        write_checkpoint(part, plain.model.to(getattr(torch, DTYPES[dtype])), plain.tokenizer)
    return out
