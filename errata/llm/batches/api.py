"""A provider's batch API as errata uses it: create, find again, look, read the results."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from errata.llm.batches.rows import BatchRow
from errata.llm.request import ProviderFailure, Reply, Request


class Item(NamedTuple):
    """One request of a batch: its name in it, and the body that would be sent alone."""

    custom_id: str
    body: bytes


@dataclass(frozen=True)
class BatchState:
    """A batch as its provider describes it."""

    ended: bool
    done: int = 0
    """Requests that have been answered so far, where the provider says so on the way."""
    files: tuple[str, ...] = ()
    """Where the results stand, for a provider that keeps them in files."""
    missing: ProviderFailure | None = None
    """What became of the requests without a result, where the batch as a whole failed, expired or was cancelled."""


class BatchApi(Protocol):
    """The batches of one agent. All methods raise ProviderFailure."""

    async def body(self, request: Request, seed: int) -> bytes:
        """The body of the request, as it would be sent alone."""
        ...

    async def prepare(self, name: str, items: Sequence[Item]) -> str:
        """What has to be at the provider before the batch, at no cost; its id, or nothing."""
        ...

    async def create(self, name: str, items: Sequence[Item], prepared: str) -> str:
        """Sends the batch; gives its id."""
        ...

    async def find(self, row: BatchRow, known: frozenset[str]) -> str | Literal["later"] | None:
        """The id of the batch that may have been created by this name; None where there is none, `later` where that
        cannot be told yet. `known` are ids of other batches."""
        ...

    async def look(self, batch: str) -> BatchState: ...

    def results(self, batch: str, state: BatchState) -> AsyncGenerator[dict[str, Any]]:
        """The lines of results that can be read; each has a `custom_id`."""
        ...

    async def reply(self, line: dict[str, Any], request: Request | None, seed: int) -> Reply:
        """The reply in a line of results; `request` is what was asked, where that is known."""
        ...

    async def close(self) -> None:
        """Waits for what must not be broken off."""
        ...
