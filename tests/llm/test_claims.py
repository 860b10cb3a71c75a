"""Two processes on one response store: each call is paid once, and nobody waits for the dead."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from errata.llm.budget import Payment
from errata.llm.claims import LEASE_S, RENEW_S, Claims, taken
from errata.llm.store import LOOK_S, Claimed, Store
from tests.llm.provider import Provider, gateway, request_of, status

PAID = Payment("ada", "exam", 10, 5, 0.25)
REPLY = {"text": "42"}
NOW = 1_000_000.0
GONE = 2**22 + 1
"""No process can have this id."""


def at(now: float, row: object, *calls: str, pid: int | None = None, host: str = "here") -> dict[str, list[Any]]:
    """The row after a holder that is not alone has claimed these calls at this time."""
    holder = Claims(host=host, pid=pid or os.getpid(), held=set(calls))
    others = holder.others(row, now)
    holder.row(others, now)
    return others | {holder.me: [now + LEASE_S, host, holder.pid, sorted(calls)]}


def taken_by(row: object, now: float, host: str = "here") -> set[str] | None:
    return taken(Claims(host=host).others(row, now))


def renewed(claims: Claims, row: object, now: float) -> dict[str, list[Any]]:
    return claims.row(claims.others(row, now), now)


def test_what_one_has_claimed_others_find_taken() -> None:
    row = at(NOW, None, "a", "b")
    mine = Claims(host="here", held={"c"})
    assert taken(mine.others(row, NOW)) == {"a", "b"}
    both = renewed(mine, row, NOW)
    assert taken_by(both, NOW) == {"a", "b", "c"}
    assert taken(mine.others(both, NOW)) == {"a", "b"}
    mine.held.clear()
    assert taken_by(renewed(mine, both, NOW), NOW) == {"a", "b"}


def test_who_is_alone_lists_no_claims_and_who_comes_then_is_granted_none() -> None:
    first, second = Claims(host="here", held={"a"}), Claims(host="here")
    row = renewed(first, None, NOW)
    assert first.alone
    assert [entry[3] for entry in row.values()] == [None]
    both = renewed(second, row, NOW)
    assert not second.alone
    assert taken(second.others(both, NOW)) is None
    assert taken(second.others(renewed(first, both, NOW), NOW)) == {"a"}
    assert not first.alone


def test_a_lease_ends_and_one_that_is_renewed_does_not() -> None:
    elsewhere = at(NOW, None, "a", host="there")
    assert taken_by(elsewhere, NOW + LEASE_S - 1) == {"a"}
    assert taken_by(elsewhere, NOW + LEASE_S) == set()
    living = Claims(host="there", held={"a"})
    row = renewed(living, at(NOW, None), NOW)
    assert not living.due(NOW + RENEW_S - 1)
    assert living.due(NOW + RENEW_S)
    assert taken_by(renewed(living, row, NOW + RENEW_S), NOW + LEASE_S) == {"a"}


def test_the_dead_of_this_machine_hold_nothing_and_are_dropped() -> None:
    row = at(NOW, None, "a", pid=GONE)
    assert taken_by(row, NOW) == set()
    assert taken_by(row, NOW, host="there") == {"a"}  # nobody there can know
    assert len(at(NOW, row, "b")) == 1


def test_a_clock_that_was_set_back_ends_no_waiting_never() -> None:
    row = at(NOW + 10_000, None, "a", host="there")
    assert taken_by(row, NOW) == set()
    late = Claims(held={"a"}, written=NOW + 10_000)
    assert late.due(NOW)


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "x",
        7,
        {"x": 1},
        {"x": [NOW + 9, "h", "pid", []]},
        {"x": [None] * 4},
        {"x": [NOW + 9, "h", 1, [["a"]]]},
    ],
)
def test_a_damaged_row_holds_no_claim(row: object) -> None:
    assert taken_by(row, NOW) == set()


async def granted(store: Store, key: str) -> Claimed:
    """What a claim comes to once those who were there before have listed theirs."""
    for _ in range(200):
        if (claimed := await store.claim(key)) != (None, False):
            break
        await asyncio.sleep(LOOK_S / 10)
    return claimed


async def test_a_call_is_ours_or_stored_or_another_makes_it(tmp_path: Path) -> None:
    one, two = Store(tmp_path, "one"), Store(tmp_path, "two")
    try:
        assert await one.claim("key") == (None, True)
        assert await two.claim("key") == (None, False)
        assert await granted(two, "other") == (None, True)
        assert await two.claim("key") == (None, False)
        assert await one.claim("other") == (None, False)
        one.release("key")
        assert await one.get("key") is None  # and so the release is over
        assert await two.claim("key") == (None, True)
        await two.put("key", REPLY, PAID)
        assert await one.claim("key") == (REPLY, False)
    finally:
        one.close()
        two.close()


async def test_a_claim_given_up_before_it_was_granted_holds_nothing(tmp_path: Path) -> None:
    one, two = Store(tmp_path, "one"), Store(tmp_path, "two")
    try:
        claiming = asyncio.ensure_future(one.claim("key"))
        await asyncio.sleep(0)
        claiming.cancel()
        one.release("key")
        await one.get("key")
        assert await two.claim("key") == (None, True)
    finally:
        one.close()
        two.close()


async def test_who_comes_second_is_granted_nothing_before_the_first_has_listed_its_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("errata.llm.store.LOOK_S", 60)  # the first looks only when it is asked for something
    one, two = Store(tmp_path, "one"), Store(tmp_path, "two")
    try:
        for number in range(20):  # alone, in memory
            assert await one.claim(f"key {number}") == (None, True)
        for number in range(30):
            assert await two.claim(f"key {number}") == (None, False)
        await one.get("key 0")  # a look, and its claims stand in the row
        assert [(await two.claim(f"key {number}")).ours for number in range(30)] == [False] * 20 + [True] * 10
        assert await one.claim("key 25") == (None, False)
    finally:
        one.close()
        two.close()


async def test_who_is_alone_writes_no_claims(tmp_path: Path) -> None:
    one = Store(tmp_path, "one")
    await one.claim("first")
    opened = sqlite3.connect(tmp_path / "cache.db")
    version = opened.execute("PRAGMA data_version").fetchone()
    for number in range(20):
        assert await one.claim(f"key {number}") == (None, True)
        one.release(f"key {number}")
    assert opened.execute("PRAGMA data_version").fetchone() == version
    await one.put("first", REPLY, PAID)
    assert opened.execute("PRAGMA data_version").fetchone() != version
    opened.close()
    one.close()


async def test_a_closed_store_holds_nothing(tmp_path: Path) -> None:
    one, two = Store(tmp_path, "one"), Store(tmp_path, "two")
    await one.claim("key")
    one.close()
    assert await two.claim("key") == (None, True)
    two.close()


async def test_a_holder_that_only_waits_renews_its_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("errata.llm.claims.LEASE_S", 0.3)
    for name in ("claims", "store"):
        monkeypatch.setattr(f"errata.llm.{name}.RENEW_S", 0.1)
    monkeypatch.setattr("errata.llm.claims.is_running", lambda pid: True)
    one, two = Store(tmp_path, "one"), Store(tmp_path, "two")
    try:
        await one.claim("key")
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            assert await two.claim("key") == (None, False)
            await asyncio.sleep(0.02)
    finally:
        one.close()
        two.close()


async def test_who_waits_for_a_call_that_fails_elsewhere_makes_it(tmp_path: Path) -> None:
    async with Provider(script=[status(400)], latency=0.05) as provider:
        spec = provider.agent()
        async with gateway(tmp_path, spec, ledger="one") as one, gateway(tmp_path, spec, ledger="two") as two:
            failing = asyncio.create_task(one(request_of(spec)))
            await provider.asked.wait()
            assert (await two(request_of(spec))).reply == "42"
            assert (await failing).failure is not None
    assert len(provider.bodies) == 2


BUYER = """
import asyncio, os, sys
from pathlib import Path
from errata.llm.budget import Payment
from errata.llm.store import LOOK_S, Claimed, Store

