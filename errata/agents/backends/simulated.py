"""The backend of `simulated/NAME`: the simulated faculty, in process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from errata.agents.calls import Context, Reply
from errata.agents.simulated import faculty
from errata.records import Message, Verb
from errata.settings import AgentSpec


class Simulated:
    """The faculty sees what a server would be sent: model string, messages, parameters and seed."""

    paid = True

    async def complete(
        self,
        spec: AgentSpec,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        *,
        seed: int,
        verb: Verb,
        context: Context,
        sample: int,
    ) -> Reply:
        # As over HTTP, an agent's own seed goes first, and `seed: null` sends none.
        sent = parameters.get("seed", None if "seed" in spec.extra else seed)
        pairs = [(message.role, message.content) for message in messages]
        return faculty.reply(spec.model, pairs, parameters, sent)

    def fingerprint(self, spec: AgentSpec) -> None:
        return None

    async def close(self) -> None:
        return None
