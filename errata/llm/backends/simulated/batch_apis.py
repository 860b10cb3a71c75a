"""The two batch APIs over one desk of batches: OpenAI's files and batches, Anthropic's message batches.

POST /v1/files   GET /v1/files/ID[/content]   POST /v1/batches   GET /v1/batches[/ID]
POST /v1/messages/batches   GET /v1/messages/batches[/ID[/results]]
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from errata.llm.backends.simulated.batch_desk import Batch, BatchDesk, Item, Result
from errata.llm.backends.simulated.http_answers import error_answer, json_answer
from errata.records import digest, to_json

GARBLED = b'{"custom_id": "oops'


class OpenAIBatches:
    """OpenAI's API: a file of requests, a batch over it, a file of replies and one of errors."""

    def __init__(self, desk: BatchDesk) -> None:
        self._desk = desk
        self._files: dict[str, bytes] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/files", self.upload),
            web.get("/v1/files/{id}", self.file),
            web.get("/v1/files/{id}/content", self.content),
            web.post("/v1/batches", self.create),
            web.get("/v1/batches", self.listed),
            web.get("/v1/batches/{id}", self.one),
        ]

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        file, purpose = form.get("file"), form.get("purpose")
        if not isinstance(file, web.FileField) or purpose != "batch":
            return error_answer(400, "a file and the purpose batch are needed", "invalid_request")
        content = file.file.read()
        name = f"file-{digest(content.decode('utf-8', 'replace'), len(self._files))}"
        self._files[name] = content
        return json_answer(_as_file(name, content))

    async def file(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        content = self._files.get(name)
        if content is None:
            return error_answer(404, "no such file", "not_found")
        return json_answer(_as_file(name, content))

    async def content(self, request: web.Request) -> web.Response:
        content = self._files.get(request.match_info["id"])
        return error_answer(404, "no such file", "not_found") if content is None else web.Response(body=content)

    async def create(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        content = self._files.get(body.get("input_file_id", ""))
        if content is None or body.get("endpoint") != "/v1/chat/completions":
            return error_answer(400, "input_file_id and endpoint are needed", "invalid_request")
        lines = [orjson.loads(line) for line in content.splitlines()]
        items = [Item(line["custom_id"], to_json(line["body"])) for line in lines]
        if len({item.custom_id for item in items}) < len(items):
            return error_answer(400, "a custom_id comes twice", "duplicate_custom_id")
        about = {"metadata": body.get("metadata"), "input_file_id": body["input_file_id"]}
        batch = self._desk.create("batch", items, about | {"completion_window": body.get("completion_window", "24h")})
        return json_answer(self._as_object(batch))

    async def listed(self, request: web.Request) -> web.Response:
        limit = int(request.query.get("limit", "20"))
        batches, more = self._desk.newest_first(request.query.get("after"), limit)
        mine = [self._as_object(batch) for batch in batches if batch.id.startswith("batch_")]
        last = batches[-1].id if batches else None
        return json_answer({"object": "list", "data": mine, "has_more": more, "last_id": last})

    async def one(self, request: web.Request) -> web.Response:
        batch = self._desk.look(request.match_info["id"])
        return error_answer(404, "no such batch", "not_found") if batch is None else json_answer(self._as_object(batch))

    def _as_object(self, batch: Batch) -> dict[str, Any]:
        failed = batch.fate == "failed"
        status = "in_progress"
        if batch.results is not None:
            status = {"expired": "expired", "failed": "failed"}.get(batch.fate or "", "completed")
        ended = batch.results is not None
        errors = {"object": "list", "data": [{"code": "token_limit_exceeded", "message": "too much is enqueued"}]}
        done = self._desk.done(batch)
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "status": status,
            "errors": errors if ended and failed else None,
            "output_file_id": self._file_of(batch, errors=False) if ended and not failed else None,
            "error_file_id": self._file_of(batch, errors=True) if ended and not failed else None,
            "created_at": int(batch.created),
            f"{status}_at": int(batch.created + self._desk.faults.delay) if ended else int(batch.created),
            "request_counts": {
                "total": len(batch.items),
                "completed": done,
                "failed": len(batch.items) - done if ended else 0,
            },
            **batch.about,
        }

    def _file_of(self, batch: Batch, *, errors: bool) -> str | None:
        """The id of the file with the batch's replies or errors, made when it is first asked for; None without any."""
        name = f"file-{'errors' if errors else 'output'}-{batch.id}"
        if name not in self._files:
            wanted = ("error", "expired") if errors else ("ok", "garbled")
            lines = [_openai_line(result) for result in batch.results or () if result.kind in wanted]
            if not lines:
                return None
            self._files[name] = b"\n".join(lines) + b"\n"
        return name


def _as_file(name: str, content: bytes) -> dict[str, Any]:
    about = {"id": name, "object": "file", "bytes": len(content), "created_at": int(time.time())}
    return about | {"filename": f"{name}.jsonl", "purpose": "batch", "status": "processed"}


def _openai_line(result: Result) -> bytes:
    line: dict[str, Any] = {"id": f"batch_req_{result.custom_id}", "custom_id": result.custom_id, "error": None}
    match result.kind:
        case "ok":
            line["response"] = {"status_code": 200, "request_id": "r", "body": result.value}
        case "error":
            error = {"message": result.value["message"], "code": None}
            line["response"] = {"status_code": result.value["status"], "request_id": "r", "body": {"error": error}}
        case "expired":
            line["response"], line["error"] = None, {"code": "batch_expired", "message": "not reached in time"}
        case _:
            return GARBLED
    return to_json(line)


class AnthropicBatches:
    """Anthropic's API: requests in one body, results as lines, in any order."""

    def __init__(self, desk: BatchDesk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/messages/batches", self.create),
            web.get("/v1/messages/batches", self.listed),
            web.get("/v1/messages/batches/{id}", self.one),
            web.get("/v1/messages/batches/{id}/results", self.results),
        ]

    async def create(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        items = [Item(each["custom_id"], to_json(each["params"])) for each in body["requests"]]
        if len({item.custom_id for item in items}) < len(items):
            return error_answer(400, "a custom_id comes twice", "invalid_request_error")
        return json_answer(self._as_object(self._desk.create("msgbatch", items, {}), request))

    async def listed(self, request: web.Request) -> web.Response:
        limit = int(request.query.get("limit", "20"))
        batches, more = self._desk.newest_first(request.query.get("after_id"), limit)
        mine = [self._as_object(batch, request) for batch in batches if batch.id.startswith("msgbatch_")]
        last = batches[-1].id if batches else None
        return json_answer({"data": mine, "has_more": more, "last_id": last})

    async def one(self, request: web.Request) -> web.Response:
        batch = self._desk.look(request.match_info["id"])
        if batch is None:
            return error_answer(404, "no such batch", "not_found_error")
        return json_answer(self._as_object(batch, request))

    async def results(self, request: web.Request) -> web.Response:
        batch = self._desk.look(request.match_info["id"])
        if batch is None or batch.results is None:
            return error_answer(404, "no results", "not_found_error")
        lines = [_anthropic_line(result) for result in reversed(batch.results) if result.kind != "missing"]
        return web.Response(body=b"\n".join(lines) + b"\n", content_type="application/x-jsonl")

    def _as_object(self, batch: Batch, request: web.Request) -> dict[str, Any]:
        ended = batch.results is not None
        address = f"{request.url.origin()}/v1/messages/batches/{batch.id}/results"
        counts = {"processing": 0 if ended else len(batch.items), "succeeded": batch.count("ok")}
        counts |= {"errored": batch.count("error"), "canceled": 0, "expired": batch.count("expired")}
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts,
            "created_at": datetime.fromtimestamp(batch.created, UTC).isoformat(),
            "results_url": address if ended else None,
        }


def _anthropic_line(result: Result) -> bytes:
    match result.kind:
        case "ok":
            value: dict[str, Any] = {"type": "succeeded", "message": result.value}
        case "error":
            name = "api_error" if result.value["status"] >= 500 else "invalid_request_error"
            value = {"type": "errored", "error": {"type": "error", "error": {"type": name, **_error_body(result)}}}
        case "expired":
            value = {"type": "expired"}
        case _:
            return GARBLED
    return to_json({"custom_id": result.custom_id, "result": value})


def _error_body(result: Result) -> dict[str, str]:
    return {"message": str(result.value["message"])}
