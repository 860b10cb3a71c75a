"""Servers that send key and prompt elsewhere, or more than anybody can hold: over real HTTP on two ports."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from errata.errors import AgentRefused
from errata.llm.backends import responses
from errata.llm.backends.responses import read_body
from errata.llm.request import ProviderFailure
from errata.llm.store import Store
from tests.llm.provider import Act, Provider, completion, gateway, ok, request_of

MODELS = ["openai/stub", "litellm/openai/stub", "anthropic/claude-stub"]
SECRET = "sk-that-stays-here-0123456789"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADA_KEY", SECRET)


def redirect(code: int, target: str) -> Act:
    return lambda request: web.Response(status=code, headers={"Location": target})


class Anywhere(Provider):
    """A provider that answers at any path and by any method."""

    async def handle(self, request: web.Request) -> object:
        self.raw.append(await request.read())
        self.headers.append(dict(request.headers))
        self.bodies.append({})
        answer = (self.script.pop(0) if self.script else self.then)(request)
        return await answer if hasattr(answer, "__await__") else answer

    async def __aenter__(self) -> Anywhere:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self.handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("model", MODELS)
async def test_nothing_reaches_the_host_that_a_redirect_names(tmp_path: Path, model: str, code: int) -> None:
    async with Anywhere(then=ok("stolen")) as thief, Anywhere() as provider:
        provider.then = redirect(code, f"{thief.base}/chat/completions?q=1")
        spec = provider.agent(model=model, api_key_env="ADA_KEY", extra={"extra_headers": {"X-Mine": "${ADA_KEY}"}})
        request = request_of(spec, parameters=spec.extra)
        async with gateway(tmp_path, spec) as ask:
            with pytest.raises(AgentRefused, match=rf"redirects to {thief.base}/chat/completions; no redirect") as told:
                await ask(request)
            key = ask._key(request)
        reached = (thief.raw, thief.headers)
        there = Store(tmp_path / "calls", "run")
        stored = await there.get(key)
        there.close()
    assert reached == ([], [])
    assert len(provider.raw) == 1
    assert stored is None
    assert SECRET not in str(told.value)


async def test_a_redirect_within_the_host_is_none_either(tmp_path: Path) -> None:
    """From https to http the key would be seen on the way; a moved path is named, so that the recipe can say it."""
    async with Anywhere() as provider:
        provider.then = redirect(307, "/v2/chat/completions")
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            with pytest.raises(AgentRefused, match=r"redirects to http://127.0.0.1:\d+/v2/chat/completions;"):
                await ask(request_of(spec))
    assert len(provider.raw) == 1


def packed(data: bytes, encoding: str, status: int = 200) -> Act:
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    return lambda request: web.Response(body=data, headers=headers, status=status)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("status", [200, 500])
async def test_a_body_that_unpacks_to_too_much_is_not_read(
    tmp_path: Path, model: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "LONGEST_BODY", 2**20)
    bomb = gzip.compress(b" " * 2**24)
    assert len(bomb) < 2**15
    async with Anywhere(then=packed(bomb, "gzip", status)) as provider:
        spec = provider.agent(model=model, api_key_env="ADA_KEY", retries=2)
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec))
    assert call.failure is not None
    assert "longer than 1 MiB" in call.failure
    assert len(provider.raw) == 1


@pytest.mark.parametrize("model", MODELS[:2])
async def test_a_body_in_chunks_without_an_end_is_not_read_on(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "LONGEST_BODY", 2**20)
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 2**16)
                sent += 2**16
        except ConnectionError:
            return response

    async with Anywhere(then=endless) as provider:
        spec = provider.agent(model=model, api_key_env="ADA_KEY")
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec))
    assert call.failure is not None
    assert "longer than 1 MiB" in call.failure
    assert sent < 2**26


@pytest.mark.parametrize("model", MODELS[:2])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_packed_reply_is_read(tmp_path: Path, model: str, encoding: str) -> None:
    text = web.json_response(completion("42 ü")).body
    assert isinstance(text, bytes)
    data = gzip.compress(text) if encoding == "gzip" else zlib.compress(text)
    async with Anywhere(then=packed(data, encoding)) as provider:
        spec = provider.agent(model=model, api_key_env="ADA_KEY")
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec))
    assert (call.reply, call.failure) == ("42 ü", None)
    assert provider.headers[0]["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize("model", MODELS[:2])
async def test_a_body_that_is_not_packed_as_it_says_is_tried_again(tmp_path: Path, model: str) -> None:
    async with Anywhere(script=[packed(b"no gzip", "gzip")], then=ok("42")) as provider:
        spec = provider.agent(model=model, api_key_env="ADA_KEY")
        async with gateway(tmp_path, spec) as ask:
            assert (await ask(request_of(spec))).reply == "42"


async def test_the_bound_holds_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "LONGEST_BODY", 1000)

    async def chunks(data: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(data), 7):
            yield data[start : start + 7]

    for pack, encoding in ((bytes, ""), (gzip.compress, "gzip"), (zlib.compress, "deflate")):
        assert await read_body(chunks(pack(b"x" * 1000)), encoding) == b"x" * 1000
        with pytest.raises(ProviderFailure, match="longer than"):
            await read_body(chunks(pack(b"x" * 1001)), encoding)
    with pytest.raises(ProviderFailure, match="packed as 'br'"):
        await read_body(chunks(b"x"), "br")
