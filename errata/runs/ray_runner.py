"""A run whose graphs run in the workers of a Ray cluster: `errata synth RECIPE --workers N`.

    driver  --watches, stops-->   owner (a named actor)  --a problem-->  workers (N actors)
                                  log, store, budget, <--a call to make--
                                  limits, manifest    <--its transcript--

The owner is the runner as it is, on the driver's machine, where the run directory is. A worker runs the same
per-problem function; what it asks of a model, the owner pays for, stores and counts. So a worker that dies takes no
paid reply with it: its problems go to another, who finds the replies in the store. If the owner or its machine dies,
the same command goes on from the run directory.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from itertools import cycle
from typing import Any

from errata.config.env import expand, read_env_here
from errata.errors import ErrataError, UsageError
from errata.grading.grader import Grader, as_grader
from errata.graphs.state import Learned
from errata.llm.gateway import Gateway
from errata.llm.request import Request
from errata.records import Call, Outcome, Problem, Transcript
from errata.runs.counters import Snapshot, StopSignal, Watch
from errata.runs.drive import TICK_S
from errata.runs.packed_recipe import PackedRecipe, pack, unpack
from errata.runs.ray_cluster import check_reach, options_of_cluster, stay_on_this_machine
from errata.runs.recipe import SynthRecipe
from errata.runs.run_problem import RunProblem, problem_runner
from errata.runs.runner import Summary, synthesize

stay_on_this_machine(os.environ)
try:
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as missing:
    raise UsageError(
        "Ray is not installed", "--workers runs the graphs in a Ray cluster", "pip install 'errata[ray]'"
    ) from missing

NAMESPACE = "errata"
AT_ONCE = 100_000
"""Method calls an actor may have under way; what is in flight is bounded by the recipe's concurrency."""
WORKERS_LOST = 5
"""Workers a problem may lose before it counts as failed: it may be what ends them."""
LOST_PAUSE_S = 0.5
"""Seconds until a problem whose worker died goes to another, doubled each time: Ray starts a new one meanwhile."""


class Worker:
    """Runs problems through the recipe's graph; asks its owner for every call."""

    def __init__(self, packed: PackedRecipe, owner: Any) -> None:
        self._owner = owner
        recipe = unpack(packed)
        grader = Grader() if recipe.grader is None else as_grader(recipe.grader.loaded)
        self._run = problem_runner(recipe, self._ask, grader)

    async def run(self, problem: Problem, learned: Learned) -> Transcript | ErrataError:
        """The transcript, or as a value what concerns the whole run: Ray would wrap what is raised."""
        try:
            return await self._run(problem, learned)
        except ErrataError as error:
            return error

    async def _ask(self, request: Request) -> Call:
        answer: Call | ErrataError = await self._owner.ask.remote(request)
        if isinstance(answer, ErrataError):
            raise answer
        return answer


class Owner:
    """Holds the run directory, its log, store, budget and limits, and gives problems to the workers."""

    def __init__(self) -> None:
        self._stop = StopSignal()
        self._gateway: Gateway | None = None
        self._asking: set[asyncio.Task[Call]] = set()
        self._snapshot: Snapshot | None = None
        self._workers: list[Any] = []

    async def run(
        self, packed: PackedRecipe, workers: int, me: Any, environment: dict[str, str], folder: str
    ) -> Summary | ErrataError:
        """`environment` and `folder` are the driver's: keys and paths mean here what they mean there."""
        os.environ.update(environment)
        os.chdir(folder)
        read_env_here()

        async def executor(gateway: Gateway, stack: AsyncExitStack) -> RunProblem:
            self._gateway = gateway
            stack.push_async_callback(self._let_go)
            # prompts are read from the same folder on every machine; nothing else of the recipe is a path there
            expanded = recipe.model_copy(update={"prompts": recipe.prompts and expand(recipe.prompts)})
            actor = ray.remote(Worker).options(num_cpus=1, max_restarts=-1, max_concurrency=AT_ONCE)
            self._workers = [actor.remote(pack(expanded), me) for _ in range(workers)]
            return _in_turn(self._workers, recipe.graph)

        def watch(snapshot: Snapshot) -> None:
            self._snapshot = snapshot

        try:
            recipe = unpack(packed)
            return await synthesize(recipe, stop=self._stop, watch=watch, executor=executor)
        except ErrataError as error:
            return error

    async def ask(self, request: Request) -> Call | ErrataError:
        """One call for a worker; goes on where the worker has died, so that its reply is stored."""
        assert self._gateway is not None
        asking = asyncio.create_task(self._gateway(request))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        try:
            return await asking
        except ErrataError as error:
            return error

    async def request_stop(self) -> None:
        self._stop.request()

    async def snapshot(self) -> Snapshot | None:
        """How the run stood last."""
        return self._snapshot

    async def _let_go(self) -> None:
        for worker in self._workers:
            ray.kill(worker)
        for asking in self._asking:  # nobody waits any more: what was not sent is given up
            asking.cancel()


