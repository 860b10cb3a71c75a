"""Provider failures as results of calls, and as refusals where they would hit every call of an agent."""

from __future__ import annotations

from collections.abc import Sequence

from errata.errors import AgentRefused
from errata.llm.request import ProviderFailure
from errata.llm.retries import RateLimited
from errata.llm.spec import AgentSpec
from errata.llm.stored_reply import CallResult, hidden, surrogate_free


class Refusals:
    """The agents that are refused, and those that were reached. `secrets` are hidden in messages."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = secrets
        self._reached: set[str] = set()
        self.refused: dict[str, AgentRefused] = {}

    def reached(self, spec: AgentSpec) -> None:
        """The agent's provider has answered, with a reply or an error."""
        self._reached.add(spec.name)

    def check(self, spec: AgentSpec) -> None:
        """Raises AgentRefused where the agent was refused."""
        if spec.name in self.refused:
            raise self.refused[spec.name].with_traceback(None)  # raised many times: else it grows

    def result(self, spec: AgentSpec, failure: ProviderFailure) -> CallResult:
        """The failure, without secrets. Raises AgentRefused where it would hit every call of the agent."""
        text = hidden(surrogate_free(failure.message), self._secrets)
        unreached = failure.unreached and spec.name not in self._reached
        if failure.fatal or unreached:
            what = "could not be reached" if unreached else "was refused"
            refused = AgentRefused(
                spec.name,
                f"agent {spec.name} ({spec.model}) {what}: {text}",
                f"every call of this agent would {'fail so' if unreached else 'be refused'}",
                "check its model, api_base and key, then run the same command again: what was paid is stored",
            )
            raise self.refused.setdefault(spec.name, refused) from None  # the failure may quote the key
        return CallResult(failure=text, outage=failure.transient)


def give_up(spec: AgentSpec, seconds: float, error: RateLimited) -> None:
    """Raises a fatal ProviderFailure where the provider has said nothing but 429 for so many seconds, too long."""
    if seconds >= spec.give_up_after:
        what = f"nothing but 429 for {seconds:.0f} s (give_up_after is {spec.give_up_after:g}): {error.message}"
        raise ProviderFailure(what, fatal=True) from error
