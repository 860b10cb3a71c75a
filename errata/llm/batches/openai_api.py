"""OpenAI's batches: a file of requests, a batch over it, a file of replies and one of errors.

Source: platform.openai.com/docs/api-reference/batch. A batch is found again by its name in `metadata`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import aiohttp

from errata.llm.backends.failures import failure_of_response
from errata.llm.backends.openai import OpenAI, in_langchains_words, reply_of_body
from errata.llm.batches.api import BatchState, Item
from errata.llm.batches.rows import BatchRow
from errata.llm.batches.wire import Wire, count_in, listed_in, name_in
from errata.llm.endpoint import filled_in
from errata.llm.request import ProviderFailure, Reply, Request
from errata.llm.spec import AgentSpec
from errata.records import to_json

ENDPOINT = "/v1/chat/completions"
_ENDED = ("completed", "failed", "expired", "cancelled")
_PAGE, _OVERLAP_S = 100, 3600.0
"""Batches of one list, and how much earlier than it was sent a batch may stand there, should clocks differ."""
_FATAL = {"model_not_found", "insufficient_quota", "billing_hard_limit_reached", "invalid_api_key"}


class OpenAIBatches:
    """The batches of one agent of `openai/NAME`."""

    def __init__(self, spec: AgentSpec, backend: OpenAI, session: aiohttp.ClientSession) -> None:
        self._spec, self._backend, self._session = spec, backend, session

    def _wire(self) -> Wire:
        chat = self._backend.chat_of(self._spec)
        headers = chat.headers | filled_in(self._spec.extra.get("extra_headers", {}))
        return Wire(self._session, str(chat.openai_api_base), headers)

    async def body(self, request: Request, seed: int) -> bytes:
        return self._backend.chat_of(self._spec).as_sent(*in_langchains_words(request, seed))[0]

    async def prepare(self, name: str, items: Sequence[Item]) -> str:
        lines = await asyncio.to_thread(lambda: b"".join(map(_line, items)))
        return name_in(await self._wire().upload("/files", f"{name}.jsonl", lines))

    async def create(self, name: str, items: Sequence[Item], prepared: str) -> str:
        body = {"input_file_id": prepared, "endpoint": ENDPOINT, "completion_window": "24h"}
        return name_in(await self._wire().post("/batches", to_json(body | {"metadata": {"errata": name}})))

    async def find(self, row: BatchRow, known: frozenset[str]) -> str | None:
        query = {"limit": str(_PAGE)}
        while True:
            page = await self._wire().get("/batches", **query)
            batches = listed_in(page)
            for each in batches:
                if (each.get("metadata") or {}).get("errata") == row.name:
                    return name_in(each)
            if not batches or not page.get("has_more") or count_in(batches[-1], "created_at") < row.at - _OVERLAP_S:
                return None
            query["after"] = name_in(batches[-1])

    async def look(self, batch: str) -> BatchState:
        state = await self._wire().get(f"/batches/{batch}")
        files = tuple(name_in(state, key) for key in ("output_file_id", "error_file_id") if state.get(key))
        status, counts = state.get("status"), state.get("request_counts")
        return BatchState(status in _ENDED, count_in(counts, "completed", "failed"), files, _missing(state))

    async def results(self, batch: str, state: BatchState) -> AsyncGenerator[dict[str, Any]]:
        for file in state.files:
            async for line in self._wire().lines(f"/files/{file}/content"):
                yield line

    async def reply(self, line: dict[str, Any], request: Request | None, seed: int) -> Reply:
        error, response = line.get("error"), line.get("response")
        if isinstance(error, dict):
            raise ProviderFailure(f"{error.get('code')}: {error.get('message')}"[:500], transient=True)
        if not isinstance(response, dict) or not isinstance(response.get("status_code"), int):
            raise ProviderFailure("a result of the batch holds no response", transient=True)
        body = to_json(response.get("body"))
        if response["status_code"] >= 400:
            raise failure_of_response(response["status_code"], {}, body)
        return reply_of_body(body)

    async def close(self) -> None:
        return None


def _line(item: Item) -> bytes:
    head = to_json({"custom_id": item.custom_id, "method": "POST", "url": ENDPOINT})
    return head[:-1] + b',"body":' + item.body + b"}\n"


def _missing(state: dict[str, Any]) -> ProviderFailure | None:
    """What became of requests without a result."""
    status = state.get("status")
    if status == "failed":
        errors = (state.get("errors") or {}).get("data") or [{}]
        first = errors[0] if isinstance(errors[0], dict) else {}
        words = f"the batch failed: {first.get('code')}: {first.get('message')}"[:500]
        fatal = first.get("code") in _FATAL
        return ProviderFailure(words, fatal=fatal, transient=not fatal)
    if status in ("expired", "cancelled"):
        return ProviderFailure(f"the batch was {status} before the request was answered", transient=True)
    return None
