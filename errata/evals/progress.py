"""How far an evaluation is: its items by ending over all directories, and what was spent on them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from errata.llm.budget import Budget
from errata.llm.spent import Spent
from errata.records import Outcome
from errata.runs.counters import ProblemCounts, Snapshot, StopSignal, spending


@dataclass
class Progress:
    """How far all directories of the recipe are, and what was spent on them."""

    tally: ProblemCounts
    stop: StopSignal
    budget: Budget
    ledgers: list[Spent] = field(default_factory=list)
    settled: int = 0
    started: float = field(default_factory=time.monotonic)

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Counts an item as in flight as long as this holds."""
        self.tally.in_flight += 1
        try:
            yield
        finally:
            self.tally.in_flight -= 1

    def settle(self, failure: str | None) -> None:
        outcome = Outcome(status="done") if failure is None else Outcome(status="failed", reason=failure)
        self.tally.count(outcome, 1)
        self.settled += 1

    def spent(self) -> dict[str, Any]:
        if not self.ledgers:
            return spending(Spent(), {})
        now = {key: tally for ledger in self.ledgers for key, tally in ledger.now.items()}
        return spending(Spent(now=now, before=self.ledgers[0].before), {})

    def snapshot(self) -> Snapshot:
        return Snapshot(
            self.tally,
            self.spent(),
            self.settled,
            self.tally.pending,
            time.monotonic() - self.started,
            bool(self.stop.requests),
            self.budget,
            stops=self.stop.requests,
        )
