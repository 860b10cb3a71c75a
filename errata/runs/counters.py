"""How a run stands at one moment: its problems by ending, its calls and dollars, and whether it was asked to end."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from errata.errors import AgentRefused
from errata.llm.batches.progress import BatchProgress
from errata.llm.budget import Budget, total
from errata.llm.budget import CallTotals as Calls
from errata.llm.spent import Spent
from errata.records import Outcome

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """A request to end a run early. The first: no new problem begins, those in flight end. The second: they are cut off
    and stay pending; calls on their way are waited for and stored. The third: these are given up.

    Args:
        on_request: is called with the number of requests so far.
    """

    def __init__(self, on_request: Callable[[int], None] | None = None) -> None:
        self.requests = 0
        self.stopped = asyncio.Event()
        self.abandon: Callable[[], None] | None = None
        """Gives up the calls on their way; set by the run."""
        self._on_request = on_request

    def request(self) -> None:
        self.requests += 1
        if self.requests > 1:
            self.stopped.set()
        if self.requests > 2 and self.abandon:
            self.abandon()
        if self._on_request:
            self._on_request(self.requests)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM request it, as long as this holds."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.request)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)


@dataclass
class ProblemCounts:
    """How the problems stand: those in the log by ending, the others pending."""

    total: int
    done: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0

    def move(self, before: Outcome | None, after: Outcome) -> None:
        """A problem has ended `after`; its last line so far, if any, said `before`."""
        if before is not None:
            self.count(before, -1)
        self.count(after, 1)

    def count(self, outcome: Outcome, number: int) -> None:
        if outcome.status == "done":
            self.done += number
        else:
            reasons = self.rejected if outcome.status == "rejected" else self.failed
            reasons[outcome.reason or "unknown"] += number

    @property
    def logged(self) -> int:
        return self.done + self.rejected.total() + self.failed.total()

    @property
    def pending(self) -> int:
        return self.total - self.logged

    def to_json(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "done": self.done,
            "rejected": dict(+self.rejected),
            "failed": dict(+self.failed),
            "pending": self.pending,
        }


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment, for whoever shows it."""

    tally: ProblemCounts
    spent: dict[str, Any]
    """As `spending` gives it."""
    settled: int
    """Problems this process has settled."""
    left: int
    """Problems it has still to settle."""
    elapsed_s: float
    draining: bool
    budget: Budget = field(default_factory=Budget)
    warnings: Mapping[str, str] = field(default_factory=dict)
    """What is to be said at once and not at the end, by what it is about."""
    batches: BatchProgress = field(default_factory=BatchProgress)
    stops: int = 0
    """How often a person has asked for an end."""


Watch = Callable[[Snapshot], None]


def spending(spent: Spent, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for and paid, as JSON-able values: by this process, and by all runs in the directory.

    `earlier` holds the figures of the runs before: the ledger of the store knows what they paid, but not what they
    found in it or what failed. `counted_usd` is what counts against budgets, also where a price is unknown.
    """
    now, ever = _figures(spent.process), _figures(spent.run)
    for key in ("cached", "failed"):
        ever[key] += earlier.get(key, 0)
    mine = Spent(now=spent.now)
    now["agents"] = {name: _figures(calls) for name, calls in mine.by_agent().items()}
    now["stages"] = {stage: _figures(calls) for stage, calls in mine.by_stage().items()}
    ever["stages"] = {
        stage: _figures(calls) | {"counted_usd": round(calls.usd, 8)} for stage, calls in spent.by_stage().items()
    }
    return {"this_run": now, "all_runs": ever}


def fallback_counts(spent: Spent, earlier: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Replies paid to fallbacks, by the agent and who spoke for it; `earlier` are those of the processes before."""
    counts = {agent: Counter(speakers) for agent, speakers in earlier.items()}
    for (agent, speaker), number in sorted(spent.fallbacks.items()):
        counts.setdefault(agent, Counter())[speaker] += number
    return {agent: dict(by_speaker) for agent, by_speaker in counts.items()}


def fallbacks_in_words(spent: Spent, refused: Mapping[str, AgentRefused]) -> list[str]:
    """Who spoke in whose place in this process, and why where an agent was refused."""
    notes = [
        f"{number} replies were asked of {agent} and given by {speaker}, its fallback"
        for (agent, speaker), number in sorted(spent.fallbacks.items())
    ]
    replaced = {agent for agent, _ in spent.fallbacks}
    return notes + [error.found for name, error in sorted(refused.items()) if name in replaced]


def unknown_prompts(spent: Spent, earlier: Mapping[str, int]) -> dict[str, int]:
    """Replies to prompts that the simulated faculty does not know, by prompt; `earlier` are those of the processes
    before."""
    return dict(sorted((Counter(earlier) + spent.unknown_prompts).items()))


def resumes(manifest: dict[str, Any], spent: Spent, *, unsettled: int) -> dict[str, Any]:
    """How often the run was taken up again, and what earlier processes had paid by then: none of it is paid again.

    A process that finds no problem to settle is no resume. The sums are what starting over each time would have cost.
    """
    before: dict[str, Any] = manifest.get(
        "resumes", {"count": 0, "calls_saved": 0, "tokens_saved": 0, "usd_saved": 0.0}
    )
    if not manifest or not unsettled:
        return before
    paid = total(spent.before.values())
    usd = None if before["usd_saved"] is None or paid.cost is None else round(before["usd_saved"] + paid.cost, 8)
    return {
        "count": before["count"] + 1,
        "calls_saved": before["calls_saved"] + paid.paid,
        "tokens_saved": before["tokens_saved"] + paid.tokens,
        "usd_saved": usd,
    }


def _figures(calls: Calls) -> dict[str, Any]:
    counts = {
        key: getattr(calls, key) for key in ("paid", "cached", "failed", "lost", "prompt_tokens", "completion_tokens")
    }
    return counts | {"usd": None if calls.cost is None else round(calls.cost, 8)}
