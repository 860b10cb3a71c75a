"""Drives a data set of problems through one graph and logs one transcript each.

    problems -> workers (twice `concurrency`) -> run_problem(problem) -> one writer -> transcripts.jsonl
                   |                                                        done | rejected | failed
                   +-> cut off by budget, refusal or Ctrl-C: no line, the problem is pending

The same command resumes: problems whose last line is done or rejected are skipped, failed ones are tried again. Every
problem is read once before the first call, so that a bad record costs nothing; memory holds the problems in flight
and a few bytes for each in the log. With a warm-up the first problems run to their end first, and all others use
what they teach (warmup.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from errata.agents.prompts import Prompts
from errata.config.env import expand
from errata.config.files import write_whole
from errata.data.problems import Problems
from errata.errors import (
    ErrataError,
    UsageError,
)
from errata.grading.grader import Grader, Grades, as_grader
from errata.graphs.stage import AnyStage
from errata.llm.declined import refused_in
from errata.llm.gateway import Gateway
from errata.llm.preflight import check_access
from errata.llm.rate_limits import Clock, Sleep
from errata.records import Transcript
from errata.runs.counters import (
    ProblemCounts,
    StopSignal,
    Watch,
    fallbacks_in_words,
    resumes,
)
from errata.runs.drive import ticking
from errata.runs.manifest import provenance
from errata.runs.mend_log import repair, set_aside
from errata.runs.recipe import SynthRecipe, load_recipe, with_parts
from errata.runs.reply_store import ReplyStore, reply_store
from errata.runs.run import Run
from errata.runs.run_dir import Log, LogIndex, RunDir, held
from errata.runs.run_problem import RunProblem, problem_runner
from errata.runs.same_run import refuse_another
from errata.runs.saved_recipe import dump_recipe
from errata.runs.warmup import learned_from, read_warmup, warmup_of

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
        start = _start(recipe, directory)
        store = reply_store(recipe, directory)
        log = Log(directory.log)
        listening = ExitStack()
        try:
            async with AsyncExitStack() as stack:
                gateway = await _gateway(recipe, directory, store, stack, clock, sleep, ledger)
                run_one = await (executor or partial(_in_process, recipe))(gateway, stack)
                about = _about(recipe, start, store, gateway)
                write_whole(directory.recipe, dump_recipe(recipe).encode())
                run = Run(recipe, directory, start.index, log, run_one, gateway.spent, start.tally, stop, about)
                run.batches = gateway.batches.progress
                stop.abandon = gateway.abandon
                if signals:
                    listening.enter_context(stop.on_signals())  # until the gateway has waited for calls in flight
                await _all(run, start.problems, watch)
            run.save_last()
        finally:
            listening.close()
            log.close()
        return _summary(start, run, gateway)


@dataclass(frozen=True)
class _Start:
    """A run directory and its problems as they stand before the first call."""

    directory: RunDir
    prompts: Prompts
    problems: Problems
    index: LogIndex
    tally: ProblemCounts
    torn_bytes: int
    damage: Sequence[str]
    resumed: bool
    settled: int
    """Problems that an earlier process has settled."""


def _start(recipe: SynthRecipe, directory: RunDir) -> _Start:
    """Mends the log and counts the problems. Raises UsageError for all that can be wrong before a call is paid for."""
    prompts = recipe.load_prompts()
    refuse_another(directory, recipe, prompts)
    resumed = bool(directory.manifest())
    torn, damage, index = mended_log(directory)
    problems = Problems(recipe.problems, recipe.limit)
    tally = survey(problems, index)
    settled = tally.logged - tally.failed.total()
    if settled < tally.total:
        check_access(recipe.callees)
    return _Start(directory, prompts, problems, index, tally, torn, damage, resumed, settled)


def _about(recipe: SynthRecipe, start: _Start, store: ReplyStore, gateway: Gateway) -> dict[str, Any]:
    """What the manifest says of the run beside its counts."""
    left_out = ("duplicates", "excluded", "skipped", "without_gold")
    return provenance(recipe, start.prompts) | {
        "store": store.kind,
        "input": {name: getattr(start.problems, name) for name in left_out},
        "resumes": resumes(start.directory.manifest(), gateway.spent, unsettled=start.tally.total - start.settled),
    }


def _summary(start: _Start, run: Run, gateway: Gateway) -> Summary:
    fallbacks = fallbacks_in_words(gateway.spent, gateway.refused)
    return Summary(
        start.directory.path,
        run.driver.exit_code(run.tally.failed.total()),
        run.tally.to_json(),
        run.spent(),
        run.driver.error(),
        start.resumed,
        start.settled,
        start.torn_bytes,
        (*start.damage, *start.problems.notes(), *gateway.notes, *fallbacks),
    )


def mended_log(directory: RunDir) -> tuple[int, Sequence[str], LogIndex]:
    """The log without a torn or damaged line: bytes cut off, notes on what was set aside, and where its lines are."""
    torn, index = repair(directory.log), directory.index()
    damage = set_aside(directory.log, index)
    return torn, damage, directory.index() if damage else index


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
            refused=refused_in(directory.manifest()),
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
            if not run.draining:
                await _learn(run, [problem.id for problem in first], finished)
        if not run.draining:
            await run.drive(islice(problems, len(first), None))


async def _learn(run: Run, ids: Sequence[str], finished: Sequence[Transcript]) -> None:
    """What the warm-up has taught, for all other problems; the manifest says by which policy reviews are asked for."""
    async with AsyncExitStack() as stack:
        run.learned = await learned_from(run.recipe, ids, finished, await open_grader(run.recipe, stack))
    if run.learned.policy is not None:
        run.about["votes"] = run.learned.policy._asdict()
