"""Ways to reach models, chosen by the model string; each is imported when first needed."""

from __future__ import annotations

from typing import Literal

from errata.errors import UsageError
from errata.llm.request import Backend

Kind = Literal["openai", "litellm", "simulated", "recorded", "local"]


def kind_of(model: str) -> Kind:
    """Which backend serves this model string. Raises UsageError for a bare name."""
    provider, _, name = model.partition("/")
    if not provider or not name:
        raise UsageError(
            f"model {model!r}",
            "a model is written provider/NAME, so that it is clear who is asked",
            f"write openai/{model}, anthropic/{model}, ..., simulated/NAME, recorded/NAME or local/PATH",
        )
    match provider:
        case "openai" | "simulated" | "recorded" | "local":
            return provider
        case _:
            return "litellm"


def backend_for(model: str) -> Backend:
    """A fresh backend for this model string; one instance serves any number of agents of its kind."""
    match kind_of(model):
        case "openai":
            from errata.llm.backends.openai import OpenAI

            return OpenAI()
        case "simulated":
            from errata.llm.backends.simulated.backend import Simulated

            return Simulated()
        case "recorded":
            from errata.llm.backends.recorded import Recorded

            return Recorded()
        case "local":
            from errata.llm.backends.local import Local

            return Local()
        case "litellm":
            from errata.llm.backends.litellm import LiteLLM

            return LiteLLM()
