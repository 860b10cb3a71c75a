"""Anthropic's message batches: requests in one body, results as lines in any order.

Source: docs.anthropic.com/en/api/creating-message-batches. Requests and replies are litellm's, as of single calls; such
a batch has no name, so that it is found again by the ids of its requests, which are seen once it has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Literal, TypeVar

import aiohttp
import httpx

from errata.llm.backends.failures import failure_of_response
from errata.llm.backends.litellm import LiteLLM
from errata.llm.batches.api import BatchState, Item
from errata.llm.batches.rows import BatchRow
from errata.llm.batches.wire import Wire, count_in, listed_in, name_in
from errata.llm.request import Context, ProviderFailure, Reply, Request
from errata.llm.spec import AgentSpec
from errata.records import Message, to_json

T = TypeVar("T")

SOME_REPLY = to_json(
    {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "stop_reason": "end_turn",
        "content": [{"type": "text", "text": ""}],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
)
_PAGE, _OVERLAP_S = 100, 3600.0
"""Batches of one list, and how much earlier than it was sent a batch may stand there, should clocks differ."""
_OF_THE_BODY = {"content-length", "content-type", "host", "connection", "accept-encoding", "transfer-encoding"}
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}
"""Of an error in a result, by its type; 500 for any other."""


class AnthropicBatches:
    """The batches of one agent of `anthropic/NAME`."""

    def __init__(self, spec: AgentSpec, backend: LiteLLM, session: aiohttp.ClientSession) -> None:
        self._spec, self._backend, self._session = spec, backend, session
        self._opened: Wire | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def _wire(self) -> Wire:
        """With the address, the key and the headers of a single call."""
        if self._opened is None:
            sent = await self._sent(self._probe(), 0)
            headers = {name: value for name, value in sent.headers.items() if name.lower() not in _OF_THE_BODY}
            headers["Content-Type"] = "application/json"
            self._opened = Wire(self._session, str(sent.url), headers)
        return self._opened

    async def _sent(self, request: Request, seed: int) -> httpx.Request:
        return await self._whole(self._backend.as_sent(request, seed, SOME_REPLY))

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of litellm's work, which is not broken off: it would leave coroutines behind."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _probe(self) -> Request:
        """A request of this agent about nothing."""
        message = Message(role="user", content=".")
        parameters = {"max_tokens": 1} | self._spec.extra
        return Request(self._spec, "", "", Context("", ""), "", "", (message,), parameters)

    async def body(self, request: Request, seed: int) -> bytes:
        return await (await self._sent(request, seed)).aread()

    async def prepare(self, name: str, items: Sequence[Item]) -> str:
        return ""

    async def create(self, name: str, items: Sequence[Item], prepared: str) -> str:
        requests = (b'{"custom_id":' + to_json(item.custom_id) + b',"params":' + item.body + b"}" for item in items)
        body = b'{"requests":[' + b",".join(requests) + b"]}"
        return name_in(await (await self._wire()).post("/batches", body))

    async def find(self, row: BatchRow, known: frozenset[str]) -> str | Literal["later"] | None:
        wire, query, open_still = await self._wire(), {"limit": str(_PAGE)}, False
        while True:
            page = await wire.get("/batches", **query)
            batches = listed_in(page)
            recent = [each for each in batches if _created(each) >= row.at - _OVERLAP_S]
            for each in recent:
                if name_in(each) in known or _requests_of(each) != len(row.calls):
                    continue
                if each.get("processing_status") != "ended":
                    open_still = True
                elif await self._is(name_in(each), row):
                    return name_in(each)
            if not page.get("has_more") or not batches or len(recent) < len(batches):
                return "later" if open_still else None
            query["after_id"] = name_in(batches[-1])

    async def _is(self, batch: str, row: BatchRow) -> bool:
        async with aclosing(self.results(batch, BatchState(ended=True))) as lines:
            async for line in lines:
                return row.place_of(line.get("custom_id")) is not None
        raise ProviderFailure(f"the results of {batch} cannot be read", transient=True)  # it may be the one

    async def look(self, batch: str) -> BatchState:
        state = await (await self._wire()).get(f"/batches/{batch}")
        done = count_in(state.get("request_counts"), "succeeded", "errored", "canceled", "expired")
        return BatchState(state.get("processing_status") == "ended", done)

    async def results(self, batch: str, state: BatchState) -> AsyncGenerator[dict[str, Any]]:
        async with aclosing((await self._wire()).lines(f"/batches/{batch}/results")) as lines:
            async for line in lines:
                yield line

    async def reply(self, line: dict[str, Any], request: Request | None, seed: int) -> Reply:
        result = line.get("result")
        result = result if isinstance(result, dict) else {}
        match result.get("type"):
            case "succeeded":
                body = to_json(result.get("message"))
                return await self._whole(self._backend.reply_in(request or self._probe(), seed, body))
            case "errored":
                error = result.get("error")
                inner = error.get("error", error) if isinstance(error, dict) else {}
                kind = inner.get("type") if isinstance(inner, dict) else None
                raise failure_of_response(_STATUS.get(str(kind), 500), {}, to_json({"error": inner}))
            case "expired" | "canceled":
                raise ProviderFailure(f"{result['type']} before the request was answered", transient=True)
        raise ProviderFailure("a result of the batch is of no known type", transient=True)


def _created(batch: dict[str, Any]) -> float:
    """Seconds of the wall clock; as if it were to come where it is not said."""
    try:
        return datetime.fromisoformat(str(batch.get("created_at"))).timestamp()
    except ValueError:
        return float("inf")


def _requests_of(batch: dict[str, Any]) -> int:
    return count_in(batch.get("request_counts"), "processing", "succeeded", "errored", "canceled", "expired")
