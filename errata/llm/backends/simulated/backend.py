"""The backend of `simulated/NAME`: the simulated faculty, in process."""

from __future__ import annotations

from errata.llm.backends.simulated import faculty
from errata.llm.backends.simulated.recognize import NamedPrompt
from errata.llm.request import Reply, Request
from errata.llm.spec import AgentSpec


class Simulated:
    """The faculty sees what a server would be sent, and beside it the name and the inputs of the prompt."""

    paid = True
    remote = False

    async def complete(self, request: Request, seed: int) -> Reply:
        spec, parameters = request.spec, request.parameters
        # As over HTTP, an agent's own seed goes first, and `seed: null` sends none.
        own_seed = parameters.get("seed", None if "seed" in spec.extra else seed)
        pairs = [(message.role, message.content) for message in request.messages]
        prompt = NamedPrompt(request.prompt.rpartition("@")[0], request.inputs)
        return faculty.reply(spec.model, pairs, parameters, own_seed, prompt)

    def fingerprint(self, spec: AgentSpec) -> None:
        return None

    def takes_schema(self, spec: AgentSpec) -> bool:
        return False

    async def close(self) -> None:
        return None
