"""What would go wrong at an agent's first call, found before any call is paid for: models, settings, prices, keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from errata.config.env import variable
from errata.errors import UsageError
from errata.llm.backends import kind_of
from errata.llm.budget import Budget
from errata.llm.endpoint import api_base_of, filled_in
from errata.llm.price_table import known_models
from errata.llm.prices import price_notes, unpriced
from errata.llm.spec import Agents, AgentSpec

RESERVED = {"model", "messages", "stream", "n"}
NEARLY = 0.9
"""How alike a model's name and a known one must be to be taken for a slip of the pen (difflib's ratio)."""


def check(agents: Agents, budget: Budget) -> None:
    """Raises UsageError for an agent that no call could be made of, and for a budget that could not be held.

    Keys and headers are not looked at, since a plan needs none: that is `check_access`.
    """
    for spec in agents.everyone:
        _check_extra(spec)
        _check_model(spec)
    unknown = unpriced(agents.everyone)
    if unknown and any(amounts.usd is not None for amounts in (budget, *budget.stages.values())):
        notes = price_notes(unknown)
        raise UsageError(
            f"the price of {', '.join(spec.name for spec in unknown)} is unknown",
            "; ".join(("a dollar budget cannot hold what it cannot count", *notes)),
            "give the agent a price: {prompt: ..., completion: ...} in USD per 1M tokens, or budget tokens or calls",
        )


def _check_extra(spec: AgentSpec) -> None:
    wrong = sorted(RESERVED & spec.extra.keys())
    if wrong:
        raise UsageError(
            f"agent {spec.name}: extra sets {', '.join(wrong)}",
            "errata sets these itself: one reply per call, not streamed",
            "leave them out; more samples are asked for by the graph's settings",
        )


def _check_model(spec: AgentSpec) -> None:
    kind = kind_of(spec)
    if kind == "litellm":
        from errata.llm.backends.litellm import check_provider

        check_provider(spec)
    elif kind == "simulated":
        from errata.llm.backends.simulated.persona import check_persona

        check_persona(spec.name, spec.model.partition("/")[2])


def check_access(specs: Iterable[AgentSpec]) -> None:
    """Raises UsageError where a key, or a variable that a header names, is not set: all missing keys in one error.

    A server that the recipe or the environment names (`api_base`) may need none, unless `api_key_env` names one; nor
    does a provider whose credentials may come from elsewhere (a profile, a role, another variable of its name).
    """
    missing: dict[str, list[str]] = {}
    for spec in specs:
        if (name := missing_key(spec)) is not None:
            missing.setdefault(name, []).append(spec.name)
        elif kind_of(spec) in ("openai", "litellm"):
            filled_in(spec.extra.get("extra_headers") or {})
    if missing:
        names = ", ".join(missing)
        raise UsageError(
            "; ".join(f"no API key of {', '.join(agents)}: {name} is not set" for name, agents in missing.items()),
            "every call of these agents would be refused, after others were paid for",
            f"set {names} in the environment or in ./.env, or name the variable that holds the key: api_key_env",
        )


def missing_key(spec: AgentSpec) -> str | None:
    """The environment variable that should hold the agent's key and is not set; None where nothing is known to lack."""
    kind = kind_of(spec)
    if kind not in ("openai", "litellm"):
        return None
    if spec.api_key_env:
        return None if variable(spec.api_key_env) else spec.api_key_env
    if api_base_of(spec):
        return None
    if kind == "openai":
        return None if variable("OPENAI_API_KEY") else "OPENAI_API_KEY"
    from errata.llm.backends.litellm import check_provider
    from errata.llm.backends.litellm import missing_key as missing_of_provider

    check_provider(spec)
    return missing_of_provider(spec)


def model_notes(specs: Iterable[AgentSpec]) -> Iterator[str]:
    """Models at a provider's own address that litellm's table does not list but nearly: it may be too old to know."""
    for spec in specs:
        if kind_of(spec) not in ("openai", "litellm") or api_base_of(spec):
            continue
        provider, _, name = spec.model.removeprefix("litellm/").partition("/")
        known = known_models(provider)
        near = [] if name in known else get_close_matches(name, known, n=1, cutoff=NEARLY)
        if near:
            yield f"agent {spec.name}: {spec.model} is in no list of models; did you mean {provider}/{near[0]}?"