async def buy(store, key, sent):
    while True:
        claimed = await store.claim(key)
        if claimed.row is not None:
            return
        if claimed.ours:
            break
        await asyncio.sleep(0.01)
    os.write(sent, (key + chr(10)).encode())  # the call is sent
    await asyncio.sleep(0.005)
    await store.put(key, {"text": "42"}, Payment("ada", "exam", 10, 5, 0.25))

async def main(folder, name):
    store = Store(Path(folder) / "calls", name)
    print("ready", flush=True)
    input()
    sent = os.open(Path(folder) / "sent", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    starts = range(0, 200, 20)
    for start in starts if name == "one" else reversed(starts):  # they meet in the middle
        await asyncio.gather(*(buy(store, f"key {n}", sent) for n in range(start, start + 20)))
    store.close()

asyncio.run(main(*sys.argv[1:]))
"""


def test_two_processes_at_once_buy_each_reply_once(tmp_path: Path) -> None:
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    commands = [[sys.executable, "-c", BUYER, str(tmp_path), name] for name in ("one", "two")]
    buyers = [subprocess.Popen(command, **pipes) for command in commands]
    for buyer in buyers:
        assert buyer.stdout
        assert buyer.stdout.readline() == "ready\n"
    for buyer in buyers:
        assert buyer.stdin
        buyer.stdin.write("go\n")
        buyer.stdin.flush()
    for buyer in buyers:
        buyer.communicate(timeout=60)
    assert [buyer.returncode for buyer in buyers] == [0, 0]
    sent = (tmp_path / "sent").read_text().split("\n")[:-1]
    assert sorted(sent) == sorted(f"key {n}" for n in range(200))
    stores = [Store(tmp_path / "calls", name) for name in ("one", "two")]
    paid = [sum(tally.paid for tally in store.paid.values()) for store in stores]
    for store in stores:
        store.close()
    assert sum(paid) == 200
    assert min(paid) > 0


CHILD = """
import asyncio, sys
from pathlib import Path
from errata.llm.spec import AgentSpec, Price
from tests.llm.provider import gateway, request_of

async def main(folder, ledger, base):
    spec = AgentSpec(name="ada", model="openai/stub", api_base=base, price=Price(prompt=1, completion=2))
    async with gateway(Path(folder), spec, ledger=ledger, sleep=asyncio.sleep) as ask:
        calls = await asyncio.gather(*(ask(request_of(spec, f"question {n}")) for n in range(60)))
    assert all(call.reply == "42" for call in calls)
    print(ask.spent.process.paid, ask.spent.process.cached)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
async def test_two_gateways_in_two_processes_pay_once(tmp_path: Path) -> None:
    async with Provider(latency=0.02) as provider:
        children = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", CHILD, str(tmp_path), name, provider.base, stdout=asyncio.subprocess.PIPE
            )
            for name in ("one", "two")
        ]
        said = [await child.communicate() for child in children]
    (paid_one, cached_one), (paid_two, cached_two) = (map(int, out.split()) for out, _ in said)
    assert len(provider.bodies) == paid_one + paid_two == 60
    assert cached_one + cached_two == 60
    questions = [body["messages"][-1]["content"] for body in provider.bodies]
    assert len(set(questions)) == 60


HOLDER = """
import asyncio, sys
from pathlib import Path
from errata.llm.store import LOOK_S, Claimed, Store

async def main(folder):
    store = Store(Path(folder), "one")
    print(await store.claim("key"), flush=True)
    await asyncio.sleep(60)

asyncio.run(main(sys.argv[1]))
"""


def test_who_is_killed_holds_nothing(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert "ours=True" in child.stdout.readline()
    store = Store(tmp_path, "two")
    try:
        assert asyncio.run(store.claim("key")) == (None, False)
        child.kill()
        child.wait()
        assert asyncio.run(granted(store, "key")) == (None, True)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        store.close()
