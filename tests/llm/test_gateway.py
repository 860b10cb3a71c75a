"""The gateway over real HTTP: what is paid, joined, stored, retried, refused."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
import zlib
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from errata.errors import AgentRefused, BudgetExhausted, UsageError
from errata.llm.budget import Amounts, Budget
from errata.llm.gateway import Gateway
from errata.llm.request import Context
from errata.llm.spec import Agents, AgentSpec
from errata.llm.store import Store, StoreError
from errata.records import Message
from tests.llm.provider import Act, Provider, body, drop, gateway, ok, request_of, stall, status


async def test_a_call_is_logged_whole(tmp_path: Path) -> None:
    async with Provider() as provider, gateway(tmp_path, spec := provider.agent(temperature=0.5)) as ask:
        call = await ask(request_of(spec, parameters={"temperature": 0.5, "max_tokens": 50}, sample=2, attempt=1))
    assert (call.reply, call.served, call.finish_reason, call.failure) == ("42", "served-model", "stop", None)
    assert (call.prompt_tokens, call.completion_tokens, call.price_usd) == (10, 5, pytest.approx(20e-6))
    assert call.agent == "ada"
    assert (call.sample, call.attempt) == (2, 1)
    sent = provider.bodies[0]
    assert sent["messages"] == [{"role": "user", "content": "6 times 7?"}]
    assert (sent["model"], sent["temperature"], sent["max_tokens"]) == ("stub", 0.5, 50)
    assert call.parameters == {"temperature": 0.5, "max_tokens": 50, "seed": sent["seed"]}
    assert 0 <= sent["seed"] < 2**31


async def test_what_makes_another_call(tmp_path: Path) -> None:
    """Sample, attempt, agent, messages and parameters ask anew; the context does not."""
    async with Provider() as provider:
        ada, bob = provider.agent("ada"), provider.agent("bob")
        asked = request_of(ada)
        others = [
            replace(asked, sample=1),
            replace(asked, attempt=1),
            replace(asked, spec=bob),
            replace(asked, parameters={"top_p": 0.5}),
            replace(asked, messages=(Message(role="user", content="else"),)),
        ]
        async with gateway(tmp_path, ada, bob) as ask:
            first = await ask(asked)
            for other in others:
                await ask(other)
            assert len(provider.bodies) == 6
            again = await ask(replace(asked, context=Context("p2", "q", "r9")))
            assert len(provider.bodies) == 6
    assert again.id != first.id
    assert again.reply == first.reply
    # another sample or attempt of one agent is another draw; so is another agent's
    assert len({sent["seed"] for sent in provider.bodies[:4]}) == 4


async def test_a_reply_is_paid_once_across_runs(tmp_path: Path) -> None:
    async with Provider() as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            first = await ask(request_of(spec))
            assert (ask.spent.process.paid, ask.spent.process.cached) == (1, 0)
        async with gateway(tmp_path, spec) as ask:
            assert await ask(request_of(spec)) == first
            assert (ask.spent.process.paid, ask.spent.process.cached) == (0, 1)
            assert ask.spent.run.paid == 1
            assert ask.spent.run.cost == pytest.approx(20e-6)
            assert ask.spent.by_agent()["ada"].tokens == 15
        async with gateway(tmp_path, spec, seed=18) as ask:
            await ask(request_of(spec))
    assert len(provider.bodies) == 2


async def test_calls_in_flight_are_joined(tmp_path: Path) -> None:
    async with Provider(latency=0.05) as provider, gateway(tmp_path, spec := provider.agent()) as ask:
        calls = await asyncio.gather(*(ask(request_of(spec)) for _ in range(20)))
        assert (ask.spent.process.paid, ask.spent.process.cached) == (1, 19)
    assert len(provider.bodies) == 1
    assert all(call == calls[0] for call in calls)


async def test_a_cancelled_asker_loses_no_reply(tmp_path: Path) -> None:
    async with Provider(latency=0.1) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            asker = asyncio.create_task(ask(request_of(spec)))
            await provider.asked.wait()
            asker.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asker
        async with gateway(tmp_path, spec) as ask:
            assert (await ask(request_of(spec))).reply == "42"
            assert ask.spent.run.paid == 1
    assert len(provider.bodies) == 1


async def test_what_is_abandoned_is_not_waited_for(tmp_path: Path) -> None:
    async with Provider(then=stall(30)) as provider:
        spec = provider.agent(timeout=60)
        async with asyncio.timeout(5), gateway(tmp_path, spec) as ask:
            asker = asyncio.create_task(ask(request_of(spec)))
            await provider.asked.wait()
            asker.cancel()
            asyncio.get_running_loop().call_later(0.2, ask.abandon)
        provider.then = ok()
        async with gateway(tmp_path, spec) as ask:
            assert (await ask(request_of(spec))).reply == "42"
    assert len(provider.bodies) == 2


async def test_a_kill_could_lose_no_more_calls_than_are_in_flight(tmp_path: Path) -> None:
    """A call keeps its place until its reply is stored."""
    async with Provider() as provider, gateway(tmp_path, spec := provider.agent(), concurrency=3) as ask:
        committed, most = 0, 0
        put = ask._store.put

        async def slow(*row: Any) -> None:
            nonlocal committed, most
            await asyncio.sleep(0.02)
            most = max(most, len(provider.bodies) - committed)
            await put(*row)
            committed += 1

        ask._store.put = slow  # type: ignore[method-assign]
        await asyncio.gather(*(ask(request_of(spec, str(n))) for n in range(20)))
    assert most == 3


@pytest.mark.parametrize("base", ["http://no-such-host.invalid/v1", "http://127.0.0.1:9/v1"])
async def test_an_agent_that_was_never_reached_stops_the_run(tmp_path: Path, base: str) -> None:
    async with Provider() as provider:
        ada, bob = provider.agent("ada").model_copy(update={"api_base": base, "retries": 2}), provider.agent("bob")
        async with gateway(tmp_path, ada, bob) as ask:
            with pytest.raises(AgentRefused, match=r"agent ada .*could not be reached: no connection"):
                await ask(request_of(ada))
            assert (await ask(request_of(bob))).reply == "42"


async def test_an_agent_that_was_reached_once_only_fails_its_calls(tmp_path: Path) -> None:
    provider = Provider()
    async with provider:
        spec = provider.agent(retries=1)
        opened = gateway(tmp_path, spec)
        await opened(request_of(spec))
    async with opened as ask:
        call = await ask(request_of(spec, "another"))
    assert call.failure is not None
    assert call.failure.startswith("no connection")


async def test_a_call_nobody_waits_for_is_not_sent(tmp_path: Path) -> None:
    async with Provider(latency=0.1) as provider:
        spec = provider.agent(concurrency=1)
        async with gateway(tmp_path, spec) as ask:
            first = asyncio.create_task(ask(request_of(spec)))
            second = asyncio.create_task(ask(request_of(spec, "another")))
            await provider.asked.wait()
            second.cancel()
            await first
    assert len(provider.bodies) == 1


async def test_a_failed_call_nobody_waits_for_is_not_repeated(tmp_path: Path) -> None:
    async with Provider(latency=0.05, then=status(500)) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            asker = asyncio.create_task(ask(request_of(spec)))
            await provider.asked.wait()
            asker.cancel()
    assert len(provider.bodies) == 1


NOT_CHARGED = (*range(6), 18)
"""Places in the list below: errors, one of them with status 200."""


@pytest.mark.parametrize(
    "fault",
    [
        status(429, headers={"Retry-After": "3"}),
        status(429, headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}),
        status(429),
        status(500),
        status(503, headers={"Retry-After": "soon"}),
        status(408),
        body("<html>busy</html>", "text/html"),
        body('{"choices": [{"mess'),
        body("{}"),
        body("[]"),
        body('"text"'),
        body('{"choices": []}'),
        body('{"choices": null}'),
        body('{"choices": [{}]}'),
        body('{"choices": [{"message": "hi"}]}'),
        body('{"choices": [{"message": {"role": "assistant", "content": 7}}]}'),
        body('{"choices": [{"message": {"role": "wizard", "content": "x"}}]}'),
        body('{"choices": [{"message": {"role": "assistant", "content": "x"}}], "usage": "much"}'),
        body('{"error": {"message": "upstream"}}'),
        body("", "text/plain"),
        body("[" * 100_000),
        drop,
        stall(1.0),
    ],
)
async def test_a_passing_fault_is_retried(tmp_path: Path, fault: Act, request: pytest.FixtureRequest) -> None:
    """A reply that was written and cannot be used counts as paid; an error with its status does not."""
    charged = 2 if request.node.callspec.indices["fault"] not in NOT_CHARGED else 0
    async with Provider(script=[fault, fault]) as provider:
        spec = provider.agent(timeout=0.1)
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec))
            assert (call.reply, call.failure) == ("42", None)
            assert (ask.spent.process.paid, ask.spent.process.lost) == (1 + charged, charged)
    assert len(provider.bodies) == 3


async def test_a_lasting_fault_is_data_and_not_stored(tmp_path: Path) -> None:
    async with Provider(then=status(500, "out of order")) as provider:
        spec = provider.agent(retries=2)
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec))
            assert (call.reply, call.price_usd) == (None, 0.0)
            assert call.failure == "500: out of order"
            assert ask.spent.process.failed == 1
        assert len(provider.bodies) == 3
        provider.then = ok()
        async with gateway(tmp_path, spec) as ask:
            assert (await ask(request_of(spec))).reply == "42"


@pytest.mark.parametrize(("asked", "least"), [("2", 2.0), ("0.5", 0.5), (None, 0.0)])
async def test_retry_after_is_honoured(tmp_path: Path, asked: str | None, least: float) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    script = [status(429, headers={"Retry-After": asked} if asked else None)] * 2
    async with Provider(script=script) as provider, gateway(tmp_path, spec := provider.agent(), sleep=sleep) as ask:
        await ask(request_of(spec))
    assert len(waits) == 2
    assert all(least <= wait <= least + 1.0 for wait in waits)


async def test_a_retry_after_as_a_date_is_honoured(tmp_path: Path) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    script = [status(429, headers={"Retry-After": formatdate(time.time() + 30, usegmt=True)})]
    async with Provider(script=script) as provider, gateway(tmp_path, spec := provider.agent(), sleep=sleep) as ask:
        await ask(request_of(spec))
    assert 25 < waits[0] < 31


async def test_a_rate_limit_is_waited_out_longer_than_a_fault(tmp_path: Path) -> None:
    async with Provider(script=[status(429)] * 7) as provider:
        spec = provider.agent(retries=2)
        async with gateway(tmp_path, spec) as ask:
            assert (await ask(request_of(spec))).reply == "42"


async def test_a_bad_request_is_told_in_the_providers_words(tmp_path: Path) -> None:
    async with Provider(then=status(400, "the prompt is too long")) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec))
    assert call.failure == "400: the prompt is too long"
    assert len(provider.bodies) == 1


@pytest.mark.parametrize("code", [401, 403, 404])
async def test_a_refusal_stops_the_agent(tmp_path: Path, code: int) -> None:
    async with Provider(then=status(code, "you may not")) as provider:
        ada, bob = provider.agent("ada"), provider.agent("bob")
        async with gateway(tmp_path, ada, bob) as ask:
            with pytest.raises(AgentRefused, match=f"agent ada .*{code}: you may not") as refused:
                await ask(request_of(ada))
            assert refused.value.agent == "ada"
            with pytest.raises(AgentRefused):
                await ask(request_of(ada, "another question"))
            assert len(provider.bodies) == 1
            provider.then = ok()
            assert (await ask(request_of(bob))).reply == "42"


async def test_a_stored_reply_is_served_to_a_refused_agent(tmp_path: Path) -> None:
    async with Provider(script=[ok(), status(401)]) as provider, gateway(tmp_path, spec := provider.agent()) as ask:
        await ask(request_of(spec))
        with pytest.raises(AgentRefused):
            await ask(request_of(spec, "another"))
        assert (await ask(request_of(spec))).reply == "42"


async def test_an_exhausted_quota_is_a_refusal(tmp_path: Path) -> None:
    async with Provider(then=status(429, "check your plan", code="insufficient_quota")) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            with pytest.raises(AgentRefused, match="check your plan"):
                await ask(request_of(spec))
    assert len(provider.bodies) == 1


async def test_keys_stand_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-very-secret-0123456789"
    monkeypatch.setenv("ADA_KEY", secret)
    script = [ok(), status(400, f"bad key {secret}"), status(401, f"bad key {secret}")]
    async with Provider(script=script) as provider:
        spec = provider.agent(api_key_env="ADA_KEY", extra={"extra_headers": {"X-Key": secret}, "api_key": secret})
        parameters = {"extra_body": {"authorization": secret, "top_k": 3}, "extra_headers": {"X-Key": secret}}
        async with gateway(tmp_path, spec) as ask:
            call = await ask(request_of(spec, parameters=parameters))
            failed = await ask(request_of(spec, "again", parameters=parameters))
            with pytest.raises(AgentRefused) as refused:
                await ask(request_of(spec, "and again"))
    assert provider.keys[0] == f"Bearer {secret}"
    assert provider.bodies[0]["top_k"] == 3
    assert secret not in call.model_dump_json() + failed.model_dump_json() + str(refused.value)
    assert call.parameters["extra_body"] == {"top_k": 3}
    database = sqlite3.connect(tmp_path / "calls" / "cache.db")
    rows = [zlib.decompress(row[0]) for row in database.execute("select value from Cache")]
    database.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "calls").rglob("*") if path.is_file())
    assert secret.encode() not in b"".join(rows) + stored


async def test_a_missing_key_is_said_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    spec = AgentSpec(name="ada", model="openai/gpt-4o-mini")
    async with gateway(tmp_path, spec) as ask:
        with pytest.raises(AgentRefused, match="OPENAI_API_KEY is not set"):
            await ask(request_of(spec))


async def test_odd_replies_are_kept_as_they_came(tmp_path: Path) -> None:
    texts = ["", "<think>hm</think>", "\x00\x1b[31m", "x" * 10_000_000, "a\ud800b"]
    async with Provider(script=[ok(text) for text in texts]) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            fresh = [await ask(request_of(spec, str(n))) for n in range(len(texts))]
        async with gateway(tmp_path, spec) as ask:
            stored = [await ask(request_of(spec, str(n))) for n in range(len(texts))]
    assert [call.reply for call in fresh] == [*texts[:-1], "a\ufffdb"]
    assert stored == fresh


async def test_reasoning_and_finish_reason_are_kept(tmp_path: Path) -> None:
    async with Provider(script=[ok("4", reasoning_content="2+2"), ok("4", reasoning="two and two")]) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec) as ask:
            calls = [await ask(request_of(spec, str(n))) for n in range(2)]
        async with gateway(tmp_path, spec) as ask:
            again = [await ask(request_of(spec, str(n))) for n in range(2)]
    assert [call.reasoning for call in calls] == ["2+2", "two and two"]
    assert again == calls


async def test_an_untold_usage_is_an_unknown_price(tmp_path: Path) -> None:
    silent = body(json.dumps({"choices": [{"message": {"role": "assistant", "content": "42"}}]}))
    async with Provider(then=silent) as provider, gateway(tmp_path, spec := provider.agent()) as ask:
        call = await ask(request_of(spec))
        assert (call.reply, call.price_usd, call.prompt_tokens) == ("42", None, 0)
        assert ask.spent.run.cost is None
        assert ask.spent.run.usd > 0


async def test_an_unknown_price_is_none_and_bars_a_dollar_budget(tmp_path: Path) -> None:
    async with Provider() as provider:
        spec = provider.agent(price=None)
        async with gateway(tmp_path, spec, budget=Budget(calls=5)) as ask:
            assert (await ask(request_of(spec))).price_usd is None
            assert ask.spent.run.cost is None
        for budget in (Budget(usd=1), Budget(stages={"exam": Amounts(usd=1)})):
            with pytest.raises(UsageError, match="price of ada is unknown"):
                gateway(tmp_path, spec, budget=budget)
    assert len(provider.bodies) == 1


def test_a_bare_model_name_and_reserved_settings_are_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="openai/gpt-4o"):
        gateway(tmp_path, AgentSpec(name="ada", model="gpt-4o"))
    with pytest.raises(UsageError, match="extra sets n, stream"):
        gateway(tmp_path, AgentSpec(name="ada", model="openai/x", extra={"n": 2, "stream": True}))


@pytest.mark.parametrize("budget", [Budget(calls=7), Budget(tokens=7 * 15), Budget(usd=7 * 20e-6)])
async def test_a_budget_holds_under_concurrency_and_across_runs(tmp_path: Path, budget: Budget) -> None:
    async with Provider(latency=0.01) as provider:
        spec = provider.agent(max_tokens=5)

        async def run(budget: Budget, questions: range) -> tuple[int, int]:
            async with gateway(tmp_path, spec, budget=budget) as ask:
                asked = [ask(request_of(spec, f"{n:02}?", parameters={"max_tokens": 5})) for n in questions]
                done = await asyncio.gather(*asked, return_exceptions=True)
                stopped = [error for error in done if isinstance(error, BudgetExhausted)]
                assert len(stopped) + sum(getattr(call, "reply", None) == "42" for call in done) == len(done)
                return len(done) - len(stopped), ask.spent.run.paid

        answered, paid = await run(budget, range(30))
        assert answered == paid == len(provider.bodies) == 7
        # stored replies stay free; nothing new is paid in a second run under the same budget
        assert (await run(budget, range(30)))[1] == 7
        larger = Budget(**{unit: 2 * amount for unit, amount in budget.model_dump(exclude_none=True).items() if amount})
        assert (await run(larger, range(30)))[1] == 14
        assert len(provider.bodies) == 14


async def test_a_stage_has_a_budget_of_its_own(tmp_path: Path) -> None:
    async with Provider() as provider:
        spec = provider.agent()
        budget = Budget(calls=5, stages={"exam": Amounts(calls=1)})
        async with gateway(tmp_path, spec, budget=budget) as ask:
            await ask(request_of(spec, "1", stage="exam"))
            with pytest.raises(BudgetExhausted, match=r"budget\.stages\.exam\.calls is 1"):
                await ask(request_of(spec, "2", stage="exam"))
            for n in range(4):
                await ask(request_of(spec, f"r{n}", stage="rationales"))
            with pytest.raises(BudgetExhausted, match=r"budget\.calls is 5"):
                await ask(request_of(spec, "9", stage="rationales"))
            assert ask.spent.by_stage()["exam"].paid == 1


async def test_concurrency_over_all_and_of_one_agent(tmp_path: Path) -> None:
    async with Provider(latency=0.02) as provider:
        ada, bob = provider.agent("ada", concurrency=2), provider.agent("bob")
        async with gateway(tmp_path, ada, bob, concurrency=5) as ask:
            await asyncio.gather(*(ask(request_of(ada, str(n))) for n in range(10)))
            assert provider.most_in_flight == 2
            await asyncio.gather(*(ask(request_of(bob, str(n))) for n in range(20)))
            assert provider.most_in_flight == 5


async def test_a_store_that_cannot_be_written_stops_the_run(tmp_path: Path) -> None:
    async with Provider() as provider, gateway(tmp_path, spec := provider.agent()) as ask:
        database = sqlite3.connect(tmp_path / "calls" / "cache.db")
        database.execute("create trigger full before insert on Cache begin select raise(abort, 'disk full'); end")
        database.commit()
        database.close()
        with pytest.raises(StoreError, match="disk full"):
            await ask(request_of(spec))
        with pytest.raises(StoreError):
            await ask(request_of(spec, "another"))
    assert provider.bodies == []  # the claim of the call could not be written either: nothing was paid


CHILD = """
import asyncio, sys
from pathlib import Path
from tests.llm.provider import Act, Provider, gateway, request_of

