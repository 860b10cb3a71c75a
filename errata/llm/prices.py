"""What a call costs: the recipe's own price, else litellm's offline table; None where neither knows."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from errata.llm.backends import api_base_of, kind_of
from errata.llm.spec import AgentSpec, Price

FREE = Price(prompt=0.0, completion=0.0)
TABLE = "model_prices_and_context_window_backup.json"


def price_of(spec: AgentSpec) -> Price | None:
    """US dollars for a million tokens of this agent, None where the price is unknown.

    Raises UsageError for a model string without a provider.
    """
    kind = kind_of(spec.model)
    if kind == "recorded":
        return FREE
    if spec.price is not None:
        return spec.price
    if kind in {"simulated", "local"}:
        return FREE
    base = api_base_of(spec)
    if kind == "openai" and base and not (urlsplit(base).hostname or "").endswith("openai.com"):
        return None  # somebody's own server: the model's name says nothing of its price
    return _listed(spec.model.removeprefix("litellm/"))


def cost(price: Price, prompt_tokens: int, completion_tokens: int) -> float:
    """US dollars for so many tokens."""
    return (price.prompt * prompt_tokens + price.completion * completion_tokens) / 1e6


def _listed(model: str) -> Price | None:
    provider, _, name = model.partition("/")
    table = _table()
    entry = table.get(model)
    if entry is None and table.get(name, {}).get("litellm_provider", "").startswith(provider):
        entry = table[name]
    if entry is None:
        return None
    prompt, completion = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if not isinstance(prompt, int | float) or not isinstance(completion, int | float):
        return None
    return Price(prompt=prompt * 1e6, completion=completion * 1e6)


@cache
def _table() -> dict[str, Any]:
    """litellm's price table, read as a file: importing the package takes seconds."""
    found = importlib.util.find_spec("litellm")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / TABLE
        if path.is_file():
            table: dict[str, Any] = orjson.loads(path.read_bytes())
            return table
    return {}
