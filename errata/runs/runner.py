"""Drives a data set of problems through one graph and logs one transcript each.

    problems -> workers (twice `concurrency`) -> run_problem(problem) -> one writer -> transcripts.jsonl
                   |                                                        done | rejected | failed
                   +-> cut off by budget, refusal or Ctrl-C: no line, the problem is pending

The same command resumes: problems whose last line is done or rejected are skipped, failed ones are tried again. Every
problem is read once before the first call, so that a bad record costs nothing; memory holds the problems in flight
and a few bytes for each in the log. With `dual_cot.warmup` the first problems run to their end first, and their natural
pairs are the demonstrations of all others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from errata.agents.demonstration import Demonstration
from errata.agents.prompts import Prompts
from errata.config.code import Code
from errata.config.env import expand
from errata.data.problems import Problems
from errata.errors import (
    ErrataError,
    UsageError,
)
from errata.grading.grader import Grader, Grades, as_grader
from errata.graphs.stage import AnyStage
from errata.graphs.state import natural_demonstrations
from errata.llm.batches.progress import WAVE, BatchProgress
from errata.llm.budget import Spent
from errata.llm.gateway import Gateway
from errata.llm.preflight import check_access
from errata.llm.rate_limits import Clock, Sleep
from errata.llm.reply_counts import added, counts_of, rows_of, too_short
from errata.llm.structured import refused_in
from errata.records import Outcome, Problem, Transcript
from errata.runs.counters import (
    ProblemCounts,
    Snapshot,
    StopSignal,
    Watch,
    fallback_counts,
    fallbacks_in_words,
    resumes,
    spending,
    unknown_prompts,
)
from errata.runs.drive import Driver, ticking
from errata.runs.manifest import provenance
from errata.runs.mend_log import repair, set_aside
from errata.runs.recipe import SynthRecipe, load_recipe, with_parts
from errata.runs.reply_store import ReplyStore, reply_store
from errata.runs.run_dir import Log, LogIndex, RunDir, held, write_whole
from errata.runs.run_problem import RunProblem, problem_runner
from errata.runs.saved_recipe import dump_recipe, refuse_other_recipe
from errata.runs.warmup import read_warmup, warmup_of

PROBLEMS_PER_CALL = 2
"""Problems in flight for each call that may be: while one is graded or between two calls, another has its place."""

Executor = Callable[[Gateway, AsyncExitStack], Awaitable[RunProblem]]
"""Finds who runs the graphs and lets them go when the stack is closed."""


@dataclass(frozen=True)
class Summary:
    """What a run came to. `error` is what ended it early, if anything did."""

    run: Path
    exit_code: int
    problems: dict[str, Any]
    spent: dict[str, Any]
    error: ErrataError | None
    resumed: bool
    settled_before: int
    torn_bytes: int
    notes: tuple[str, ...] = ()
    """What else a person must know: a store that was mended, agents in whose place others spoke."""


# ---- a data set ------------------------------------------------------------------------------------------------------


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
    demonstrations: tuple[Demonstration, ...] = ()
    settled: int = 0
    started: float = field(default_factory=time.monotonic)

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
            self._settle(problem, await self.run_problem(problem, self.demonstrations))
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
        sums = {"problems": self.tally.to_json(), "spent": self.spent()}
        return {
            **self.about,
            **sums,
            "log": self.log.seal._asdict(),
            "replies": rows_of(added(counts_of(self._earlier.get("replies")), self.accounts.replies)),
            "fallbacks": fallbacks,
            "unknown_prompts": unknown,
            "schemas_refused": dict(self.accounts.schemas_refused),
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


def survey(problems: Problems, index: LogIndex) -> ProblemCounts:
    """Reads every problem once: all bad records are found before a call is paid for.

    Raises UsageError where a settled problem is not what it was: its transcript would be another problem's.
    """
    pending, changed = 0, []
    for problem in problems:
        pending += index.outcome(problem.id) is None
        if index.is_settled(problem.id) and index.has_changed(problem):
            changed.append(problem.id)
    if changed:
        raise UsageError(
            f"{len(changed)} of the problems differ from those that this run has settled: {', '.join(changed[:5])}"
            f"{', ...' * (len(changed) > 5)}",
            "question, gold answer or choices have changed under the same id; the log holds replies to the old ones",
            "restore the data, or give this run a name of its own: name=... (equal calls are not paid again)",
        )
    tally = ProblemCounts(pending + len(index))
    for outcome, number in index.counts():
        tally.count(outcome, number)
    return tally


async def synthesize(
    recipe: SynthRecipe | str | Path,
    *,
    stages: Sequence[AnyStage] | None = None,
    grader: Any = None,
    backends: Mapping[str, Any] | None = None,
    stop: StopSignal | None = None,
    signals: bool = False,
    watch: Watch | None = None,
    clock: Clock = time.monotonic,
    sleep: Sleep = asyncio.sleep,
    ledger: str | None = None,
    executor: Executor | None = None,
) -> Summary:
    """Runs a recipe in its run directory, from the start or from where it stands.

    Args:
        recipe: or the file of one.
        stages, grader: used in place of those that the recipe names; one's own may be among them.
        backends: by provider, who is asked for its models, see `load_recipe`.
        stop: asks the run to end; with `signals`, Ctrl-C and SIGTERM do so while problems run.
        clock, sleep: those of rate limits and retries, in seconds.
        ledger: under which payments are booked, by default the run's own.
        executor: finds others to run the pipeline, who ask the gateway here; by default it runs here.

    Raises:
        UsageError: a directory in use or of another recipe, a bad input or agent. What ends a run that has begun stands
            in the summary.
    """
    if not isinstance(recipe, SynthRecipe):
        recipe = load_recipe(recipe, stages=stages, grader=grader, backends=backends)
    else:
        recipe = with_parts(recipe, stages, grader, backends)
    stop = stop or StopSignal()
    with held(Path(expand(recipe.runs)) / recipe.name) as directory:
        prompts = recipe.load_prompts()
        refuse_another(directory, recipe, prompts)
        resumed = bool(directory.manifest())
        torn, damage, index = mended_log(directory)
        problems = Problems(recipe.problems, recipe.limit)
        tally = survey(problems, index)
        before = tally.logged - tally.failed.total()
        if before < tally.total:
            check_access(recipe.asked)
        store = reply_store(recipe, directory)
        about = provenance(recipe, prompts) | {"store": store.kind}
        about["input"] = {
            name: getattr(problems, name) for name in ("duplicates", "excluded", "skipped", "without_gold")
        }
        log = Log(directory.log)
        listening = ExitStack()
        try:
            async with AsyncExitStack() as stack:
                gateway = await _gateway(recipe, directory, store, stack, clock, sleep, ledger)
                run_one = await (executor or partial(_in_process, recipe))(gateway, stack)
                about["resumes"] = resumes(directory.manifest(), gateway.spent, unsettled=tally.total - before)
                write_whole(directory.recipe, dump_recipe(recipe).encode())
                run = Run(recipe, directory, index, log, run_one, gateway.spent, tally, stop, about)
                run.batches = gateway.batches.progress
                stop.abandon = gateway.abandon
                if signals:
                    listening.enter_context(stop.on_signals())  # until the gateway has waited for calls in flight
                await _all(run, problems, watch)
            run.save_last()
        finally:
            listening.close()
            log.close()
        return Summary(
            directory.path,
            run.driver.exit_code(tally.failed.total()),
            tally.to_json(),
            run.spent(),
            run.driver.error(),
            resumed,
            before,
            torn,
            (*damage, *problems.notes(), *gateway.notes, *fallbacks_in_words(gateway.spent, gateway.refused)),
        )


def mended_log(directory: RunDir) -> tuple[int, Sequence[str], LogIndex]:
    """The log without a torn or damaged line: bytes cut off, notes on what was set aside, and where its lines are."""
    torn, index = repair(directory.log), directory.index()
    damage = set_aside(directory.log, index)
    return torn, damage, directory.index() if damage else index


def refuse_another(directory: RunDir, recipe: SynthRecipe, prompts: Prompts) -> None:
    """Raises UsageError where the run directory holds transcripts of another recipe, other prompts or other code."""
    refuse_other_recipe(directory.recipe, recipe)
    refuse_other_prompts(directory, prompts)
    refuse_other_code(directory, recipe.code)


def refuse_other_prompts(directory: RunDir, prompts: Prompts) -> None:
    """Raises UsageError where the run directory's problems were asked with other prompt texts."""
    there, here = directory.manifest().get("prompts", {}), prompts.hashes()
    changed = sorted(name for name in there.keys() | here.keys() if there.get(name) != here.get(name))
    if there and changed:
        raise UsageError(
            f"{directory.path} was run with other texts of {', '.join(changed)}",
            "one run directory holds the transcripts of one recipe and its prompts",
            "give this run a name of its own: name=..., or restore the prompts",
        )


