"""An OpenAI-compatible server that always gives the same reply after a set latency.

`python -m benchmarks.stub LATENCY_S` prints its port. It speaks raw HTTP on asyncio, so that it is never what is
measured.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TEXT = "Score: 4\n" + "Each step follows from the one before. " * 8 + "I score it [4].\nThe answer is 42."
"""A solution and a review in one, in the form that errata reads and in that of `benchmarks.peers`."""
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "stub",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}],
    "usage": {"prompt_tokens": 50, "completion_tokens": 100, "total_tokens": 150},
}
_BODY = json.dumps(COMPLETION).encode()
_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


class Connection(asyncio.Protocol):
    """One client's connection: reads requests, and gives the head, in lower case, and the body of each to `answer`."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (head := self._received.find(b"\r\n\r\n")) >= 0:
            fields = self._received[:head].lower()
            at = fields.find(b"content-length:")
            length = int(fields[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._received) < head + 4 + length:
                return
            body = self._received[head + 4 : head + 4 + length]
            self._received = self._received[head + 4 + length :]
            self.answer(fields, body)

    def answer(self, fields: bytes, body: bytes) -> None:
        raise NotImplementedError

    def write(self, response: bytes) -> bool:
        """Writes to the client if it is still there; whether it was."""
        there = not self._transport.is_closing()
        if there:
            self._transport.write(response)
        return there


async def listen(connection: Callable[[], Connection]) -> None:
    """Serves on a free port of this machine, which is printed, until killed."""
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class _Same(Connection):
    def __init__(self, latency: float) -> None:
        super().__init__()
        self._latency = latency

    def answer(self, fields: bytes, body: bytes) -> None:
        asyncio.get_running_loop().call_later(self._latency, self.write, _RESPONSE)


@contextmanager
def stub(latency: float) -> Iterator[str]:
    """The address of a stub server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.stub", str(latency)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


if __name__ == "__main__":
    latency = float(sys.argv[1])
    asyncio.run(listen(lambda: _Same(latency)))
