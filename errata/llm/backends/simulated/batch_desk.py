"""The batches of the simulated faculty, whichever API brings them: taken in, and worked off after a delay.

    create -> in progress for `delay` seconds -> ended: every item done, or as the batch's fate says

A batch's fate hashes (faults' seed, its items, how often the same items have come before), so that a batch that is sent
again may fare better.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from errata.errors import UsageError
from errata.records import digest, draw

BATCH_FAULTS = ("expired", "failed", "partial", "garbled")
"""expired (half of the items were not reached in time), failed (none was taken up), partial (a third met an error),
garbled (a third of the results are no JSON or are missing)."""


@dataclass(frozen=True)
class BatchFaults:
    """How long batches take, and which of them fare badly.

    rate: share of batches that meet a fault. kinds: drawn from evenly. delay: seconds until a batch has ended.
    attempts: only the first so many batches of the same items may meet one.
    """

    rate: float = 0.0
    kinds: tuple[str, ...] = ("expired", "failed", "partial")
    seed: int = 0
    delay: float = 0.0
    attempts: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise UsageError(f"batch fault rate {self.rate}", "it is a share from 0 to 1")
        unknown = [kind for kind in self.kinds if kind not in BATCH_FAULTS]
        if unknown or not self.kinds:
            raise UsageError(f"batch faults {', '.join(unknown) or 'none'}", f"the kinds are {', '.join(BATCH_FAULTS)}")

    def drawn(self, items: str, attempt: int) -> str | None:
        """The fate of the batch that brings these items for the `attempt`-th time; None where all goes well."""
        if self.attempts is not None and attempt >= self.attempts:
            return None
        if draw("batch fault", self.seed, items, attempt) >= self.rate:
            return None
        return self.kinds[int(draw("batch fault kind", self.seed, items, attempt) * len(self.kinds))]


class Item(NamedTuple):
    """One request of a batch."""

    custom_id: str
    body: bytes


class Result(NamedTuple):
    """What became of an item: `ok` with the reply, `error` with status and message, `expired`, `garbled`, `missing`."""

    custom_id: str
    kind: str
    value: dict[str, Any]


@dataclass
class Batch:
    """One batch, with its results once it has ended."""

    id: str
    items: Sequence[Item]
    created: float
    """Seconds of the wall clock."""
    began: float
    """Seconds of a clock that does not step back."""
    fate: str | None
    about: dict[str, Any]
    results: list[Result] | None = None

    def count(self, kind: str) -> int:
        return sum(result.kind == kind for result in self.results or ())


@dataclass
class BatchDesk:
    """All batches of one server. `answer` gives the reply to a body, or raises BadItem."""

    faults: BatchFaults
    answer: Callable[[bytes], dict[str, Any]]
    batches: dict[str, Batch] = field(default_factory=dict)
    _before: Counter[str] = field(default_factory=Counter)

    def create(self, prefix: str, items: Sequence[Item], about: dict[str, Any]) -> Batch:
        content = digest(sorted(item.body.decode("utf-8", "replace") for item in items))
        attempt = self._before[content]
        self._before[content] += 1
        name = f"{prefix}_{digest(content, attempt)}"
        fate = self.faults.drawn(content, attempt)
        batch = Batch(name, items, time.time(), time.monotonic(), fate, about)
        self.batches[name] = batch
        return batch

    def look(self, name: str) -> Batch | None:
        """The batch as it stands now; it is worked off when it is first looked at after its time."""
        batch = self.batches.get(name)
        if batch is not None and batch.results is None and time.monotonic() >= batch.began + self.faults.delay:
            batch.results = [self._worked_off(batch, item) for item in batch.items]
        return batch

    def done(self, batch: Batch) -> int:
        """Items that are done by now, as a provider would report on the way."""
        if batch.results is not None:
            return batch.count("ok")
        share = (time.monotonic() - batch.began) / self.faults.delay if self.faults.delay else 1.0
        return int(min(1.0, share) * len(batch.items))

    def newest_first(self, after: str | None, limit: int) -> tuple[list[Batch], bool]:
        """So many batches older than `after`, and whether there are more."""
        names = list(reversed(self.batches))
        start = names.index(after) + 1 if after in names else 0
        batches = [self.look(name) for name in names[start : start + limit]]
        return [batch for batch in batches if batch], len(names) > start + limit

    def _worked_off(self, batch: Batch, item: Item) -> Result:
        # by its body: custom ids are drawn anew for every batch, and the same requests shall fare the same
        luck = draw("batch item", self.faults.seed, batch.id, item.body.decode("utf-8", "replace"))
        match batch.fate:
            case "failed":
                return Result(item.custom_id, "error", {"status": 400, "message": "the batch was not taken up"})
            case "expired" if luck < 1 / 2:
                return Result(item.custom_id, "expired", {})
            case "partial" if luck < 1 / 3:
                return Result(item.custom_id, "error", {"status": 500, "message": "fault on one request"})
        garbled = batch.fate == "garbled" and luck < 1 / 3
        kind = "ok" if not garbled else "missing" if luck < 1 / 6 else "garbled"
        try:
            return Result(item.custom_id, kind, self.answer(item.body))
        except BadItem as error:
            return Result(item.custom_id, "error", {"status": error.status, "message": str(error)})


class BadItem(Exception):
    """A request that the faculty cannot answer."""

    def __init__(self, message: str, status: int = 400, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.status, self.code = status, code
