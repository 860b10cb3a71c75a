"""The faculty over real HTTP: the same replies as in process through the real OpenAI client, and every fault."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import openai
import pytest

from errata.errors import UsageError
from errata.llm.backends.simulated.faculty import reply
from errata.llm.backends.simulated.server import FAULTS, Faults, serving
from tests.llm.backends.simulated.asking import COMMITTEE, lesson, messages


@asynccontextmanager
async def client_of(
    faults: Faults | None = None, latency: float = 0.0, **settings: Any
) -> AsyncIterator[openai.AsyncOpenAI]:
    async with serving(faults, latency) as url:
        settings = {"max_retries": 0} | settings
        async with openai.AsyncOpenAI(base_url=url, api_key="none", **settings) as client:
            yield client


def as_json(sent: list[tuple[str, str]]) -> Any:
    return [{"role": role, "content": content} for role, content in sent]


async def stats(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/stats") as response:
        found: dict[str, Any] = await response.json()
        return found


async def counting(url: str, what: str) -> dict[str, Any]:
    """The server's counts as soon as it has counted one of these. Raises TimeoutError where it does not."""
    for _ in range(2000):
        if (found := await stats(url))[what]:
            return found
        await asyncio.sleep(0.01)
    raise TimeoutError(what)


async def test_in_process_and_over_http_the_reply_is_the_same() -> None:
    async with client_of() as client:
        for number, problem in enumerate(lesson(12)):
            model = ("ada", "ben?voice=words", "cleo?slips=0.7&lucky=0.2", "dan")[number % 4]
            for name in ("teacher/solve", "student/solve", "reviewer/score", "teacher/corrupt"):
                sent = [("system", "be brief"), *messages(name, problem, rationale=problem.rationale)]
                limit = 7 if number % 3 == 0 else 500
                body = {"temperature": 1, "top_p": 0.5, "max_completion_tokens": limit, "seed": number}
                got = await client.chat.completions.create(model=model, messages=as_json(sent), n=1, user="u", **body)
                parameters = {"temperature": 1.0, "top_p": 0.5, "max_tokens": limit}
                want = reply(f"simulated/{model}", sent, parameters, number)
                assert got.choices[0].message.content == want.text
                assert got.choices[0].finish_reason == want.finish_reason
                assert got.model == want.served
                assert got.usage
                assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (
                    want.prompt_tokens,
                    want.completion_tokens,
                )


async def test_message_parts_and_the_developer_role_are_read() -> None:
    problem = lesson()[0]
    sent = [("system", "be brief"), *messages("teacher/solve", problem)]
    parts = [{"type": "text", "text": sent[1][1][:20]}, {"type": "text", "text": sent[1][1][20:]}]
    async with client_of() as client:
        got = await client.chat.completions.create(
            model="simulated/ada",
            messages=[{"role": "developer", "content": "be brief"}, {"role": "user", "content": parts}],
            seed=4,
        )
    assert got.choices[0].message.content == reply("ada", sent, {}, 4).text


async def test_models_and_unknown_settings() -> None:
    async with client_of() as client:
        assert [model.id async for model in client.models.list()] == [*COMMITTEE, "pupil"]
        with pytest.raises(openai.NotFoundError, match="did you mean voice"):
            await client.chat.completions.create(model="ada?voise=1", messages=[{"role": "user", "content": "x"}])


async def test_requests_of_unknown_wording_are_counted() -> None:
    texts = ["Psst! How much is it?", messages("teacher/solve", lesson()[0])[0][1]]
    async with serving() as url, aiohttp.ClientSession() as session:
        for text in texts:
            chat = {"model": "ada", "messages": [{"role": "user", "content": text}]}
            async with session.post(f"{url}/chat/completions", json=chat) as response:
                assert response.status == 200
        counts = await stats(url)
    assert (counts["requests"], counts["unknown_prompts"]) == (2, 1)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"model": "ada"}', b'{"model": 1, "messages": []}'])
async def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    async with serving() as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/chat/completions", data=body) as response:
            assert response.status == 400
            assert (await response.json())["error"]["message"]
        assert (await stats(url))["fates"] == {"bad": 1}


@pytest.mark.parametrize("kind", FAULTS)
async def test_each_fault_is_what_it_says_and_ends_after_its_attempts(kind: str) -> None:
    faults = Faults(rate=1, kinds=(kind,), attempts=2, retry_after=0.25, stall=60)
    ask = {"model": "ada", "messages": as_json(messages("teacher/solve", lesson()[0])), "temperature": 0.8}
    async with serving(faults) as url, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(0.3)) as session:
        for _ in range(2):
            await check_fault(session, url, ask, kind)
        async with session.post(f"{url}/chat/completions", json=ask) as response:
            assert (await response.json())["choices"][0]["message"]["content"]
        told = await stats(url)
    assert told["requests"] == 3
    assert told["fates"] == {kind: 2, "ok": 1}
    assert list(told["by_content"].values()) == [3]


