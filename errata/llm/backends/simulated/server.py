"""The simulated faculty over an OpenAI-compatible endpoint and Anthropic's, with faults on request.

    POST /v1/chat/completions   POST /v1/messages   GET /v1/models   GET /stats (also /v1/stats)
    both providers' batches (batch_apis.py), whose requests count as those that are asked one by one

The model is what follows the provider's prefix: `openai/ada?voice=words` asks the persona `ada?voice=words`. Whether a
request meets a fault hashes (faults' seed, its body, how often that body has come before): a retry may succeed, and
the order of requests does not matter.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import orjson
from aiohttp import web

from errata.errors import UsageError
from errata.llm.backends.simulated.batch_apis import AnthropicBatches, OpenAIBatches
from errata.llm.backends.simulated.batch_desk import BadItem, BatchDesk, BatchFaults
from errata.llm.backends.simulated.chat_api import as_completion, of_chat
from errata.llm.backends.simulated.http_answers import error_answer, json_answer, spoilt, spoilt_completion
from errata.llm.backends.simulated.messages_api import as_message, of_message
from errata.llm.backends.simulated.persona import COMMITTEE, STUDENT
from errata.llm.request import Reply
from errata.records import digest, draw

FAULTS = (
    "429",
    "429-bare",
    "500",
    "503",
    "drop",
    "stall",
    "cut",
    "malformed",
    "html",
    "no_choices",
    "empty_choices",
    "temperature",
)
"""429 (with Retry-After), 429-bare (without), 500, 503, drop (the connection, mid-body), stall (no answer), cut (half a
body, well framed), malformed (no JSON), html (a page with status 200), no_choices, empty_choices, temperature (400 to a
request that sets one other than 1, as of many reasoning models; all others are answered)."""


_ERRORS = ("429", "429-bare", "500", "503")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Faults:
    """Which requests fail, and how.

    rate: share of tries that meet a fault. kinds: drawn from evenly. attempts: only the first so many tries of one
    body may fail. retry_after, stall: seconds. refuse_after: from this many requests on every one is refused (401).
    rpm, tpm: requests and tokens of one model in any `period` (seconds); what exceeds them is answered 429, and counts
    all the same, so that asking again at once makes it worse.
    """

    rate: float = 0.0
    kinds: tuple[str, ...] = ("429", "500", "503")
    seed: int = 0
    attempts: int | None = None
    retry_after: float = 1.0
    stall: float = 3600.0
    refuse_after: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    period: float = 60.0

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise UsageError(f"fault rate {self.rate}", "it is a share from 0 to 1")
        unknown = [kind for kind in self.kinds if kind not in FAULTS]
        if unknown or not self.kinds:
            raise UsageError(f"fault kinds {', '.join(unknown) or 'none'}", f"the kinds are {', '.join(FAULTS)}")

    def drawn(self, body: str, attempt: int) -> str | None:
        """The fault this try meets, None for most."""
        if self.attempts is not None and attempt >= self.attempts:
            return None
        if draw("fault", self.seed, body, attempt) >= self.rate:
            return None
        return self.kinds[int(draw("fault kind", self.seed, body, attempt) * len(self.kinds))]


@asynccontextmanager
async def serving(
    faults: Faults | None = None,
    latency: float = 0.0,
    host: str = "127.0.0.1",
    port: int = 0,
    batches: BatchFaults | None = None,
) -> AsyncIterator[str]:
    """Serves while the block runs; gives the address for `api_base`, `http://127.0.0.1:PORT/v1`.

    Args:
        latency: seconds that every reply waits.
        port: 0 takes a free one.
        batches: how long batches take and how they fare; the other faults meet the requests about them, too.

    Raises UsageError where the address cannot be bound.
    """
    endpoint = _Endpoint(faults or Faults(), latency, batches or BatchFaults())
    # A stalled request ends with its client, and at the latest with the server.
    runner = web.AppRunner(endpoint.app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, backlog=2048).start()
        except OSError as error:
            why = f"the server cannot listen there: {error.strerror}"
            raise UsageError(f"{host}:{port}", why, "choose another port or host") from error
        bound = runner.addresses[0][1]
        yield f"http://{f'[{host}]' if ':' in host else host}:{bound}/v1"
    finally:
        await runner.cleanup()


def serve(
    host: str = "127.0.0.1",
    port: int = 8017,
    *,
    faults: Faults | None = None,
    latency: float = 0.0,
    batches: BatchFaults | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; prints the address once it is bound."""

    async def until_signalled() -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        async with serving(faults, latency, host, port, batches) as url:
            print(f"the simulated faculty listens on {url}", flush=True)
            await stopped.wait()

    asyncio.run(until_signalled())


class _Api(NamedTuple):
    """One provider's words: how a request is read, and how a reply is written with the request's hash in its id."""

    read: Callable[[bytes], Reply]
    write: Callable[[Reply, str], dict[str, Any]]