def refuse_other_code(directory: RunDir, code: Mapping[str, Code]) -> None:
    """Raises UsageError where the run directory's problems ran through other code of one's own."""
    there = directory.manifest().get("code", {})
    changed = [name for name, known in there.items() if name in code and known.get("sha256") != code[name].sha256]
    if changed:
        raise UsageError(
            f"{directory.path} was run with another {', '.join(changed)}",
            "the file has changed since, and one run directory holds the transcripts of one code",
            "give this run a name of its own: name=..., or restore the file",
        )


async def _gateway(
    recipe: SynthRecipe,
    directory: RunDir,
    store: ReplyStore,
    stack: AsyncExitStack,
    clock: Clock,
    sleep: Sleep,
    booked: str | None,
) -> Gateway:
    """The gateway; closing the stack waits for calls in flight, so that none is paid in vain."""
    return await stack.enter_async_context(
        Gateway.open(
            recipe.agents,
            seed=recipe.seed,
            budget=recipe.budget,
            concurrency=recipe.concurrency,
            store=store.folder,
            ledger=booked or store.ledger,
            known=None if booked else store.known,
            anew=store.anew and not booked,
            clock=clock,
            sleep=sleep,
            schemas_refused=refused_in(directory.manifest()),
        )
    )


async def _in_process(recipe: SynthRecipe, gateway: Gateway, stack: AsyncExitStack) -> RunProblem:
    """The pipeline runs where the gateway is."""
    return problem_runner(recipe, gateway, await open_grader(recipe, stack))


async def open_grader(recipe: SynthRecipe, stack: AsyncExitStack) -> Grades:
    """The recipe's own grader, else the shipped one, whose workers end with the stack."""
    if recipe.grader is not None:
        return as_grader(recipe.grader.part)
    return await stack.enter_async_context(Grader())


async def _all(run: Run, problems: Problems, watch: Watch | None) -> None:
    """The warm-up, then the rest, with the manifest written before the first call and kept fresh."""
    run.save(run.manifest())
    async with ticking(watch, run.snapshot, run.refresh):
        first = list(islice(problems, warmup_of(run.recipe)))
        if first:
            await run.drive_warmup(first)
            lost = run.failed_in_warmup(first)
            if lost and not run.draining:  # what they lack would be lacking in the prompts of all others
                await run.drive_again(lost)
            finished = read_warmup(run.dir.log, {problem.id for problem in first})
            run.demonstrations = tuple(pair for each in finished for pair in natural_demonstrations(each))
        if not run.draining:
            await run.drive(islice(problems, len(first), None))