async def check_fault(session: aiohttp.ClientSession, url: str, ask: dict[str, Any], kind: str) -> None:
    if kind == "stall":
        with pytest.raises(asyncio.TimeoutError):
            await session.post(f"{url}/chat/completions", json=ask)
        return
    async with session.post(f"{url}/chat/completions", json=ask) as response:
        if kind == "drop":
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
            return
        text = await response.text()
        assert response.status == (400 if kind == "temperature" else int(kind[:3]) if kind[:3].isdigit() else 200)
        assert response.headers.get("Retry-After") == ("0.25" if kind == "429" else None)
        if kind in ("cut", "malformed", "html"):
            with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
                await response.json(content_type=None)
        elif kind in ("no_choices", "empty_choices"):
            assert not (await response.json()).get("choices")
        elif kind == "temperature":
            assert "'temperature' is not supported" in text
        else:
            assert "fault" in text


@pytest.mark.parametrize("given", [{}, {"temperature": 1}, {"temperature": None}])
async def test_who_sets_no_temperature_is_not_refused_for_it(given: dict[str, Any]) -> None:
    ask = {"model": "ada", "messages": as_json(messages("teacher/solve", lesson()[0]))} | given
    async with serving(Faults(rate=1, kinds=("temperature",))) as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/chat/completions", json=ask) as response:
            assert response.status == 200
        assert (await stats(url))["fates"] == {"ok": 1}


async def test_faults_do_not_depend_on_order_and_retries_can_succeed() -> None:
    asked = [
        {"model": name, "messages": as_json(messages("teacher/solve", problem))}
        for problem in lesson(20)
        for name in COMMITTEE
    ]

    async def statuses(order: list[Any]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        async with (
            serving(Faults(rate=0.4, kinds=("429-bare", "503"), seed=3)) as url,
            aiohttp.ClientSession() as session,
        ):
            for ask in order:
                for _ in range(3):
                    async with session.post(f"{url}/chat/completions", json=ask) as response:
                        found.setdefault(f"{ask}", []).append(response.status)
        return found

    forwards, backwards = await statuses(asked), await statuses(asked[::-1])
    assert forwards == backwards
    flat = [status for tries in forwards.values() for status in tries]
    assert 0.3 < sum(status != 200 for status in flat) / len(flat) < 0.5
    assert set(flat) == {200, 429, 503}
    assert any(tries[0] != 200 and tries[1] == 200 for tries in forwards.values())


async def test_a_key_can_be_revoked_on_the_way() -> None:
    async with client_of(Faults(refuse_after=2)) as client:
        for number in range(4):
            call = client.chat.completions.create(model="ada", messages=[{"role": "user", "content": f"{number}"}])
            if number < 2:
                await call
            else:
                with pytest.raises(openai.AuthenticationError, match="revoked"):
                    await call


async def test_the_openai_client_s_own_retries_get_through() -> None:
    faults = Faults(rate=1, kinds=("429", "500"), attempts=1, retry_after=0.01)
    async with client_of(faults, max_retries=2) as client:
        got = await client.chat.completions.create(
            model="ada", messages=as_json(messages("teacher/solve", lesson()[0]))
        )
        assert got.choices[0].message.content


async def test_latency_and_a_prompt_end_of_a_stalled_server() -> None:
    async with client_of(latency=0.1) as client:
        start = time.perf_counter()
        calls = (client.chat.completions.create(model="ada", messages=[{"role": "user", "content": "x"}]),) * 1
        await asyncio.gather(*calls)
        assert time.perf_counter() - start >= 0.1
    async with serving(Faults(rate=1, kinds=("stall",))) as url, aiohttp.ClientSession() as session:
        hanging = asyncio.ensure_future(session.post(f"{url}/chat/completions", data=b"{}"))
        await counting(url, "fates")
        start = time.perf_counter()
    with pytest.raises((aiohttp.ClientError, asyncio.CancelledError)):
        await hanging
    assert time.perf_counter() - start < 10


async def test_a_request_that_its_client_gave_up_is_counted() -> None:
    async with serving(latency=30) as url, aiohttp.ClientSession() as session:
        hanging = asyncio.ensure_future(session.post(f"{url}/chat/completions", data=b"{}"))
        await counting(url, "requests")
        hanging.cancel()
        counted = await counting(url, "abandoned")

    assert (counted["requests"], counted["abandoned"], counted["fates"]) == (1, 1, {})


async def test_wrong_use_is_told() -> None:
    with pytest.raises(UsageError, match="rate"):
        Faults(rate=2)
    with pytest.raises(UsageError, match="oops"):
        Faults(kinds=("oops",))
    async with serving() as url:
        port = int(url.rsplit(":", 1)[1].removesuffix("/v1"))
        with pytest.raises(UsageError, match="cannot listen"):
            async with serving(port=port):
                pass
