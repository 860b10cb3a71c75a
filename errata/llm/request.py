"""The requests of agents, the replies of backends, and the failures of providers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from errata.llm.spec import AgentSpec
from errata.records import AnswerKind, Call, Message


@dataclass(frozen=True, slots=True)
class Context:
    """The problem and the rationale that a call is about.

    Logged, and visible to `recorded/`; never sent to a provider, never in a key.
    """

    problem_id: str
    question: str
    about: str | None = None
    """Id of the rationale asked about."""
    author: str | None = None
    """Author of that rationale."""
    stand_in: str | None = None
    """The agent that wrote it in the author's place, if one did."""
    kind: AnswerKind | None = None
    choices: tuple[str, ...] = ()
    """Of the problem's answer: where a local model may stop. Both stand in the messages too."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call an agent wants made. `sample` counts draws, `attempt` counts fresh tries of one draw."""

    spec: AgentSpec
    verb: str
    stage: str
    context: Context
    prompt: str
    prompt_hash: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None
    """JSON schema of the reply, for providers that take one; it enters the key only where it is sent."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """What the prompt shows, by name; visible to `simulated/`, never sent to a provider, never in a key."""
    sample: int = 0
    attempt: int = 0
    instead_of: str | None = None
    """The agent asked, where `spec` answers in its place."""

    @property
    def agent(self) -> str:
        """The agent whose call it is, whoever answers in its place."""
        return self.instead_of or self.spec.name


class Ask(Protocol):
    """The gateway as agents see it.

    Returns a Call that holds the reply or, where the provider failed for good, the failure. Raises BudgetExhausted and
    AgentRefused, which stop the run; nothing else.
    """

    async def __call__(self, request: Request) -> Call: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What a backend got from its provider."""

    text: str
    finish_reason: str | None = "stop"
    reasoning: str | None = None
    served: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt tokens, those that the provider read from its cache."""
    cache_write_tokens: int = 0
    """Of the prompt tokens, those that the provider wrote to its cache, where it charges for that."""
    unknown_prompt: bool = False
    """The simulated faculty does not know what the prompt asks for: the reply is no measure of it."""


class ProviderFailure(Exception):
    """A call the provider failed.

    Args:
        message: the provider's own words, without secrets.
        transient: worth another try (429, 5xx, timeout, dropped connection, a body that is no completion).
        retry_after: seconds the provider asks to wait.
        fatal: every call of this agent would fail so (401, 403, unknown model).
        unreached: no connection came about: an unknown host name, a closed port, a bad certificate.
        billed: the provider may have written a reply and charge for it, though it cannot be used.
        usage: prompt and completion tokens that the unusable reply states; (0, 0) where it says nothing.
    """

    def __init__(
        self,
        message: str,
        *,
        transient: bool = False,
        retry_after: float | None = None,
        fatal: bool = False,
        unreached: bool = False,
        billed: bool = False,
        usage: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(message)
        self.message, self.transient, self.retry_after, self.fatal = message, transient, retry_after, fatal
        self.unreached, self.billed, self.usage = unreached, billed, usage


class Backend(Protocol):
    """One way to reach models. Raises ProviderFailure; any other exception is an error of ours.

    One of one's own derives from it and need only have `complete`.
    """

    paid: bool = True
    """Its replies are stored, budgeted and counted as paid. False for `recorded/`."""
    remote: bool = True
    """A request that was sent is on its way elsewhere and will be paid for: it is waited for, whoever gives up."""

    async def complete(self, request: Request, seed: int) -> Reply:
        """The reply to `request.messages` under `request.parameters`; `seed` goes where the provider takes one."""
        ...

    def fingerprint(self, spec: AgentSpec) -> str | None:
        """Hash of the weights or file behind `local/` and `recorded/`; part of the call's key. None elsewhere."""
        return None

    def takes_schema(self, spec: AgentSpec) -> bool:
        """Whether a request's JSON schema is sent on to the agent's model."""
        return False

    async def close(self) -> None:
        """Gives back what it holds: connections, workers."""
        return
