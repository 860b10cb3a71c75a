"""One process's work on a run directory: problems driven, transcripts logged, the manifest kept fresh."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from errata.errors import ErrataError
from errata.graphs.state import Learned
from errata.llm.batches.progress import WAVE, BatchProgress
from errata.llm.declined import for_manifest
from errata.llm.reply_counts import added, counts_of, rows_of, too_short
from errata.llm.spent import Spent
from errata.records import Outcome, Problem, Transcript
from errata.runs.counters import ProblemCounts, Snapshot, StopSignal, fallback_counts, spending, unknown_prompts
from errata.runs.drive import Driver
from errata.runs.recipe import SynthRecipe
from errata.runs.run_dir import Log, LogIndex, RunDir
from errata.runs.run_problem import NOTHING, RunProblem
from errata.runs.times import times_in, times_now

PROBLEMS_PER_CALL = 2
"""Problems in flight for each call that may be: while one is graded or between two calls, another has its place."""


@dataclass
class Run:
    """One process's work on a run directory."""

    recipe: SynthRecipe
    dir: RunDir
    index: LogIndex
    log: Log
    run_problem: RunProblem
    accounts: Spent
    tally: ProblemCounts
    stop: StopSignal
    about: dict[str, Any]
    """What the manifest says of the run beside its counts."""
    batches: Callable[[], BatchProgress] = BatchProgress
    learned: Learned = NOTHING
    settled: int = 0
    started: float = field(default_factory=time.monotonic)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.driver = Driver(self.stop)
        self.todo = self.tally.pending + self.tally.failed.total()
        self._earlier = self.dir.manifest()
        self._warmup: dict[str, Outcome | None] = {}
        """Problems that this process tries a second time, with the first ending."""

    @property
    def draining(self) -> bool:
        return self.driver.draining

    @property
    def errors(self) -> list[ErrataError]:
        return self.driver.errors

    async def drive(self, problems: Iterable[Problem]) -> None:
        """Runs the problems that are not settled; ends early when stopped or when an error concerns the whole run."""
        todo = (problem for problem in problems if not self.index.is_settled(problem.id))
        await self.driver.drive(todo, self._run_one, problems_in_flight(self.recipe))

    async def _run_one(self, problem: Problem) -> None:
        self.tally.in_flight += 1
        try:
            self._settle(problem, await self.run_problem(problem, self.learned))
        finally:
            self.tally.in_flight -= 1

    async def drive_warmup(self, problems: list[Problem]) -> None:
        """Runs the problems that all others wait for, and remembers how each of them ends."""
        self._warmup = {problem.id: self.index.outcome(problem.id) for problem in problems}
        await self.drive(problems)

    def failed_in_warmup(self, problems: list[Problem]) -> list[Problem]:
        """Those whose latest outcome is a failure."""
        outcomes = ((problem, self._warmup[problem.id]) for problem in problems)
        return [problem for problem, outcome in outcomes if outcome is not None and outcome.status == "failed"]

    async def drive_again(self, problems: list[Problem]) -> None:
        """Gives problems that have failed in this process a second chance."""
        self.todo += len(problems)
        await self.drive(problems)

    def _settle(self, problem: Problem, transcript: Transcript) -> None:
        self.log.append(transcript.to_line())
        before = self._warmup.get(problem.id) or self.index.outcome(problem.id)
        if problem.id in self._warmup:
            self._warmup[problem.id] = transcript.outcome
        self.tally.move(before, transcript.outcome)
        self.settled += 1

    def snapshot(self) -> Snapshot:
        elapsed, left = time.monotonic() - self.started, self.todo - self.settled
        at_once = too_short(self.accounts.replies)
        return Snapshot(
            self.tally,
            self.spent(),
            self.settled,
            left,
            elapsed,
            self.draining,
            self.recipe.budget,
            at_once,
            self.batches(),
            self.stop.requests,
        )

    def spent(self) -> dict[str, Any]:
        return spending(self.accounts, self._earlier.get("spent", {}).get("all_runs", {}))

    def manifest(self) -> dict[str, Any]:
        fallbacks = fallback_counts(self.accounts, self._earlier.get("fallbacks", {}))
        unknown = unknown_prompts(self.accounts, self._earlier.get("unknown_prompts", {}))
        seconds, worked = time.monotonic() - self.started, self.settled > 0
        times = times_now(times_in(self._earlier), self.begun, seconds, worked=worked)
        sums = {"problems": self.tally.to_json(), "spent": self.spent(), "times": times._asdict()}
        return {
            **self.about,
            **sums,
            "log": self.log.seal._asdict(),
            "replies": rows_of(added(counts_of(self._earlier.get("replies")), self.accounts.replies)),
            "fallbacks": fallbacks,
            "unknown_prompts": unknown,
            **for_manifest(self.accounts.refused),
            **({"batches": self.batches().to_json()} if self.recipe.agents.batched else {}),
        }

    def save(self, manifest: dict[str, Any]) -> None:
        self.log.sync()
        self.dir.write_manifest(manifest)

    def save_last(self) -> None:
        """The manifest at the end; where it cannot be written that is one more thing to tell."""
        try:
            self.save(self.manifest())
        except ErrataError as error:
            self.errors.append(error)

    async def refresh(self) -> None:
        """The manifest while the run goes on; where it cannot be written the run drains."""
        try:
            await asyncio.to_thread(self.save, self.manifest())
        except ErrataError as error:
            self.errors.append(error)


def problems_in_flight(recipe: SynthRecipe) -> int:
    """How many problems are on their way at once, at most."""
    usual = PROBLEMS_PER_CALL * recipe.concurrency
    return max(usual, WAVE) if recipe.agents.batched else usual