class _Endpoint:
    def __init__(self, faults: Faults, latency: float, batches: BatchFaults) -> None:
        self.faults, self.latency = faults, latency
        self.requests = self.abandoned = self.unknown_prompts = self.about_batches = 0
        self.desks = [BatchDesk(batches, partial(self.batched, api)) for api in (CHAT, MESSAGES)]
        self.attempts: Counter[str] = Counter()
        self.places: Counter[str] = Counter()
        self.fates: Counter[str] = Counter()
        self.windows: dict[str, _Window] = {}

    def app(self) -> web.Application:
        app = web.Application(client_max_size=512 * 2**20)
        app.router.add_post("/v1/chat/completions", partial(self.complete, CHAT))
        app.router.add_post("/v1/messages", partial(self.complete, MESSAGES))
        for route in (*OpenAIBatches(self.desks[0]).routes(), *AnthropicBatches(self.desks[1]).routes()):
            app.router.add_route(route.method, route.path, partial(self.about_batch, route.handler))
        app.router.add_get("/v1/models", self.models)
        for path in ("/stats", "/v1/stats"):
            app.router.add_get(path, self.stats)
        return app

    async def stats(self, _: web.Request) -> web.Response:
        """Requests in all, given up by their client, of unknown wording, by fate (ok, bad, ...) and by content, those
        in batches included; the batches, and the requests about them."""
        counts = {"requests": self.requests, "abandoned": self.abandoned, "unknown_prompts": self.unknown_prompts}
        counts |= {"batches": sum(len(desk.batches) for desk in self.desks), "about_batches": self.about_batches}
        return json_answer(counts | {"fates": dict(self.fates), "by_content": dict(self.attempts)})

    async def models(self, _: web.Request) -> web.Response:
        """The usual names; any other name is a persona, too."""
        names = (*COMMITTEE, STUDENT)
        return json_answer(
            {"object": "list", "data": [{"id": n, "object": "model", "owned_by": "errata"} for n in names]}
        )

    async def about_batch(self, handle: Handler, request: web.Request) -> web.StreamResponse:
        """A request about batches, which may meet a fault: errors before anything is done, lost answers after it."""
        self.about_batches += 1
        place = digest("batches", request.method, request.path_qs)
        fault = self.faults.drawn(place, self.places[place])
        self.places[place] += 1
        if fault == "stall":
            await asyncio.sleep(self.faults.stall)
        if fault in _ERRORS:
            return self._error_of(fault)
        if fault == "temperature":  # of calls, in a batch or alone
            fault = None
        answer = await handle(request)
        body = answer.body if isinstance(answer, web.Response) else None
        return await spoilt(request, fault, body) if fault and isinstance(body, bytes) else answer

    def batched(self, api: _Api, body: bytes) -> dict[str, Any]:
        """The reply to one request of a batch. Raises BadItem."""
        content = digest(body.decode("utf-8", "replace"))
        fault = self.faults.drawn(content, self.attempts[content])
        self.attempts[content] += 1
        self.requests += 1
        if fault == "temperature" and sets_temperature(body):
            self.fates[fault] += 1
            raise BadItem(NO_TEMPERATURE)
        answer = api.read(body)
        self.unknown_prompts += answer.unknown_prompt
        self.fates["ok"] += 1
        return api.write(answer, content)

    async def complete(self, api: _Api, request: web.Request) -> web.StreamResponse:
        try:
            return await self._complete(api, request)
        except asyncio.CancelledError:
            self.abandoned += 1
            raise

    async def _complete(self, api: _Api, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        content = digest(body.decode("utf-8", "replace"))
        attempt = self.attempts[content]
        self.attempts[content] += 1
        self.requests += 1
        refuse_after = self.faults.refuse_after
        refused = refuse_after is not None and self.requests > refuse_after
        fault = None if refused else self.faults.drawn(content, attempt)
        if fault == "temperature" and not sets_temperature(body):
            fault = None
        if self.latency:
            await asyncio.sleep(self.latency)
        if refused:
            self.fates["401"] += 1
            return error_answer(401, "this key has been revoked", "invalid_api_key")
        if fault:
            self.fates[fault] += 1
        if fault == "stall":
            await asyncio.sleep(self.faults.stall)
        if fault in _ERRORS:
            return self._error_of(fault)
        if fault == "temperature":
            return error_answer(400, NO_TEMPERATURE, "unsupported_value")
        try:
            answer = api.read(body)
        except BadItem as error:
            self.fates["bad"] += not fault
            return error_answer(error.status, str(error), error.code)
        self.unknown_prompts += answer.unknown_prompt
        completion = api.write(answer, content)
        if self._exceeds(answer):
            self.fates["excess"] += 1
            after = {"Retry-After": f"{self.faults.retry_after:g}"}
            return error_answer(429, "requests or tokens beyond the limit", "rate_limit_exceeded", after)
        self.fates["ok"] += not fault
        return await spoilt_completion(request, fault, completion) if fault else json_answer(completion)

    def _error_of(self, fault: str) -> web.Response:
        after = {"Retry-After": f"{self.faults.retry_after:g}"} if fault == "429" else {}
        return error_answer(int(fault[:3]), f"fault {fault} on request", "fault", after)

    def _exceeds(self, answer: Reply) -> bool:
        rpm, tpm = self.faults.rpm, self.faults.tpm
        if rpm is None and tpm is None:
            return False
        window = self.windows.setdefault(answer.served or "", _Window(self.faults.period))
        requests, tokens = window.add(answer.prompt_tokens + answer.completion_tokens)
        return (rpm is not None and requests > rpm) or (tpm is not None and tokens > tpm)


class _Window:
    """Requests and tokens of the last `period` seconds."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._entries: deque[tuple[float, int]] = deque()
        self._tokens = 0

    def add(self, tokens: int) -> tuple[int, int]:
        """Counts one more request; gives what the window now holds."""
        now = time.monotonic()
        self._entries.append((now, tokens))
        self._tokens += tokens
        while self._entries[0][0] <= now - self._period:
            self._tokens -= self._entries.popleft()[1]
        return len(self._entries), self._tokens


def sets_temperature(body: bytes) -> bool:
    """Whether a request sets a temperature other than 1."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(request, dict) and request.get("temperature") not in (None, 1)


NO_TEMPERATURE = "Unsupported value: 'temperature' is not supported with this model. Only the default (1) is."
CHAT = _Api(of_chat, as_completion)
MESSAGES = _Api(of_message, as_message)
