"""Ways to reach models, chosen by the agent; each is imported when first needed."""

from __future__ import annotations

from typing import Literal

from errata.errors import UsageError
from errata.llm.request import Backend
from errata.llm.spec import AgentSpec

Kind = Literal["openai", "litellm", "simulated", "recorded", "local", "own"]


def kind_of(spec: AgentSpec) -> Kind:
    """Which backend serves this agent: its own one, else by its model string. Raises UsageError for a bare name."""
    provider, _, name = spec.model.partition("/")
    if not provider or not name:
        raise UsageError(
            f"model {spec.model!r}",
            "a model is written provider/NAME, so that it is clear who is asked",
            f"write openai/{spec.model}, anthropic/{spec.model}, ..., simulated/NAME, recorded/NAME or local/PATH",
        )
    if spec.backend is not None:
        return "own"
    match provider:
        case "openai" | "simulated" | "recorded" | "local":
            return provider
        case _:
            return "litellm"


def backend_of(spec: AgentSpec) -> Backend:
    """The backend of this agent; one instance serves any number of agents of its kind.

    It is fresh, to be closed by whoever asked for it, but for an object of one's own: that one is its maker's.
    Raises UsageError where one's own was only named and not loaded.
    """
    if spec.backend is not None:
        part = spec.backend.loaded
        backend: Backend = part() if isinstance(part, type) else part
        return backend
    return shipped(kind_of(spec))


def shipped(kind: Kind) -> Backend:
    """A fresh backend of a shipped kind."""
    match kind:
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
        case _:
            from errata.llm.backends.litellm import LiteLLM

            return LiteLLM()


def is_lent(spec: AgentSpec) -> bool:
    """Whether the agent's backend is an object of one's own, which outlives a gateway."""
    return spec.backend is not None and not isinstance(spec.backend.part, type)


def asks_elsewhere(spec: AgentSpec) -> bool:
    """Whether the agent's own backend says, as by default, that its requests leave this process."""
    return bool(spec.backend is not None and getattr(spec.backend.part, "remote", True))
