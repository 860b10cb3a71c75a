"""Rows as token ids on disk: made once, by one process of each machine, and mapped into memory by all.

    CACHE/errata/KEY/   the rows as `datasets` saves them, and facts.json, written last

CACHE is the cache of `datasets` (HF_DATASETS_CACHE). KEY is a hash of all that the rows depend on, so that a second
training on the same rows makes none; whatever lies there may be deleted.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import orjson
from accelerate import PartialState
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

import errata
from errata.errors import ErrataError
from errata.records import digest
from errata.training.encode import Group, fingerprint

FACTS = "facts.json"
Preparation = tuple[Sequence[Group], dict[str, Any]]
"""Groups, and what else is known of them."""


def cached_rows(key: str, make: Callable[[], Preparation]) -> tuple[Dataset, dict[str, Any]]:
    """The rows of this key with their facts, made where they do not lie there yet. Raises what `make` raises.

    Of several processes on a machine one makes them and the others wait.
    """
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "errata" / key
    with PartialState().local_main_process_first():
        if not (folder / FACTS).is_file():
            _write(folder, *make())
    return datasets.load_from_disk(str(folder)), orjson.loads((folder / FACTS).read_bytes())


def key_of(tokenizer: PreTrainedTokenizerBase, *settings: object) -> str:
    """Of everything that decides a tokenizer's ids, of the settings, and of the code that makes rows."""
    return digest("rows", fingerprint(tokenizer), tokenizer.chat_template, code_hash(), *settings, length=32)


@cache
def code_hash() -> str:
    """Of the files by which rows become groups."""
    root = Path(errata.__file__).parent
    files = sorted(path for part in ("training", "exports", "models") for path in (root / part).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _write(folder: Path, groups: Sequence[Group], facts: dict[str, Any]) -> None:
    """Whole or not at all: in a folder beside it, which is then renamed."""
    beside = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        shutil.rmtree(folder, ignore_errors=True)  # without facts it is half of one
        Dataset.from_list([dict(group) for group in groups]).save_to_disk(str(beside))
        (beside / FACTS).write_bytes(orjson.dumps(facts))
        beside.rename(folder)
    except OSError as error:
        if (folder / FACTS).is_file():
            return  # another process was faster
        raise ErrataError(
            f"{folder} cannot be written: {error.strerror or error}",
            "rows are kept there as token ids, for all processes of a training",
            "make room, or name another folder by HF_DATASETS_CACHE",
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
