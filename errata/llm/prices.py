"""Prices of calls: the recipe's own price, else litellm's offline table; None where neither knows."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from errata.llm.backends import asks_elsewhere, kind_of
from errata.llm.endpoint import api_base_of
from errata.llm.price_table import entry_of, missing_table
from errata.llm.spec import AgentSpec, Price

FREE = Price(prompt=0.0, completion=0.0)
_RATES = {
    "prompt": "input_cost_per_token",
    "completion": "output_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
}
"""What the table calls the rates of a price, in USD per token."""


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


def _listed(model: str, *, in_batches: bool = False) -> Price | None:
    entry = entry_of(model)
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


def unpriced(specs: Iterable[AgentSpec]) -> list[AgentSpec]:
    """The agents whose price is unknown, by name. Raises UsageError for a model string without a provider."""
    return sorted((spec for spec in specs if price_of(spec) is None), key=lambda spec: spec.name)


def price_notes(specs: Iterable[AgentSpec]) -> tuple[str, ...]:
    """What a person must know of unknown prices: that they are unknown because the table is missing."""
    missing = missing_table()
    listed = [spec for spec in unpriced(specs) if kind_of(spec) != "own" and not _own_server(spec)]
    lost = [spec.name for spec in listed] if missing else []
    return (f"no price is known for {', '.join(lost)}: {missing}",) if lost else ()
