"""What the agents' providers do not take of a request: JSON schemas, sampling keys. It is left out from then on.

Which these are is learnt from a refusal, kept in the run's manifest, and said at the end of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from errata.llm.request import Backend, ProviderFailure, Request
from errata.llm.sampling_keys import KEYS, SamplingKeys, SamplingRefused, sampling_notes
from errata.llm.stored_reply import Declinable
from errata.llm.structured import SchemaRefused, Schemas, schema_notes

Refused = Mapping[str, Mapping[str, str]]
"""By part (schema, sampling), the agents whose providers refused it, with their words."""
_IN_MANIFEST: Mapping[Declinable, str] = {"schema": "schemas_refused", "sampling": "sampling_refused"}


class Declined:
    """Who is sent what. `refused` holds what was refused in earlier runs, and takes what is refused from now on."""

    def __init__(self, refused: Refused) -> None:
        self._schemas = Schemas(refused.get("schema", {}))
        self._sampling = SamplingKeys(refused.get("sampling", {}))
        self.refused = {"schema": self._schemas.refused, "sampling": self._sampling.refused}

    def settled(self, request: Request, backend: Backend) -> Request:
        """The request as it is sent."""
        return self._sampling.settled(self._schemas.settled(request, backend))

    def part_of(self, request: Request, failure: ProviderFailure) -> Declinable | None:
        """What of the request as it was sent its provider refused; None where the failure is of another kind."""
        if isinstance(failure, SchemaRefused) and request.schema is not None:
            return "schema"
        if isinstance(failure, SamplingRefused) and KEYS & request.parameters.keys():
            return "sampling"
        return None

    def leave_out(self, part: Declinable, agent: str, words: str) -> None:
        """Remembers a refusal, with the provider's first words."""
        self.refused[part].setdefault(agent, words)

    def notes(self) -> list[str]:
        """What to say of it."""
        return notes_on(self.refused)


def notes_on(refused: Refused) -> list[str]:
    """What to say of providers that did not take all of a request."""
    return [*schema_notes(refused.get("schema", {})), *sampling_notes(refused.get("sampling", {}))]


def refused_in(manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What providers refused in a run's processes so far, as `Refused`; a manifest may hold anything."""
    return {part: _by_agent(manifest.get(name)) for part, name in _IN_MANIFEST.items()}


def for_manifest(refused: Refused) -> dict[str, dict[str, str]]:
    """As a manifest holds it; `refused_in` reads it again."""
    return {name: dict(refused.get(part, {})) for part, name in _IN_MANIFEST.items()}


def _by_agent(value: object) -> dict[str, str]:
    return {str(agent): str(words) for agent, words in value.items()} if isinstance(value, dict) else {}
