"""The provider of batches that contenders with a batch mode ask: OpenAI's files and batches, every request counted.

    python -m benchmarks.peers.batch_stub DELAY_S -> prints its port

A batch has ended DELAY_S after it was created, and every reply is the one of `benchmarks.stub`. GET /stats: requests
`asked` for in batches, the `distinct` ones among them, those `served`, the `batches`, and seconds from the first
request about them to the last.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from aiohttp import web

from benchmarks.stub import COMPLETION
from errata.llm.backends.simulated.batch_apis import OpenAIBatches
from errata.llm.backends.simulated.batch_desk import BatchDesk, BatchFaults


class Provider:
    """All batches, what was asked in them, and when the first request came and the last answer went."""

    def __init__(self, delay: float) -> None:
        self.served = 0
        self.desk = BatchDesk(BatchFaults(delay=delay), self.answer)
        self.first = self.last = 0.0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=512 * 2**20, middlewares=[self.timed])
        app.add_routes([*OpenAIBatches(self.desk).routes(), web.get("/stats", self.stats)])
        return app

    def answer(self, _: bytes) -> dict[str, Any]:
        self.served += 1
        return COMPLETION

    @web.middleware
    async def timed(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path == "/stats":
            return await handler(request)  # type: ignore[no-any-return]
        self.first = self.first or time.monotonic()
        answer: web.StreamResponse = await handler(request)
        self.last = time.monotonic()
        return answer

    async def stats(self, _: web.Request) -> web.Response:
        asked = [item.body for batch in self.desk.batches.values() for item in batch.items]
        counts = {"asked": len(asked), "distinct": len(set(asked)), "served": self.served}
        counts |= {"batches": len(self.desk.batches)}
        return web.json_response(counts | {"seconds": self.last - self.first})


async def listen(delay: float) -> None:
    """Serves on a free port of this machine, which is printed, until killed."""
    runner = web.AppRunner(Provider(delay).app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(listen(float(sys.argv[1])))
