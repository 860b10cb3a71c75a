"""A hub over real HTTP: what huggingface_hub asks of one, and nothing more."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "hf_stub_key"


@dataclass
class Hub:
    """What the hub holds: by kind and name whether it is private, and the files of the last commit."""

    url: str = ""
    private: dict[str, bool] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)


def _answer(hub: Hub, method: str, path: str, body: bytes) -> tuple[int, Any]:
    if method == "PUT":
        hub.large[path.rpartition("/")[2]] = body
        return 200, {}
    if path == "/api/repos/create":
        told = json.loads(body)
        name = f"{told.get('type', 'model')}s/{told.get('organization')}/{told['name']}"
        hub.private[name] = told["visibility"] == "private"
        return 200, {"url": f"{hub.url}/{name}"}
    if path == "/api/validate-yaml":  # of the card
        return 200, {"errors": [], "warnings": []}
    if path.endswith("/info/lfs/objects/batch"):
        objects = [
            {**each, "actions": {"upload": {"href": f"{hub.url}/lfs/{each['oid']}"}}}
            for each in json.loads(body)["objects"]
        ]
        return 200, {"transfer": "basic", "objects": objects}
    name = "/".join(path.removeprefix("/api/").split("/")[:3])
    if name not in hub.private:
        return 404, {"error": "Repository not found"}
    if "/preupload/" in path:
        files = [
            {"path": each["path"], "uploadMode": "lfs" if large(each["path"]) else "regular", "shouldIgnore": False}
            for each in json.loads(body)["files"]
        ]
        return 200, {"files": files}
    if "/commit/" in path:
        hub.files[name] = dict(_committed(hub, body))
        return 200, {
            "success": True,
            "commitOid": "0" * 40,
            "commitUrl": f"{hub.url}/{name}/commit/0",
            "hookOutput": "",
        }
    return 200, {"id": name.partition("/")[2], "private": hub.private[name]}


def large(name: str) -> bool:
    return name.endswith((".safetensors", ".jsonl"))


def _committed(hub: Hub, body: bytes) -> Iterator[tuple[str, bytes]]:
    for line in map(json.loads, body.splitlines()):
        value = line["value"]
        if line["key"] == "file":
            yield value["path"], base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            yield value["path"], hub.large[value["oid"]]


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = re.sub(r"\?.*", "", self.path)
            hub.asked.append(f"{self.command} {path}")
            if self.command != "PUT":  # uploads go by addresses that are keys themselves
                hub.keys.add(self.headers.get("Authorization"))
            if self.headers.get("Authorization", f"Bearer {KEY}") != f"Bearer {KEY}":
                status, value = 403, {"error": f"no rights for {self.headers['Authorization']}"}
            else:
                status, value = _answer(hub, self.command, path, body)
            told = json.dumps(value).encode()
            self.send_response(status)
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = do_PUT = _reply

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
