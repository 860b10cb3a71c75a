"""The backend of `local/PATH`: a checkpoint in this process, concurrent requests decoded together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import ValidationError

from errata.config.env import local_path
from errata.errors import UsageError
from errata.grading.extract import settled
from errata.llm.request import ProviderFailure, Reply, Request
from errata.llm.spec import AgentSpec, Sampling
from errata.models.files import find
from errata.models.generate import ContextOverflow, check_length, stream
from errata.models.load import Checkpoint, load_to_decode, need_torch
from errata.models.load_options import LoadOptions
from errata.models.prompting import prompt_ids
from errata.models.row import Generated
from errata.models.sampling import Decoding, Job
from errata.records import digest

WINDOW = 0.02
"""Seconds from the first waiting request to the batch, so that those sent together are decoded together."""


@dataclass(slots=True)
class PendingRequest:
    """One request and where its answer goes; an answer that is done is not wanted any more."""

    job: Job
    answer: asyncio.Future[Generated]


@dataclass(slots=True)
class Engine:
    """One checkpoint with the requests that wait for it and those being decoded."""

    checkpoint: asyncio.Future[Checkpoint]
    waiting: list[PendingRequest] = field(default_factory=list)
    running: list[PendingRequest] = field(default_factory=list)
    worker: asyncio.Task[None] | None = None


class Local:
    """Takes temperature (where none is given 0, greedy), top_p, max_tokens (1024), stop and seed; and in the agent's
    `extra` how it is loaded (models.load.LoadOptions).

    A request's draws depend on its seed and its prompt, not on who shares its batch; errata.models.generate says how
    exactly. The agent's `timeout` does not apply: a slow computation has not stalled.
    """

    paid = True
    remote = False

    def __init__(self) -> None:
        self._engines: dict[tuple[str, LoadOptions], Engine] = {}
        # one thread: two models at once would only share the same cores
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="local-model")

    def fingerprint(self, spec: AgentSpec) -> str:
        """Hash of weights, configuration and tokenizer. Raises UsageError for what could not run."""
        need_torch()
        _decoding(spec.name, spec.parameters(Sampling()))
        return find(local_path(spec.model)).fingerprint()

    async def complete(self, request: Request, seed: int) -> Reply:
        try:
            engine = self._engine(local_path(request.spec.model), _load_options(request.parameters))
            checkpoint = await asyncio.shield(engine.checkpoint)
            job = _job(checkpoint, request, seed)
        except ContextOverflow as error:
            raise ProviderFailure(str(error)) from error
        except UsageError as error:
            raise ProviderFailure(str(error), fatal=True) from error
        pending = PendingRequest(job, asyncio.get_running_loop().create_future())
        engine.waiting.append(pending)
        if engine.worker is None or engine.worker.done():
            engine.worker = asyncio.create_task(self._work(engine, checkpoint))
        generated = await pending.answer
        return Reply(
            text=generated.text,
            finish_reason=generated.finish_reason,
            served=checkpoint.name,
            prompt_tokens=len(job.prompt),
            completion_tokens=len(generated.tokens),
        )

    def takes_schema(self, spec: AgentSpec) -> bool:
        return False

    async def close(self) -> None:
        """Ends what is waiting or running: a batch stops at its next token."""
        for engine in self._engines.values():
            for pending in (*engine.waiting, *engine.running):
                _fail(pending.answer, ProviderFailure("the local model was closed"))
        workers = [engine.worker for engine in self._engines.values() if engine.worker is not None]
        await asyncio.gather(*workers, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)
        self._engines.clear()

    def _engine(self, path: str, options: LoadOptions) -> Engine:
        if (path, options) not in self._engines:
            loading = asyncio.get_running_loop().run_in_executor(self._thread, load_to_decode, path, options)
            self._engines[path, options] = Engine(loading)
        return self._engines[path, options]

    async def _work(self, engine: Engine, checkpoint: Checkpoint) -> None:
        """Decodes what waits, and what comes meanwhile, until nothing does."""
        loop = asyncio.get_running_loop()
        while engine.waiting:
            await asyncio.sleep(WINDOW)
            engine.running = _taken(engine.waiting)
            await loop.run_in_executor(self._thread, _decode, checkpoint, engine.running, engine.waiting, loop)
            engine.running = []


def _taken(waiting: list[PendingRequest]) -> list[PendingRequest]:
    """All that wait, taken from the list to which others may be added at the same time."""
    taken = waiting[:]
    del waiting[: len(taken)]
    return taken


def _decode(
    checkpoint: Checkpoint,
    batch: list[PendingRequest],
    waiting: list[PendingRequest],
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Runs in the worker thread. Each answer is handed over as soon as it is finished; who waits meanwhile joins."""
    import torch

    jobs = [pending.job for pending in batch]

    def arrivals() -> list[Job]:
        new = _taken(waiting)
        batch.extend(new)
        return [pending.job for pending in new]

    try:
        unwanted = lambda place: batch[place].answer.done()  # noqa: E731
        for place, generated in stream(checkpoint, jobs, unwanted=unwanted, arrivals=arrivals):
            loop.call_soon_threadsafe(_deliver, batch[place].answer, generated)
    except torch.OutOfMemoryError as error:
        lost = ProviderFailure(
            f"out of memory with {len(batch)} sequences: give the agent a lower concurrency ({error})"
        )
        _fail_all(batch, lost, loop)
    except Exception as error:  # whoever asked must hear of it, or would wait for ever
        _fail_all(batch, error, loop)


def _fail_all(batch: Sequence[PendingRequest], error: Exception, loop: asyncio.AbstractEventLoop) -> None:
    for pending in batch:
        loop.call_soon_threadsafe(_fail, pending.answer, error)


def _deliver(answer: asyncio.Future[Generated], generated: Generated) -> None:
    if not answer.done():
        answer.set_result(generated)


def _fail(answer: asyncio.Future[Generated], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _job(checkpoint: Checkpoint, request: Request, seed: int) -> Job:
    prompt = prompt_ids(checkpoint.tokenizer, request.messages)
    check_length(checkpoint, prompt)
    own_seed, context = request.parameters.get("seed", seed), request.context
    decoding = _decoding(request.spec.name, request.parameters)
    end = partial(settled, context.kind, choices=context.choices) if decoding.stop_at_answer and context.kind else None
    # the prompt is in it, or all problems of a run would be decided by the same numbers
    return Job(prompt, decoding, int(digest("local", own_seed, prompt, length=15), 16), end)


def _load_options(parameters: Mapping[str, Any]) -> LoadOptions:
    return LoadOptions.model_validate({key: parameters[key] for key in LoadOptions.model_fields if key in parameters})


def _decoding(agent: str, parameters: Mapping[str, Any]) -> Decoding:
    apart = {"seed", *LoadOptions.model_fields}
    settings = {name: value for name, value in parameters.items() if name not in apart}
    if isinstance(settings.get("stop"), str):
        settings["stop"] = (settings["stop"],)
    try:
        _load_options(parameters)
        return Decoding.model_validate(settings)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise UsageError(
            f"agent {agent}: {wrong}",
            "a local model would not do what the recipe asks",
            f"it takes {', '.join((*Decoding.model_fields, *LoadOptions.model_fields))} and seed",
        ) from error
