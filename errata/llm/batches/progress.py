"""How the batches of a run stand, for whoever shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

WAVE = 2_000
"""Problems in flight at least where an agent's calls go out in batches: a wave of them waits together."""


class OpenBatch(NamedTuple):
    """One batch at its provider."""

    agent: str
    id: str | None
    calls: int
    done: int
    """Requests that the provider says it has answered."""
    seconds: float
    """Since it was sent, or since this process took it up."""

    @property
    def left_s(self) -> float | None:
        """Seconds until it is done at its pace so far; None while there is no pace."""
        return self.seconds * (self.calls - self.done) / self.done if self.done else None


class BatchProgress(NamedTuple):
    """All batches of a run, and the calls that wait to be sent in one."""

    waiting: int = 0
    open: Sequence[OpenBatch] = ()

    def __bool__(self) -> bool:
        return bool(self.waiting or self.open)

    @property
    def calls(self) -> int:
        return sum(batch.calls for batch in self.open)

    @property
    def done(self) -> int:
        return sum(batch.done for batch in self.open)

    @property
    def left_s(self) -> float | None:
        """Seconds until the last of them is done; None where one has no pace yet."""
        left = [batch.left_s for batch in self.open]
        known = [seconds for seconds in left if seconds is not None]
        return max(known) if known and len(known) == len(left) else None

    def to_json(self) -> dict[str, Any]:
        names = ("agent", "id", "calls", "done")
        return {"waiting": self.waiting, "open": [{name: getattr(each, name) for name in names} for each in self.open]}