async def main(folder):
    async with Provider(latency=0.002) as provider:
        spec = provider.agent(api_base=None).model_copy(update={"api_base": provider.base})
        ask = gateway(Path(folder), spec)
        async def one(n):
            call = await ask(request_of(spec, f"question {n}"))
            print(n, flush=True)
        for start in range(0, 10_000, 20):
            await asyncio.gather(*(one(n) for n in range(start, start + 20)))

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("replies", [30, 130])
def test_no_committed_reply_is_lost_to_kill_9(tmp_path: Path, replies: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    used = [next(child.stdout) for _ in range(replies)]
    child.kill()
    used += child.stdout.readlines()
    child.wait()
    store = Store(tmp_path / "calls", "run")
    paid = sum(tally.paid for tally in store.paid.values())
    usd = sum(tally.usd for tally in store.paid.values())
    store.close()
    database = sqlite3.connect(tmp_path / "calls" / "cache.db")
    rows = [json.loads(zlib.decompress(row[0])) for row in database.execute("select value from Cache")]
    database.close()
    prices = [row["price_usd"] for row in rows if isinstance(row, dict) and "price_usd" in row]
    assert len(prices) == paid >= len([line for line in used if line.endswith("\n")])
    assert usd == pytest.approx(sum(prices))


FULL = """
import asyncio, resource, sys
from pathlib import Path
from errata.llm.store import StoreError
from tests.llm.provider import Provider, gateway, ok, request_of

async def main(folder):
    async with Provider(then=ok("x" * 3_000)) as provider:
        async with gateway(Path(folder), spec := provider.agent()) as ask:
            await ask(request_of(spec, "first"))
            resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
            for n in range(10_000):
                try:
                    await ask(request_of(spec, f"{n}"))
                except StoreError as error:
                    print(n, len(provider.bodies), error.found)
                    return

asyncio.run(main(sys.argv[1]))
"""


async def test_a_full_disk_stops_the_run_and_loses_nothing_stored(tmp_path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FULL, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate()
    assert child.returncode == 0
    stored, asked, found = said.decode().split(" ", 2)
    assert "the response store" in found
    assert int(asked) - int(stored) in (1, 2)  # the first, those stored, and at most one that no longer fitted
    store = Store(tmp_path / "calls", "run")
    assert sum(tally.paid for tally in store.paid.values()) == int(stored) + 1
    store.close()


async def test_two_runs_share_a_store(tmp_path: Path) -> None:
    async with Provider() as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec, ledger="one") as one, gateway(tmp_path, spec, ledger="two") as two:
            questions = [str(n) for n in range(20)]
            await asyncio.gather(*(one(request_of(spec, question)) for question in questions))
            await asyncio.gather(*(two(request_of(spec, question)) for question in [*questions, "new"]))
            assert (one.spent.run.paid, two.spent.run.paid, two.spent.run.cached) == (20, 1, 20)
        async with gateway(tmp_path, spec, ledger="two") as two:
            assert two.spent.run.paid == 1


def test_agents_are_taken_from_every_role(tmp_path: Path) -> None:
    agents = Agents(student=AgentSpec(name="sam", model="openai/x"))
    with pytest.raises(UsageError, match="price of sam is unknown"):
        Gateway.open(agents, seed=1, budget=Budget(usd=1), concurrency=1, store=tmp_path, ledger="r")
