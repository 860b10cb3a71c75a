"""Both batch APIs of the simulated faculty: the replies of requests asked one by one, and every fate of a batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import openai
import orjson
import pytest

from errata.errors import UsageError
from errata.llm.backends.simulated.batch_desk import BATCH_FAULTS, BatchFaults
from errata.llm.backends.simulated.server import Faults, serving
from errata.records import to_json
from tests.llm.backends.simulated.asking import lesson, messages


@asynccontextmanager
async def session_on(batches: BatchFaults, faults: Faults | None = None) -> AsyncIterator[tuple[Any, str]]:
    async with serving(faults, batches=batches) as url, aiohttp.ClientSession() as session:
        yield session, url


def chats(number: int) -> list[dict[str, Any]]:
    return [
        {
            "model": "ada",
            "messages": [{"role": "user", "content": messages("teacher/solve", problem)[-1][1]}],
            "seed": 3,
        }
        for problem in lesson(number)
    ]


def input_file(bodies: list[dict[str, Any]]) -> bytes:
    url = {"method": "POST", "url": "/v1/chat/completions"}
    return b"\n".join(to_json({"custom_id": f"c{n}", **url, "body": body}) for n, body in enumerate(bodies))


async def test_openais_own_client_gets_the_replies_of_single_requests() -> None:
    bodies = chats(6)
    async with (
        serving(batches=BatchFaults(delay=0.1)) as url,
        openai.AsyncOpenAI(base_url=url, api_key="none") as client,
    ):
        file = await client.files.create(file=("in.jsonl", input_file(bodies)), purpose="batch")
        assert (await client.files.wait_for_processing(file.id)).status == "processed"
        batch = await client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"mine": "yes"}
        )
        assert (batch.status, batch.completed_at) == ("in_progress", None)
        await asyncio.sleep(0.11)
        batch = await client.batches.retrieve(batch.id)
        assert (batch.status, batch.error_file_id, batch.metadata) == ("completed", None, {"mine": "yes"})
        assert openai.types.Batch.model_validate(batch.model_dump()).input_file_id == file.id  # nothing is missing
        assert (batch.completed_at or 0) >= batch.created_at
        assert [each.id async for each in client.batches.list()] == [batch.id]
        lines = (await client.files.content(batch.output_file_id or "")).text.splitlines()
        got = {line["custom_id"]: line["response"]["body"] for line in map(orjson.loads, lines)}
        for number, body in enumerate(bodies):
            alone = await client.chat.completions.create(**body)
            assert got[f"c{number}"]["choices"][0]["message"]["content"] == alone.choices[0].message.content
        async with aiohttp.ClientSession() as session:
            stats = await (await session.get(f"{url}/stats")).json()
    assert (stats["batches"], stats["requests"]) == (1, 12)  # in the batch, and alone


async def test_anthropics_batches_hold_the_messages_of_single_requests() -> None:
    params = [{**body, "max_tokens": 300, "system": "be brief"} for body in chats(3)]
    for each in params:
        del each["seed"]
    async with session_on(BatchFaults()) as (session, url):
        requests = [{"custom_id": f"c{n}", "params": each} for n, each in enumerate(params)]
        bodies = {f"c{n}": to_json(each) for n, each in enumerate(params)}
        batch = await (await session.post(f"{url}/messages/batches", json={"requests": requests})).json()
        batch = await (await session.get(f"{url}/messages/batches/{batch['id']}")).json()
        assert (batch["processing_status"], batch["request_counts"]["succeeded"]) == ("ended", 3)
        lines = (await (await session.get(batch["results_url"])).text()).splitlines()
        for line in map(orjson.loads, lines):
            alone = await (await session.post(f"{url}/messages", data=bodies[line["custom_id"]])).json()
            assert line["result"] == {"type": "succeeded", "message": alone}
        listed = await (await session.get(f"{url}/messages/batches?limit=5")).json()
    assert [each["id"] for each in listed["data"]] == [batch["id"]]
    assert alone["stop_reason"] == "end_turn"


@pytest.mark.parametrize("fate", BATCH_FAULTS)
async def test_each_fate_of_a_batch_is_what_it_says(fate: str) -> None:
    async with session_on(BatchFaults(rate=1, kinds=(fate,), attempts=1)) as (session, url):
        for attempt in range(2):
            form = aiohttp.FormData({"purpose": "batch"})
            form.add_field("file", input_file(chats(24)), filename="in.jsonl")
            file = await (await session.post(f"{url}/files", data=form)).json()
            asked = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions"}
            batch = await (await session.post(f"{url}/batches", json=asked)).json()
            batch = await (await session.get(f"{url}/batches/{batch['id']}")).json()
            counts = batch["request_counts"]
            if attempt:
                assert (batch["status"], counts["completed"]) == ("completed", 24)
                continue
            assert batch["status"] == {"expired": "expired", "failed": "failed"}.get(fate, "completed")
            assert counts["completed"] == 0 if fate == "failed" else 0 < counts["completed"] < 24
            assert bool(batch["errors"]) == (fate == "failed")
            if fate in ("expired", "partial"):
                errors = await (await session.get(f"{url}/files/{batch['error_file_id']}/content")).text()
                assert len(errors.splitlines()) == 24 - counts["completed"]


async def test_requests_about_batches_meet_faults_and_a_lost_answer_has_had_its_effect() -> None:
    faults = Faults(rate=1, kinds=("500", "drop"), attempts=2, seed=2)
    async with session_on(BatchFaults(), faults) as (session, url):
        requests = {"requests": [{"custom_id": "c", "params": {"model": "ada", "messages": [], "max_tokens": 9}}]}
        fates = []
        for _ in range(3):
            try:
                answer = await session.post(f"{url}/messages/batches", json=requests)
                fates.append((answer.status, bool(await answer.read())))
            except aiohttp.ClientPayloadError:
                fates.append((0, False))
        stats = await (await session.get(f"{url}/stats")).json()
    assert fates[-1] == (200, True)
    assert stats["batches"] == sum(status != 500 for status, _ in fates)
    assert {status for status, _ in fates[:2]} == {0, 500}


def test_wrong_use_is_told() -> None:
    with pytest.raises(UsageError, match="a share from 0 to 1"):
        BatchFaults(rate=2)
    with pytest.raises(UsageError, match="the kinds are expired"):
        BatchFaults(kinds=("lost",))
