"""The response store: what it gives back, what it refuses, and that it cannot be made to run code."""

from __future__ import annotations

import asyncio
import builtins
import pickle
import sqlite3
import stat
import zlib
from pathlib import Path
from typing import Any

import pytest

from errata.errors import UsageError
from errata.llm.budget import Payment
from errata.llm.store import Store, StoreError

PAID = Payment("ada", "exam", 10, 5, 0.25)


class Harmless:
    """Unpickling it leaves a mark."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("import builtins; builtins.PICKLE_RAN = True",)


def tamper(folder: Path, **columns: Any) -> None:
    database = sqlite3.connect(folder / "cache.db")
    names = ", ".join(f"{name} = ?" for name in columns)
    database.execute(f"update Cache set {names} where rowid = 1", tuple(columns.values()))
    database.commit()
    database.close()


async def filled(folder: Path) -> None:
    store = Store(folder, "run")
    await store.put("key", {"text": "42"}, PAID)
    store.close()


async def read(folder: Path, key: str = "key") -> Any:
    store = Store(folder, "run")
    try:
        return await store.get(key)
    finally:
        store.close()


async def test_what_was_put_is_there_after_reopening(tmp_path: Path) -> None:
    await filled(tmp_path / "deep" / "calls")
    assert await read(tmp_path / "deep" / "calls") == {"text": "42"}
    assert await read(tmp_path / "deep" / "calls", "other") is None
    assert stat.S_IMODE((tmp_path / "deep" / "calls").stat().st_mode) == 0o700


async def test_the_ledger_counts_by_run_agent_and_stage(tmp_path: Path) -> None:
    store = Store(tmp_path, "run")
    payments = [PAID, PAID._replace(stage="rationales", priced=False), PAID._replace(agent="bob")] * 50
    await asyncio.gather(*(store.put(f"key {n}", {"text": ""}, payment) for n, payment in enumerate(payments)))
    store.close()
    again, other = Store(tmp_path, "run"), Store(tmp_path, "another run")
    again.close()
    other.close()
    assert other.paid == {}
    assert set(again.paid) == {("ada", "exam"), ("ada", "rationales"), ("bob", "exam")}
    tally = again.paid["ada", "exam"]
    assert (tally.paid, tally.prompt_tokens, tally.completion_tokens, tally.usd) == (50, 500, 250, 12.5)
    assert again.paid["ada", "rationales"].cost is None


async def test_large_and_many_replies(tmp_path: Path) -> None:
    store = Store(tmp_path, "run")
    rows = {f"{n}": {"text": "é" * (n * 1000)} for n in range(60)} | {"big": {"text": "x" * 12_000_000}}
    await asyncio.gather(*(store.put(key, row, PAID) for key, row in rows.items()))
    assert [await store.get(key) for key in rows] == list(rows.values())
    store.close()
    assert not list(tmp_path.rglob("*.val"))  # noqa: ASYNC240


@pytest.mark.parametrize(
    "columns",
    [
        {"mode": 4, "value": pickle.dumps(Harmless())},
        {"mode": 4, "value": None, "filename": "payload"},
        {"mode": 2, "value": None, "filename": "payload"},
        {"mode": 3, "value": None, "filename": "../victim"},
        {"mode": 1, "value": pickle.dumps(Harmless())},
        {"mode": 1, "value": b"not compressed"},
        {"mode": 1, "value": zlib.compress(b'{"text": "42')},
        {"mode": 1, "value": zlib.compress(b'{"text": "42"}')[:-6]},
        {"mode": 1, "value": zlib.compress(b"[" * 100_000)},
        {"mode": 1, "value": "text"},
        {"mode": 1, "value": 7},
        {"mode": 99, "value": b""},
    ],
)
async def test_a_tampered_row_is_missing_and_runs_nothing(tmp_path: Path, columns: dict[str, Any]) -> None:
    folder = tmp_path / "calls"
    await filled(folder)
    (folder / "payload").write_bytes(pickle.dumps(Harmless()))
    (tmp_path / "victim").write_text("precious")
    tamper(folder, **columns)
    assert await read(folder) is None
    await filled(folder)  # paid for again
    assert await read(folder) == {"text": "42"}
    assert not hasattr(builtins, "PICKLE_RAN")
    assert (tmp_path / "victim").read_text() == "precious"
    assert (folder / "payload").exists()


async def test_a_row_that_unpacks_to_too_much_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("errata.llm.store_file.LARGEST", 1_000_000)
    await filled(tmp_path)
    tamper(tmp_path, value=zlib.compress(b'"' + b"x" * 50_000_000 + b'"'))
    assert await read(tmp_path) is None


async def test_a_damaged_ledger_is_added_up_again_from_the_replies(tmp_path: Path) -> None:
    store, other = Store(tmp_path, "run"), Store(tmp_path, "other run")
    payments = [PAID, PAID._replace(agent="bob", priced=False), PAID._replace(stage="rationales", usd=1.5), PAID]
    for number, payment in enumerate(payments):
        await store.put(f"key {number}", {"text": "42"}, payment)
    await other.put("key of another", {"text": "42"}, PAID)
    store.close()
    other.close()
    whole = Store(tmp_path, "run")
    whole.close()
    database = sqlite3.connect(tmp_path / "cache.db")
    # the ledger came with the first reply
    assert database.execute("update Cache set value = ? where rowid in (2, 5)", (b"rubbish",)).rowcount == 2
    database.commit()
    database.close()

    mended = Store(tmp_path, "run")
    mended.close()
    again = Store(tmp_path, "run")
    again.close()

    assert sum(tally.paid for tally in whole.paid.values()) == 4
    assert mended.paid["ada", "exam"].paid == 1  # the other one cannot be read
    assert {key: tally for key, tally in mended.paid.items() if key != ("ada", "exam")} == {
        key: tally for key, tally in whole.paid.items() if key != ("ada", "exam")
    }
    assert "added up again from 3 replies; 1 rows cannot be read" in mended.notes[0]
    assert (again.paid, again.notes) == (mended.paid, ())


def test_a_store_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "cache.db").write_bytes(b"no database at all, " * 100)
    with pytest.raises(StoreError, match=r"not a database(.|\n)*move the folder away"):
        Store(tmp_path, "run")


def test_a_store_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "calls").write_text("")
    with pytest.raises(StoreError, match="calls"):
        Store(tmp_path / "calls", "run")


async def test_a_full_disk_is_told_to_everyone_who_waits(tmp_path: Path) -> None:
    store = Store(tmp_path, "run")
    database = sqlite3.connect(tmp_path / "cache.db")
    database.execute("create trigger full before insert on Cache begin select raise(abort, 'disk full'); end")
    database.commit()
    database.close()
    done = await asyncio.gather(*(store.put(str(n), {"text": ""}, PAID) for n in range(9)), return_exceptions=True)
    assert all(isinstance(error, StoreError) and "disk full" in str(error) for error in done)
    assert await store.get("1") is None
    store.close()


@pytest.mark.parametrize(
    ("library", "missing"),
    [
        ("diskcache.JSONDisk", "no get, no store, no fetch"),
        ("diskcache.core", "no DEFAULT_SETTINGS, no METADATA, no DBNAME"),
    ],
)
def test_a_library_without_the_methods_overridden_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, missing: str
) -> None:
    monkeypatch.setattr(library, type("Renamed", (), {"__module__": "diskcache"}))
    with pytest.raises(UsageError, match=rf"diskcache 5\.6\.3: Renamed has {missing}(.|\n)*constraints\.txt"):
        Store(tmp_path / "calls", "run")
    assert not (tmp_path / "calls").exists()


async def test_what_json_cannot_hold_is_told_and_the_store_lives_on(tmp_path: Path) -> None:
    store = Store(tmp_path, "run")
    with pytest.raises(TypeError):
        await store.put("key", {"text": "\ud800"}, PAID)
    await store.put("key", {"text": "42"}, PAID)
    assert await store.get("key") == {"text": "42"}
    store.close()
