"""A response store that someone tampered with: whatever its rows hold, a run reads them as missing and runs nothing."""

from __future__ import annotations

import asyncio
import os
import pickle
import sqlite3
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import diskcache
import pytest
from diskcache.core import MODE_BINARY, MODE_NONE, MODE_PICKLE, MODE_RAW, MODE_TEXT

from errata.errors import ErrataError
from errata.llm.store import Store, StoreError
from errata.llm.stored_reply import result_of
from errata.runs.runner import synthesize
from tests.llm.provider import Provider
from tests.security.runs import lesson
from tests.small_runs import small

MODES = {"none": MODE_NONE, "raw": MODE_RAW, "binary": MODE_BINARY, "text": MODE_TEXT, "pickle": MODE_PICKLE}


class Payload:
    """Unpickled, it writes a file."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._mark}",)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def tamper(calls: Path, **columns: Any) -> int:
    """Sets columns of every stored reply, the ledger aside; returns how many there were."""
    database = sqlite3.connect(calls / "cache.db")
    stored = database.execute("select rowid, key from Cache").fetchall()
    rows = [rowid for rowid, key in stored if b"ledger" not in zlib.decompress(key)]
    for rowid in rows:
        names = ", ".join(f"{name} = ?" for name in columns)
        values = (value + str(rowid).encode() if name == "key" else value for name, value in columns.items())
        database.execute(f"update Cache set {names} where rowid = {rowid}", tuple(values))
    database.commit()
    database.close()
    return len(rows)


def test_the_payload_is_live_where_pickle_is_read(tmp_path: Path) -> None:
    """The control: the library's own JSONDisk runs it, so that the tests below would see it run."""
    cache = diskcache.Cache(str(tmp_path / "calls"), disk=diskcache.JSONDisk)
    cache.set("key", "value")
    tamper(tmp_path / "calls", mode=MODE_PICKLE, value=pickle.dumps(Payload(tmp_path / "mark")))

    with pytest.raises(TypeError):
        cache.get("key")

    cache.close()
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize("place", ["row", "file"])
@pytest.mark.parametrize("mode", MODES)
async def test_a_run_over_tampered_replies_pays_again_and_runs_nothing(tmp_path: Path, mode: str, place: str) -> None:
    mark = tmp_path / "mark"
    payload = pickle.dumps(Payload(mark))
    async with Provider() as provider:
        first = await lesson(tmp_path, provider)
        calls = first.run.parent / ".calls"
        (calls / "payload.val").write_bytes(payload)
        where = {"value": payload, "filename": None} if place == "row" else {"value": None, "filename": "payload.val"}
        tampered = tamper(calls, mode=MODES[mode], **where)
        (first.run / "transcripts.jsonl").unlink()

        again = await lesson(tmp_path, provider)

    assert tampered == first.spent["this_run"]["paid"] > 0
    assert again.spent["this_run"]["paid"] == tampered
    assert again.problems["done"] == 1
    assert not mark.exists()
    assert (calls / "payload.val").read_bytes() == payload  # a row cannot have a file deleted either


@pytest.mark.parametrize("part", ["key", "compressed"])
async def test_a_pickled_key_and_a_compressed_pickle_run_nothing(tmp_path: Path, part: str) -> None:
    payload = pickle.dumps(Payload(tmp_path / "mark"))
    async with Provider() as provider:
        first = await lesson(tmp_path, provider)
        columns = {"raw": 0, "key": payload} if part == "key" else {"value": zlib.compress(payload)}
        tamper(first.run.parent / ".calls", **columns)
        (first.run / "transcripts.jsonl").unlink()

        again = await lesson(tmp_path, provider)

    assert again.exit_code == 0
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("disk_pickle_protocol", 4),
        ("disk_compress_level", "nonsense"),
        ("disk_evil", 1),
        ("eviction_policy", "least-recently-used"),
        ("size_limit", 1),
        ("cull_limit", 1000),
        ("sqlite_writable_schema", 1),
        ("sqlite_journal_mode", "off; attach database '/tmp/x' as x"),
        ("nonsense", "1"),
    ],
)
async def test_tampered_settings_of_the_database_neither_run_nor_drop_anything(
    tmp_path: Path, key: str, value: Any
) -> None:
    async with Provider() as provider:
        first = await lesson(tmp_path, provider)
        database = sqlite3.connect(first.run.parent / ".calls" / "cache.db")
        database.execute("insert or replace into Settings (key, value) values (?, ?)", (key, value))
        database.commit()
        database.close()
        (first.run / "transcripts.jsonl").unlink()

        again = await lesson(tmp_path, provider)

    assert again.exit_code == 0
    assert again.spent["this_run"]["paid"] == 0


def test_rows_that_are_json_but_no_reply_are_missing() -> None:
    rows = ([], {}, {"text": 5}, {"text": "x", "evil": 1}, {"text": "x", "prompt_tokens": "many"}, "text", None, 1e308)

    assert [result_of(row) for row in rows] == [None] * len(rows)


def test_a_variable_in_the_path_leads_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELSEWHERE", "../elsewhere")

    with pytest.raises(StoreError, match="without \\$"):
        Store(tmp_path / "inside" / "$ELSEWHERE" / "calls", "run")

    assert not (tmp_path / "elsewhere").exists()


# ---- links and FIFOs in a run directory that somebody else has made --------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["transcripts.jsonl", ".holder", ".lock", "calls", "calls/cache.db", "../.calls", "../.calls/cache.db"],
)
async def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir() if name.endswith("calls") else victim.write_bytes(b"precious\n")
    run = tmp_path / "runs" / "trial"
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    run.mkdir(exist_ok=True)
    (run / name).symlink_to(victim)

    with suppress(ErrataError):
        await synthesize(small(tmp_path / "runs", "name=trial", problems=2))

    assert list(victim.iterdir()) == [] if name.endswith("calls") else victim.read_bytes() == b"precious\n"


@pytest.mark.parametrize("name", ["transcripts.jsonl", "calls/cache.db"])
async def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    run = tmp_path / "runs" / "trial"
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(run / name)

    with pytest.raises(ErrataError):
        await asyncio.wait_for(synthesize(small(tmp_path / "runs", "name=trial", problems=2)), 20)


async def test_a_manifest_that_is_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious\n")
    run = tmp_path / "runs" / "trial"
    run.mkdir(parents=True)
    (run / "manifest.json").symlink_to(victim)

    await synthesize(small(tmp_path / "runs", "name=trial", problems=2))

    assert victim.read_bytes() == b"precious\n"
    assert not (run / "manifest.json").is_symlink()
