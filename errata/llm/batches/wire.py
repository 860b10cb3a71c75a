"""HTTP to a provider's batch API: JSON, one upload, and results line by line, each within the bounds of a reply."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from errata.llm.backends.failures import failure_of_response, lost_connection
from errata.llm.backends.responses import LONGEST_BODY, read_body, refuse_redirect
from errata.llm.request import ProviderFailure

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:")
TIMEOUT_S = 600.0
"""Seconds for one request; an upload of a large batch takes some."""


class Wire:
    """Requests to `base` with the agent's headers. Raises ProviderFailure."""

    def __init__(self, session: aiohttp.ClientSession, base: str, headers: Mapping[str, str]) -> None:
        self._session, self._base, self._headers = session, base, dict(headers)

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        return await self._request("GET", path, params=query)

    async def post(self, path: str, body: bytes) -> dict[str, Any]:
        return await self._request("POST", path, data=body)

    async def upload(self, path: str, name: str, content: bytes) -> dict[str, Any]:
        """Posts a file for batches as a form."""
        form = aiohttp.FormData({"purpose": "batch"})
        form.add_field("file", content, filename=name, content_type="application/jsonl")
        headers = {key: value for key, value in self._headers.items() if key.lower() != "content-type"}
        return await self._request("POST", path, headers, data=form)

    async def lines(self, path: str) -> AsyncGenerator[dict[str, Any]]:
        """The JSON objects in a body of lines; a line that is none is passed over."""
        rest = b""
        async with self._answer("GET", path, {**self._headers, "Accept-Encoding": "identity"}) as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise ProviderFailure("the results are packed, which was not asked for: they were not read")
            async for chunk in response.content.iter_any():
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    if (value := _object_in(line)) is not None:
                        yield value
                if len(rest) > LONGEST_BODY:
                    raise ProviderFailure(f"a line of results is longer than {LONGEST_BODY // 2**20} MiB")
        if (value := _object_in(rest)) is not None:
            yield value

    async def _request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **sent: Any
    ) -> dict[str, Any]:
        async with self._answer(method, path, headers or self._headers, **sent) as response:
            body = await _body(response)
        value = _object_in(body)
        if value is None:
            raise ProviderFailure(f"the answer is no JSON object: {body[:200]!r}", transient=True)
        return value

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, headers: Mapping[str, str], **sent: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response with a status below 400."""
        url = f"{self._base}{path}"
        sent["headers"], sent["allow_redirects"] = headers, False
        try:
            async with asyncio.timeout(TIMEOUT_S), self._session.request(method, url, **sent) as response:
                refuse_redirect(response.status, response.headers, url)
                if response.status >= 400:
                    raise failure_of_response(response.status, response.headers, await _body(response))
                yield response
        except TimeoutError as error:
            raise ProviderFailure(f"no answer within {TIMEOUT_S:g} s", transient=True) from error
        except (aiohttp.ClientError, OSError, zlib.error) as error:
            raise lost_connection(error) from error


async def _body(response: aiohttp.ClientResponse) -> bytes:
    return await read_body(response.content.iter_any(), response.headers.get("Content-Encoding", ""))


def _object_in(text: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def name_in(answer: Mapping[str, Any], key: str = "id") -> str:
    """An id that the provider gives, which goes into addresses. Raises ProviderFailure where it could not."""
    name = answer.get(key)
    if not isinstance(name, str) or not 0 < len(name) <= 200 or not _NAME.issuperset(name) or name.startswith("."):
        raise ProviderFailure(f"the provider gives no usable {key}: {str(name)[:100]!r}", transient=True)
    return name


def count_in(counts: object, *names: str) -> int:
    """The sum of these counts; what is no number counts as 0."""
    numbers = [counts.get(name) for name in names] if isinstance(counts, dict) else []
    return sum(number for number in numbers if isinstance(number, int))


def listed_in(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The batches on a page of a list. Raises ProviderFailure where it is none: a batch must not be overlooked."""
    data = page.get("data")
    if not isinstance(data, list) or not all(isinstance(each, dict) for each in data):
        raise ProviderFailure(f"the answer is no list of batches: {str(page)[:200]}", transient=True)
    return data
