"""The simulated faculty over an OpenAI-compatible endpoint, with faults on request.

    POST /v1/chat/completions   GET /v1/models   GET /stats (also /v1/stats)

The model is what follows the provider's prefix: `openai/ada?voice=words` asks the persona `ada?voice=words`. Whether a
request meets a fault hashes (faults' seed, its body, how often that body has come before): a retry may succeed, and
the order of requests does not matter.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from errata.errors import UsageError
from errata.llm.backends.simulated.faculty import reply
from errata.llm.backends.simulated.persona import COMMITTEE, STUDENT
from errata.llm.request import ProviderFailure, Reply
from errata.records import digest, draw, to_json

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
)
"""429 (with Retry-After), 429-bare (without), 500, 503, drop (the connection, mid-body), stall (no answer), cut (half a
body, well framed), malformed (no JSON), html (a page with status 200), no_choices, empty_choices."""


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
    faults: Faults | None = None, latency: float = 0.0, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serves while the block runs; gives the address for `api_base`, `http://127.0.0.1:PORT/v1`.

    Args:
        latency: seconds that every reply waits.
        port: 0 takes a free one.

    Raises UsageError where the address cannot be bound.
    """
    endpoint = _Endpoint(faults or Faults(), latency)
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


def serve(host: str = "127.0.0.1", port: int = 8017, *, faults: Faults | None = None, latency: float = 0.0) -> None:
    """Serves until SIGINT or SIGTERM; prints the address once it is bound."""

    async def until_signalled() -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        async with serving(faults, latency, host, port) as url:
            print(f"the simulated faculty listens on {url}", flush=True)
            await stopped.wait()

    asyncio.run(until_signalled())


class _Endpoint:
    def __init__(self, faults: Faults, latency: float) -> None:
        self.faults, self.latency = faults, latency
        self.requests = self.abandoned = self.unknown_prompts = 0
        self.attempts: Counter[str] = Counter()
        self.fates: Counter[str] = Counter()
        self.windows: dict[str, _Window] = {}

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self.complete)
        app.router.add_get("/v1/models", self.models)
        for path in ("/stats", "/v1/stats"):
            app.router.add_get(path, self.stats)
        return app

    async def stats(self, _: web.Request) -> web.Response:
        """Requests in all, given up by their client, of unknown wording, by fate (ok, bad, ...) and by content."""
        counts = {"requests": self.requests, "abandoned": self.abandoned, "unknown_prompts": self.unknown_prompts}
        return _json(counts | {"fates": dict(self.fates), "by_content": dict(self.attempts)})

    async def models(self, _: web.Request) -> web.Response:
        """The usual names; any other name is a persona, too."""
        names = (*COMMITTEE, STUDENT)
        return _json({"object": "list", "data": [{"id": n, "object": "model", "owned_by": "errata"} for n in names]})

    async def complete(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._complete(request)
        except asyncio.CancelledError:
            self.abandoned += 1
            raise

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        content = digest(body.decode("utf-8", "replace"))
        attempt = self.attempts[content]
        self.attempts[content] += 1
        self.requests += 1
        refuse_after = self.faults.refuse_after
        refused = refuse_after is not None and self.requests > refuse_after
        fault = None if refused else self.faults.drawn(content, attempt)
        if self.latency:
            await asyncio.sleep(self.latency)
        if refused:
            self.fates["401"] += 1
            return _error(401, "this key has been revoked", "invalid_api_key")
        if fault:
            self.fates[fault] += 1
        if fault == "stall":
            await asyncio.sleep(self.faults.stall)
        if fault in ("429", "429-bare", "500", "503"):
            after = {"Retry-After": f"{self.faults.retry_after:g}"} if fault == "429" else {}
            return _error(int(fault[:3]), f"fault {fault} on request", "fault", after)
        try:
            answer = _answer(body)
        except _BadRequest as error:
            self.fates["bad"] += not fault
            return _error(error.status, str(error), error.code)
        self.unknown_prompts += answer.unknown_prompt
        completion = _as_completion(answer, content)
        if self._exceeds(completion):
            self.fates["excess"] += 1
            after = {"Retry-After": f"{self.faults.retry_after:g}"}
            return _error(429, "requests or tokens beyond the limit", "rate_limit_exceeded", after)
        self.fates["ok"] += not fault
        return await _spoilt(request, fault, completion) if fault else _json(completion)

    def _exceeds(self, completion: dict[str, Any]) -> bool:
        rpm, tpm = self.faults.rpm, self.faults.tpm
        if rpm is None and tpm is None:
            return False
        window = self.windows.setdefault(completion["model"], _Window(self.faults.period))
        requests, tokens = window.add(completion["usage"]["total_tokens"])
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


class _BadRequest(Exception):
    def __init__(self, message: str, status: int = 400, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.status, self.code = status, code


def _answer(body: bytes) -> Reply:
    """The faculty's reply to a request's body. Raises _BadRequest."""
    try:
        chat = orjson.loads(body)
        model = chat["model"]
        messages = [(_role(message), _text(message.get("content"))) for message in chat["messages"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _BadRequest(f"the body is no chat request: {error!r}") from None
    seed = chat.get("seed")
    if not isinstance(model, str) or not isinstance(seed, int | None):
        raise _BadRequest("model is a string and seed a whole number")
    try:
        return reply(model, messages, chat, seed)
    except ProviderFailure as failure:
        raise _BadRequest(failure.message, 404, "model_not_found") from None


def _role(message: dict[str, Any]) -> str:
    return "system" if message.get("role") == "developer" else str(message.get("role"))


def _text(content: Any) -> str:
    """A message's text; a list of parts is joined."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    return content if isinstance(content, str) else ""


def _as_completion(answer: Reply, content: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text}
    return {
        "id": f"chatcmpl-{content}",
        "object": "chat.completion",
        "created": 0,
        "model": answer.served,
        "choices": [{"index": 0, "message": message, "finish_reason": answer.finish_reason, "logprobs": None}],
        "usage": {
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        },
    }


async def _spoilt(request: web.Request, fault: str, completion: dict[str, Any]) -> web.StreamResponse:
    """The reply as a faulty provider sends it."""
    body = to_json(completion)
    match fault:
        case "drop":
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            response.content_length = len(body)
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
            if request.transport is not None:
                request.transport.close()
            return response
        case "cut":
            return web.Response(body=body[: len(body) // 2], content_type="application/json")
        case "malformed":
            return web.Response(body=b"{choices: oops", content_type="application/json")
        case "html":
            return web.Response(text="<html><body>502 Bad Gateway</body></html>", content_type="text/html")
        case "no_choices":
            return _json({key: value for key, value in completion.items() if key != "choices"})
        case "empty_choices":
            return _json({**completion, "choices": []})
    return _json(completion)


def _json(value: Any) -> web.Response:
    return web.Response(body=to_json(value), content_type="application/json")


def _error(status: int, message: str, code: str, headers: dict[str, str] | None = None) -> web.Response:
    body = to_json({"error": {"message": message, "type": "error", "param": None, "code": code}})
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
