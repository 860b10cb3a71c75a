"""The provider all contenders ask: waits, counts every request by its content, and says 429 to a share of them.

    python -m benchmarks.peers.stub LATENCY_S RATE_OF_429 -> prints its port

POST .../chat/completions   GET .../models   GET /stats   It speaks raw HTTP on asyncio, so that it is never what is
measured. A request is known by its messages; whether a try meets a 429 is drawn from a seeded generator. `served`
counts the replies that were written to a client still there.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from hashlib import blake2b
from typing import Any

from benchmarks.stub import COMPLETION, Connection, listen

REFUSAL = {"error": {"message": "rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}


def _response(status: str, value: Any) -> bytes:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


_SERVED = _response("200 OK", COMPLETION)
_REFUSED = _response("429 Too Many Requests", REFUSAL)
_MODELS = _response("200 OK", {"object": "list", "data": [{"id": "stub", "object": "model", "owned_by": "errata"}]})
_NOT_FOUND = _response("404 Not Found", {"error": {"message": "not found"}})


class Counts:
    """What was asked and served, for all connections."""

    def __init__(self, latency: float, rate: float) -> None:
        self.latency, self.rate = latency, rate
        self.chance = random.Random(17)
        self.served: Counter[bytes] = Counter()
        self.refused = self.others = self.in_flight = self.most = 0
        self.first = self.last = 0.0

    def stats(self) -> dict[str, Any]:
        return {
            "served": self.served.total(),
            "distinct": len(self.served),
            "refused": self.refused,
            "others": self.others,
            "most_in_flight": self.most,
            "seconds": self.last - self.first,
        }


class _Counting(Connection):
    def __init__(self, counts: Counts) -> None:
        super().__init__()
        self._counts = counts

    def answer(self, fields: bytes, body: bytes) -> None:
        counts = self._counts
        if fields.startswith(b"get /stats"):
            self.write(_response("200 OK", counts.stats()))
        elif fields.startswith(b"get /v1/models"):
            self.write(_MODELS)
        elif not fields.startswith(b"post"):
            self.write(_NOT_FOUND)
        elif counts.chance.random() < counts.rate:
            counts.refused += 1
            self.write(_REFUSED)
        else:
            counts.first = counts.first or time.monotonic()
            counts.in_flight += 1
            counts.most = max(counts.most, counts.in_flight)
            asyncio.get_running_loop().call_later(counts.latency, self._reply, _content(body))

    def _reply(self, content: bytes | None) -> None:
        self._counts.in_flight -= 1
        if self.write(_SERVED):
            if content is None:
                self._counts.others += 1
            else:
                self._counts.served[content] += 1
            self._counts.last = time.monotonic()


def _content(body: bytes) -> bytes | None:
    """What a request of the job is known by: its messages; None for a probe that some send first."""
    if b"Problem" not in body:
        return None
    return blake2b(json.dumps(json.loads(body)["messages"], sort_keys=True).encode(), digest_size=12).digest()


if __name__ == "__main__":
    counts = Counts(float(sys.argv[1]), float(sys.argv[2]))
    asyncio.run(listen(lambda: _Counting(counts)))
