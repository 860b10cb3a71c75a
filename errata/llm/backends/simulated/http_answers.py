"""What the simulated servers send: JSON, errors, and replies as a faulty provider sends them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from errata.records import to_json


def json_answer(value: Any) -> web.Response:
    return web.Response(body=to_json(value), content_type="application/json")


def error_answer(status: int, message: str, code: str, headers: dict[str, str] | None = None) -> web.Response:
    body = to_json({"error": {"message": message, "type": "error", "param": None, "code": code}})
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


async def spoilt_completion(request: web.Request, fault: str, completion: dict[str, Any]) -> web.StreamResponse:
    """The completion as a faulty provider sends it."""
    match fault:
        case "no_choices":
            return json_answer({key: item for key, item in completion.items() if key != "choices"})
        case "empty_choices":
            return json_answer({**completion, "choices": []})
    return await spoilt(request, fault, to_json(completion))


async def spoilt(request: web.Request, fault: str, body: bytes) -> web.StreamResponse:
    """The body as a faulty provider sends it; whole where the fault is about something else."""
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
    return web.Response(body=body, content_type="application/json")