def _in_turn(workers: list[Any], graph: str) -> RunProblem:
    """Problems go to the workers in turn; those of a worker that died to the next."""
    turn = cycle(workers)

    async def run_one(problem: Problem, learned: Learned) -> Transcript:
        pause, lost = LOST_PAUSE_S, ""
        for _ in range(WORKERS_LOST):
            try:
                result: Transcript | ErrataError = await next(turn).run.remote(problem, learned)
            except RayError as error:
                lost = type(error).__name__
                await asyncio.sleep(pause)
                pause *= 2
                continue
            if isinstance(result, ErrataError):
                raise result
            return result
        reason = f"error: {WORKERS_LOST} workers were lost over it ({lost})"
        return Transcript(graph=graph, problem=problem, outcome=Outcome(status="failed", reason=reason))

    return run_one


# ---- the driver ------------------------------------------------------------------------------------------------------


def synthesize_on(workers: int, recipe: SynthRecipe, *, stop: StopSignal, watch: Watch | None = None) -> Summary:
    """`synthesize` with the graphs in `workers` processes of the cluster at RAY_ADDRESS, else of one started here.

    Ctrl-C and SIGTERM request the stop. Raises what `synthesize` raises; UsageError where the cluster is too small, or
    open to others.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = os.environ.get("RAY_ADDRESS")
    cluster = options_of_cluster(address, workers, os.cpu_count() or 1)
    ray.init(namespace=NAMESPACE, log_to_driver=False, logging_level="warning", configure_logging=False, **cluster)
    try:
        check_reach(address, ray.util.get_node_ip_address())
        there = int(ray.cluster_resources().get("CPU", 0))
        if there < workers:
            raise UsageError(
                f"--workers {workers}, and the cluster has {there} processors",
                "a worker takes one",
                f"--workers {there}, or add machines to the cluster",
            )
        return asyncio.run(_drive(workers, recipe, stop, watch))
    finally:
        ray.shutdown()


async def _drive(workers: int, recipe: SynthRecipe, stop: StopSignal, watch: Watch | None) -> Summary:
    path = f"{os.path.abspath(expand(recipe.runs))}/{recipe.name}"  # noqa: ASYNC240
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(Owner).options(
        name=path, namespace=NAMESPACE, num_cpus=0, max_concurrency=AT_ONCE, scheduling_strategy=here
    )
    try:
        owner = actor.remote()
    except ValueError as error:
        raise UsageError(
            f"{path} is in use by another run on this cluster",
            "two writers in one run directory would pay for the same calls",
            "wait for it, or give this run another name: name=...",
        ) from error
    running = asyncio.wrap_future(
        owner.run.remote(pack(recipe), workers, owner, dict(os.environ), os.getcwd()).future()
    )
    passed_on = 0
    with stop.on_signals():
        while not running.done():
            await asyncio.wait({running}, timeout=TICK_S)
            for _ in range(passed_on, stop.requests):
                passed_on += 1
                await owner.request_stop.remote()
            if watch and not running.done() and (snapshot := await owner.snapshot.remote()):
                watch(snapshot)
    try:
        result: Summary | ErrataError = running.result()
    except RayError as error:
        raise ErrataError(
            f"the owner of {path} was lost: {type(error).__name__}",
            "the run ended with it; what was paid is in the run directory",
            "run the same command again",
        ) from error
    if isinstance(result, ErrataError):
        raise result
    return result
