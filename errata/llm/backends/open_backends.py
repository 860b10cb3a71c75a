"""The backends of a run: one for each kind of model string or part of the user's own, opened when first needed."""

from __future__ import annotations

from errata.llm.backends import backend_of, is_lent, kind_of
from errata.llm.request import Backend
from errata.llm.spec import AgentSpec


class OpenBackends:
    """Backends by kind. Those that a caller lends are the caller's to close."""

    def __init__(self) -> None:
        self._backends: dict[str | int, Backend] = {}
        self._own: list[Backend] = []

    def of(self, spec: AgentSpec) -> Backend:
        """The backend that answers for the agent. Raises UsageError where its model string names none."""
        which = kind_of(spec) if spec.backend is None else id(spec.backend.part)
        if which not in self._backends:
            self._backends[which] = backend_of(spec)
            if not is_lent(spec):
                self._own.append(self._backends[which])
        return self._backends[which]

    async def close(self) -> None:
        for backend in self._own:
            await backend.close()
