"""Checkpoints in process: concurrent requests share batches, and nobody's reply depends on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import torch

from errata.agents.ask import PromptedModel
from errata.agents.prompts import load_prompts
from errata.agents.student import Student, student_messages
from errata.errors import AgentRefused, UsageError
from errata.llm.backends import local
from errata.llm.backends.local import Local
from errata.llm.budget import Budget
from errata.llm.gateway import Gateway
from errata.llm.request import ProviderFailure, Reply
from errata.llm.spec import Agents, AgentSpec, Sampling
from errata.models.generate import generate
from errata.models.load import load, load_to_decode
from errata.models.prompting import example_ids, prompt_ids
from errata.models.sampling import Decoding, Job
from errata.records import Message
from tests.helpers import apples
from tests.llm.provider import request_of
from tests.models import tiny

HOT = {"temperature": 1.3, "top_p": 0.9, "max_tokens": 12}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_plain(tmp_path_factory.mktemp("plain"))


@pytest.fixture
async def backend() -> AsyncIterator[Local]:
    made = Local()
    yield made
    await made.close()


def student(path: Path, **settings: Any) -> AgentSpec:
    return AgentSpec(name="sam", model=f"local/{path}", **settings)


async def ask(backend: Local, spec: AgentSpec, text: str, *, seed: int = 0, **parameters: Any) -> Reply:
    messages = (Message(role="user", content=text),)
    return await backend.complete(request_of(spec, messages=messages, parameters=parameters), seed)


async def test_concurrent_requests_share_batches_and_reply_as_if_alone(
    backend: Local, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    decode = local._decode
    monkeypatch.setattr(local, "_decode", lambda *args: (sizes.append(len(args[1])), decode(*args))[1])
    texts = [f"What is {number} + {number}?" for number in range(36)]
    spec = student(plain)

    together = await asyncio.gather(*(ask(backend, spec, text, seed=3, **HOT) for text in texts))
    alone = [await ask(backend, spec, text, seed=3, **HOT) for text in texts]

    assert together == alone
    assert sizes[0] == 36  # those asked one after the other may meet a batch that is just ending


async def test_a_reply_says_what_was_counted_and_served(backend: Local, plain: Path) -> None:
    checkpoint = load(str(plain), device="cpu")
    prompt = prompt_ids(checkpoint.tokenizer, (Message(role="user", content="Hi"),))

    reply = await ask(backend, student(plain), "Hi", max_tokens=7)

    expected = generate(checkpoint, [Job(prompt, Decoding(max_tokens=7))])[0]
    assert reply == Reply(expected.text, expected.finish_reason, None, plain.name, len(prompt), len(expected.tokens))


async def test_seed_and_question_decide_a_draw(backend: Local, plain: Path) -> None:
    spec = student(plain)
    hot = {"temperature": 3.0, "max_tokens": 12}

    first, again, other = [await ask(backend, spec, "Hi", seed=seed, **hot) for seed in (1, 1, 2)]

    assert first == again
    assert first.text != other.text


async def test_a_seed_among_the_agent_s_settings_comes_first(backend: Local, plain: Path) -> None:
    messages, hot = (Message(role="user", content="Hi"),), {"temperature": 3.0, "max_tokens": 12}

    async def drawn(sent: int, **more: int) -> str:
        given = {**hot, **more}
        reply = await backend.complete(request_of(student(plain), messages=messages, parameters=given), sent)
        return reply.text

    assert await drawn(1, seed=7) == await drawn(2, seed=7) == await drawn(7)


async def test_an_agents_extra_says_how_it_is_loaded(
    backend: Local, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dtypes: list[torch.dtype] = []

    def seen(*given: Any) -> Any:
        checkpoint = load_to_decode(*given)
        dtypes.append(checkpoint.model.dtype)
        return checkpoint

    monkeypatch.setattr(local, "load_to_decode", seen)

    for dtype in ("float32", "bfloat16", "float32"):
        await ask(backend, student(plain), "2 + 3", max_tokens=2, dtype=dtype)

    assert dtypes == [torch.float32, torch.bfloat16]
    with pytest.raises(UsageError, match="dtype: Input should be 'float32', 'bfloat16' or 'float16'"):
        backend.fingerprint(student(plain, extra={"dtype": "int3"}))


async def test_a_prompt_longer_than_the_context_is_a_lasting_failure(backend: Local, plain: Path) -> None:
    with pytest.raises(
        ProviderFailure, match=rf"the prompt has \d+ tokens, the model's context {tiny.CONTEXT}"
    ) as info:
        await ask(backend, student(plain), "x" * tiny.CONTEXT)

    assert (info.value.transient, info.value.fatal) == (False, False)
    assert (await ask(backend, student(plain), "x" * 200, max_tokens=9_999)).finish_reason in {"length", "stop"}


async def test_one_who_gives_up_takes_nobody_along(backend: Local, plain: Path) -> None:
    spec = student(plain)
    waiting = [asyncio.create_task(ask(backend, spec, f"Q{number}", **HOT)) for number in range(6)]
    await asyncio.sleep(0)
    waiting[2].cancel()
    waiting[4].cancel()

    replies = await asyncio.gather(*waiting, return_exceptions=True)

    assert [isinstance(reply, asyncio.CancelledError) for reply in replies] == [place in {2, 4} for place in range(6)]
    assert (await ask(backend, spec, "Q2", **HOT)).text


async def test_a_batch_that_nobody_wants_any_more_stops(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Local()
    steps = Steps(plain, monkeypatch)
    asked = [
        asyncio.create_task(ask(backend, student(plain), f"Q{number}", max_tokens=230, temperature=0.1))
        for number in range(2)
    ]
    await steps.begun.wait()

    await backend.close()

    replies = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(reply, ProviderFailure) for reply in replies)
    assert steps.taken < 100


async def test_an_error_of_ours_reaches_everyone_in_the_batch(
    backend: Local, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(local, "stream", broken)
    replies = await asyncio.gather(*(ask(backend, student(plain), "Q") for _ in range(3)), return_exceptions=True)

    assert [type(reply) for reply in replies] == [ZeroDivisionError] * 3


async def test_out_of_memory_is_a_failure_that_says_what_to_do(
    backend: Local, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_big(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("tried to allocate 9 GiB")

    monkeypatch.setattr(local, "stream", too_big)
    with pytest.raises(ProviderFailure, match="out of memory with 1 sequences: give the agent a lower concurrency"):
        await ask(backend, student(plain), "Q")


def test_what_cannot_run_is_refused_before_the_first_call(plain: Path, tmp_path: Path) -> None:
    backend = Local()
    with pytest.raises(UsageError, match="no file or folder"):
        backend.fingerprint(student(tmp_path / "none"))
    with pytest.raises(
        UsageError, match=r"agent sam: top_k: Extra inputs.*\n.*\n.*temperature, top_p, stop, .*device_map.* and seed"
    ):
        backend.fingerprint(student(plain, extra={"top_k": 5}))
    with pytest.raises(UsageError, match="agent sam: temperature"):
        backend.fingerprint(student(plain, temperature=-1.0))
    assert backend.fingerprint(student(plain, extra={"stop": "\n", "seed": 3})) == backend.fingerprint(student(plain))


def test_a_path_may_come_from_the_environment(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINY", str(plain))

    spec = AgentSpec(name="sam", model="local/${TINY:-elsewhere}")

    assert Local().fingerprint(spec) == Local().fingerprint(student(plain))


async def test_a_checkpoint_that_breaks_on_loading_refuses_the_agent(tmp_path: Path) -> None:
    folder = tiny.save_plain(tmp_path / "torn")
    (folder / "model.safetensors").write_bytes(b"torn")
    backend = Local()
    for _ in range(2):
        with pytest.raises(ProviderFailure, match="cannot be loaded") as info:
            await ask(backend, student(folder), "Q")
        assert info.value.fatal
    await backend.close()


async def test_exam_training_and_evals_show_the_student_the_same_ids(
    tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[list[int]] = []
    stream = local.stream
    monkeypatch.setattr(
        local, "stream", lambda c, jobs, **kw: (read.extend(list(j.prompt) for j in jobs), stream(c, jobs, **kw))[1]
    )
    prompts = load_prompts(None)
    spec = student(plain, system="You are a pupil.", max_tokens=4)
    gateway = open_gateway(tmp_path, spec)

    async with gateway:
        await Student(PromptedModel(spec, gateway, prompts, tries=1)).solve(apples(), Sampling())

    tokenizer = load(str(plain), device="cpu").tokenizer
    messages = student_messages(prompts, apples(), system=spec.system)
    assert read == [prompt_ids(tokenizer, messages)] == [example_ids(tokenizer, messages, "5").prompt]


async def test_the_gateway_stores_replies_and_asks_for_new_ones_after_new_weights(tmp_path: Path) -> None:
    folder = tiny.save_plain(tmp_path / "student")
    spec = student(folder, temperature=1.0, max_tokens=5)
    prompts = load_prompts(None)

    async def sit() -> tuple[str, int]:
        async with open_gateway(tmp_path, spec) as gateway:
            said = await Student(PromptedModel(spec, gateway, prompts, tries=1)).solve(apples(), Sampling())
            assert said.value is not None
            assert said.calls[0].price_usd == 0
            return said.value.text, gateway.spent.process.cached

    first, second = await sit(), await sit()
    tiny.save_plain(folder, seed=1)
    third = await sit()

    assert (first[1], second, third[1]) == (0, (first[0], 1), 0)
    assert third[0] != first[0]


async def test_a_lost_agent_stops_the_run(tmp_path: Path) -> None:
    folder = tiny.save_plain(tmp_path / "torn")
    (folder / "model.safetensors").write_bytes(b"torn")
    spec = student(folder)

    async with open_gateway(tmp_path, spec) as gateway:
        with pytest.raises(AgentRefused, match="agent sam"):
            await Student(PromptedModel(spec, gateway, load_prompts(None))).solve(apples(), Sampling())


async def test_a_sent_call_that_nobody_waits_for_stops_the_model(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the second Ctrl-C: nothing is paid here, so that nothing has to be waited for."""
    steps = Steps(plain, monkeypatch)
    spec = student(plain, max_tokens=230)
    async with open_gateway(tmp_path, spec) as gateway:
        asked = asyncio.create_task(gateway(request_of(spec, "Q", parameters={"max_tokens": 230, "temperature": 0.1})))
        await steps.begun.wait()
        asked.cancel()

    assert steps.taken < 100
    assert gateway.spent.process.paid == 0


class Steps:
    """Counts the steps of a model that the backend will load, and tells when it has begun."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = 0
        self.begun = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        checkpoint = load(str(folder), device="cpu")
        self._forward = checkpoint.model.forward
        monkeypatch.setattr(checkpoint.model, "forward", self._counted)
        monkeypatch.setattr(local, "load_to_decode", lambda *_: checkpoint)

    def _counted(self, *args: Any, **kwargs: Any) -> Any:
        self.taken += 1
        self._loop.call_soon_threadsafe(self.begun.set)
        return self._forward(*args, **kwargs)


def open_gateway(tmp_path: Path, spec: AgentSpec) -> Gateway:
    return Gateway.open(
        Agents(student=spec), seed=17, budget=Budget(), concurrency=8, store=tmp_path / "calls", ledger="test"
    )
