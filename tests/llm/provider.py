"""A provider on loopback that answers by script, and what else gateway tests share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from errata.llm.budget import Budget
from errata.llm.gateway import Gateway
from errata.llm.request import Context, Request
from errata.llm.spec import Agents, AgentSpec, Price
from errata.records import Message

Act = Callable[[web.Request], Any]


def completion(text: str = "42", **message: Any) -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "served-model",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text} | message}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def ok(text: str = "42", **message: Any) -> Act:
    return lambda request: web.json_response(completion(text, **message))


def status(number: int, message: str = "no", headers: dict[str, str] | None = None, **error: Any) -> Act:
    body = {"error": {"message": message, "type": "t"} | error}
    return lambda request: web.json_response(body, status=number, headers=headers)


def body(text: str, content_type: str = "application/json") -> Act:
    return lambda request: web.Response(text=text, content_type=content_type)


async def drop(request: web.Request) -> web.StreamResponse:
    """Half a body, then the connection is gone."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    assert request.transport
    request.transport.close()
    return response


def stall(seconds: float) -> Act:
    async def act(request: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.json_response(completion("late"))

    return act


@dataclass
class Provider:
    """Answers each request with the next act of the script, then with `then`."""

    script: list[Act] = field(default_factory=list)
    then: Act = field(default_factory=ok)
    latency: float = 0.0
    raw: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    base: str = ""
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> Any:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            self.raw.append(await request.read())
            self.headers.append(dict(request.headers))
            self.bodies.append(json.loads(self.raw[-1]))
            self.asked.set()
            self.keys.append(request.headers.get("Authorization"))
            act = self.script.pop(0) if self.script else self.then
            if self.latency:
                await asyncio.sleep(self.latency)
            answer = act(request)
            return await answer if asyncio.iscoroutine(answer) else answer
        finally:
            self.in_flight -= 1

    async def __aenter__(self) -> Provider:
        app = web.Application(client_max_size=2**26)
        for path in ("/v1/chat/completions", "/v1/messages"):
            app.router.add_post(path, self.handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.base = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def agent(self, name: str = "ada", **settings: Any) -> AgentSpec:
        given = {"model": "openai/stub", "api_base": self.base, "timeout": 5.0, "price": Price(prompt=1, completion=2)}
        return AgentSpec(name=name, **(given | settings))


def request_of(spec: AgentSpec, text: str = "6 times 7?", **settings: Any) -> Request:
    given: dict[str, Any] = {
        "spec": spec,
        "verb": "solve",
        "stage": "rationales",
        "context": Context(problem_id="p1", question=text),
        "prompt": "teacher/solve@1",
        "prompt_hash": "ab12",
        "messages": (Message(role="user", content=text),),
        "parameters": {},
    }
    return Request(**(given | settings))


async def soon(seconds: float) -> None:
    """A sleep for tests: a hundredth of what was asked."""
    await asyncio.sleep(seconds / 100)


def gateway(store: Path, *specs: AgentSpec, budget: Budget | None = None, **settings: Any) -> Gateway:
    given: dict[str, Any] = {"seed": 17, "concurrency": 16, "ledger": "run", "sleep": soon}
    return Gateway.open(Agents(teachers=specs), store=store / "calls", budget=budget or Budget(), **(given | settings))
