"""litellm's offline table of models: what it lists of a model, read as a file."""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

TABLE = "model_prices_and_context_window_backup.json"


def entry_of(model: str) -> dict[str, Any] | None:
    """What the table says of PROVIDER/NAME."""
    provider, _, name = model.partition("/")
    table = read_table()
    entry: dict[str, Any] | None = table.get(model)
    if entry is None and table.get(name, {}).get("litellm_provider", "").startswith(provider):
        entry = table[name]
    return entry


def known_models(provider: str) -> list[str]:
    """The provider's models in litellm's table, without the provider's name; empty where it lists none."""
    own = (name for name, entry in read_table().items() if entry.get("litellm_provider", "").startswith(provider))
    return sorted({name.removeprefix(f"{provider}/") for name in own})


LEAST_CACHED = 1024
"""Tokens that a beginning of a prompt must have to be cached, where the table says nothing of a model."""


def least_cached(model: str) -> int:
    """Tokens that a beginning of a prompt must have to be cached, by PROVIDER/NAME."""
    least = (entry_of(model) or {}).get("prompt_cache_min_tokens")
    return least if isinstance(least, int) else LEAST_CACHED


def missing_table() -> str | None:
    """Why no listed price is known at all, in words; None where litellm's table is there."""
    path = table_path()
    if path is not None and path.is_file():
        return None
    if path is None:
        return "litellm, whose table of prices is read, is not installed"
    return f"litellm {version('litellm')} has no table of prices at {path}, where other versions have it"


@cache
def read_table() -> dict[str, Any]:
    """litellm's price table, read as a file: importing the package takes seconds. Empty where it is missing."""
    path = table_path()
    if path is None or not path.is_file():
        return {}
    table: dict[str, Any] = orjson.loads(path.read_bytes())
    return table


def table_path() -> Path | None:
    """Where litellm's table should be; None where litellm is not installed."""
    package = importlib.util.find_spec("litellm")
    folders = list(package.submodule_search_locations or ()) if package else []
    return Path(folders[0]) / TABLE if folders else None
