"""The agents that answer in another's place while that one is refused or out of reach, by the recipe's `fallback`.

    ada is asked -> refused, or failed after all retries -> ben is asked in ada's place -> ...

A fallback answers with the asked agent's messages and sampling, through its own model, key, limits and price. An agent
that was out cools down: until COOLDOWN_S have passed its calls go straight to the fallback, then one call at a time
tries it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace

from errata.errors import AgentRefused
from errata.llm.rate_limits import Clock
from errata.llm.request import Request
from errata.llm.spec import AgentSpec, Sampling
from errata.llm.stored_reply import CallResult

COOLDOWN_S = 60.0
"""Seconds of an agent's cooldown after an outage."""


class Fallbacks:
    """The fallbacks of all agents of a run, and who is out."""

    def __init__(self, specs: Sequence[AgentSpec], clock: Clock) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._clock = clock
        self._until: dict[str, float] = {}

    def requests(self, request: Request) -> list[Request]:
        """The request itself and, in the order in which they are tried, the same for each fallback."""
        return [request, *(in_place(request, spec) for spec in self._fallbacks_of(request))]

    def _fallbacks_of(self, request: Request) -> Iterator[AgentSpec]:
        name = request.spec.fallback
        while name is not None:
            spec = self._specs[name]
            # nobody scores what is their own, not in another's name either
            if request.verb != "score" or name not in (request.context.author, request.context.stand_in):
                yield spec
            name = spec.fallback

    async def first_result(
        self,
        request: Request,
        is_stored: Callable[[Request], Awaitable[bool]],
        ask: Callable[[Request], Awaitable[tuple[Request, CallResult]]],
    ) -> tuple[Request, CallResult]:
        """The first result there is, and of which request. What is stored goes first: it is paid for."""
        requests = self.requests(request)
        for each in requests:
            if await is_stored(each):
                return await ask(each)
        *first, last = requests
        for each in first:
            name = each.spec.name
            if self.cooling_down(name):
                continue
            try:
                request, result = await ask(self.tried(each))
            except AgentRefused:
                continue
            if not result.outage:
                self.back(name)
                return request, result
            self.out(name)
        return await ask(last)

    def cooling_down(self, name: str) -> bool:
        """Whether the agent is not to be asked now; after its cooldown one caller may try it."""
        if name not in self._until:
            return False
        now = self._clock()
        # a clock that stepped back must not make the cooldown longer
        if self._until[name] - COOLDOWN_S <= now < self._until[name]:
            return True
        self._until[name] = now + COOLDOWN_S
        return False

    def tried(self, request: Request) -> Request:
        """The request as it is made of an agent that has fallbacks: without retries where its last call was lost."""
        if request.spec.name not in self._until:
            return request
        return replace(request, spec=request.spec.model_copy(update={"retries": 0}))

    def out(self, name: str) -> None:
        self._until[name] = self._clock() + COOLDOWN_S

    def back(self, name: str) -> None:
        self._until.pop(name, None)


def in_place(request: Request, spec: AgentSpec) -> Request:
    """The request as a fallback is asked: its own extra settings, and its own sampling where it sets any."""
    sampling = {name: value for name, value in request.parameters.items() if name in Sampling.model_fields}
    parameters = spec.parameters(Sampling.model_validate(sampling))
    return replace(request, spec=spec, parameters=parameters, instead_of=request.agent)
