"""Prices of calls: the recipe's own price, else litellm's offline table; None where neither knows."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from errata.llm.backends import asks_elsewhere, kind_of
from errata.llm.endpoint import api_base_of
from errata.llm.spec import AgentSpec, Price

FREE = Price(prompt=0.0, completion=0.0)
_RATES = {
    "prompt": "input_cost_per_token",
    "completion": "output_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
}
"""What the table calls the rates of a price, in USD per token."""
TABLE = "model_prices_and_context_window_backup.json"


def price_of(spec: AgentSpec) -> Price | None:
    """USD per 1M tokens of this agent, None where the price is unknown; in batches, if its calls go out so.

    Raises UsageError for a model string without a provider.
    """
    kind = kind_of(spec)
    if kind == "recorded":
        return FREE
    if spec.price is not None:
        return halved(spec.price) if spec.batch else spec.price
    if kind in {"simulated", "local"} or (kind == "own" and not asks_elsewhere(spec)):
        return FREE
    if kind == "own" or _own_server(spec):
        return None  # the model's name says nothing of its price
    return _listed(spec.model.removeprefix("litellm/"), in_batches=spec.batch is not None)


def halved(price: Price) -> Price:
    """What both providers take in batches."""
    rates = {name: rate / 2 for name, rate in price.model_dump(exclude_none=True).items()}
    return Price(**rates)


def _own_server(spec: AgentSpec) -> bool:
    """Whether an `openai/` model is served by somebody else than OpenAI."""
    base = api_base_of(spec)
    return kind_of(spec) == "openai" and bool(base) and not _host(base).endswith("openai.com")


def _host(url: str | None) -> str:
    return urlsplit(url or "").hostname or ""


def cost(price: Price, prompt_tokens: int, completion_tokens: int, cached: int = 0, written: int = 0) -> float:
    """The price of so many tokens in USD; of the prompt's, `cached` were read from a cache and `written` to it."""
    usd = price.prompt * prompt_tokens + price.completion * completion_tokens
    if cached and price.cached is not None:
        usd -= (price.prompt - price.cached) * min(cached, prompt_tokens)
    if written and price.cache_write is not None:
        usd += (price.cache_write - price.prompt) * min(written, prompt_tokens)
    return usd / 1e6


LEAST_CACHED = 1024
"""Tokens that a beginning of a prompt must have to be cached, where the table says nothing of a model."""


def least_cached(model: str) -> int:
    """Tokens that a beginning of a prompt must have to be cached, by PROVIDER/NAME."""
    least = (_entry(model) or {}).get("prompt_cache_min_tokens")
    return least if isinstance(least, int) else LEAST_CACHED


def _listed(model: str, *, in_batches: bool = False) -> Price | None:
    entry = _entry(model)
    if entry is None:
        return None
    listed = {name: entry.get(key) for name, key in _RATES.items()}
    known = {name: rate * 1e6 for name, rate in listed.items() if isinstance(rate, int | float)}
    if not {"prompt", "completion"} <= known.keys():
        return None
    if in_batches:  # as the table has it, else half
        stated = {name: entry.get(f"{key}_batches") for name, key in _RATES.items()}
        numbers = {name: rate * 1e6 for name, rate in stated.items() if isinstance(rate, int | float)}
        known = {name: rate / 2 for name, rate in known.items()} | numbers
    return Price(**known)


def _entry(model: str) -> dict[str, Any] | None:
    """What the table says of PROVIDER/NAME."""
    provider, _, name = model.partition("/")
    table = _table()
    entry: dict[str, Any] | None = table.get(model)
    if entry is None and table.get(name, {}).get("litellm_provider", "").startswith(provider):
        entry = table[name]
    return entry


def known_models(provider: str) -> list[str]:
    """The provider's models in litellm's table, without the provider's name; empty where it lists none."""
    own = (name for name, entry in _table().items() if entry.get("litellm_provider", "").startswith(provider))
    return sorted({name.removeprefix(f"{provider}/") for name in own})


def missing_table() -> str | None:
    """Why no listed price is known at all, in words; None where litellm's table is there."""
    path = _table_path()
    if path is not None and path.is_file():
        return None
    if path is None:
        return "litellm, whose table of prices is read, is not installed"
    return f"litellm {version('litellm')} has no table of prices at {path}, where other versions have it"


def unpriced(specs: Iterable[AgentSpec]) -> list[AgentSpec]:
    """The agents whose price is unknown, by name. Raises UsageError for a model string without a provider."""
    return sorted((spec for spec in specs if price_of(spec) is None), key=lambda spec: spec.name)


def price_notes(specs: Iterable[AgentSpec]) -> tuple[str, ...]:
    """What a person must know of unknown prices: that they are unknown because the table is missing."""
    missing = missing_table()
    listed = [spec for spec in unpriced(specs) if kind_of(spec) != "own" and not _own_server(spec)]
    lost = [spec.name for spec in listed] if missing else []
    return (f"no price is known for {', '.join(lost)}: {missing}",) if lost else ()


@cache
def _table() -> dict[str, Any]:
    """litellm's price table, read as a file: importing the package takes seconds. Empty where it is missing."""
    path = _table_path()
    if path is None or not path.is_file():
        return {}
    table: dict[str, Any] = orjson.loads(path.read_bytes())
    return table


def _table_path() -> Path | None:
    """Where litellm's table should be; None where litellm is not installed."""
    package = importlib.util.find_spec("litellm")
    folders = list(package.submodule_search_locations or ()) if package else []
    return Path(folders[0]) / TABLE if folders else None
