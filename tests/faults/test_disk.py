"""Disks that fail: full, read-only, damaged. The next run finishes the job."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from errata.errors import ErrataError, UsageError
from errata.llm.backends.simulated.server import serving
from errata.runs.run_dir import held
from errata.runs.runner import synthesize
from errata.runs.status import status
from tests.faults.harm import PROBLEMS, Came, accounted, came_to, exported, place

NOBODY = 65534


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Limits how large any file of this process may grow, until the test is over: a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


async def test_a_disk_too_full_for_the_store(
    unharmed: Came, tmp_path: Path, small_files: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("errata.llm.claims.LEASE_S", 1.0)  # claims that could not be given up are waited for
    here = place(tmp_path)
    small_files(500_000)

    summary = await here.lives()

    assert summary.exit_code == 1
    assert "the response store" in str(summary.error)
    assert accounted(here.run)["pending"] > 0
    small_files(resource.RLIM_INFINITY)
    last = await here.ends_as(unharmed)
    assert last.spent["this_run"]["cached"] > 0


async def test_a_disk_too_full_for_the_log(unharmed: Came, tmp_path: Path, small_files: Callable[[int], None]) -> None:
    """With every reply in a shared store, so that the log is what grows."""
    here = place(tmp_path, more=(f"store={tmp_path / 'store'}",))
    await here.lives()
    shutil.rmtree(here.run)
    small_files(100_000)

    summary = await here.lives()

    assert summary.exit_code == 1
    assert "transcripts.jsonl cannot be written" in str(summary.error)
    assert 0 < accounted(here.run)["pending"] < PROBLEMS
    small_files(resource.RLIM_INFINITY)
    last = await here.ends_as(unharmed)
    assert last.spent["this_run"]["paid"] == 0


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder that everyone may read."""
    folder = Path(tempfile.mkdtemp(prefix="errata-faults-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def read_only(run: Path) -> Iterator[None]:
    """The run directory without a right to write. Root writes anywhere, so that root is nobody for the while."""
    modes = {path: path.stat().st_mode for path in (run, *run.rglob("*"))}
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


async def test_a_read_only_run_directory_is_refused_and_can_still_be_read(unharmed: Came, readable: Path) -> None:
    here = place(readable)
    await here.lives(f"limit={PROBLEMS - 2}")
    before = status(here.run)
    async with serving(port=here.port):
        with read_only(here.run):
            with pytest.raises(UsageError, match=f"{here.run} cannot be written") as refused:
                await synthesize(here.recipe())
            assert status(here.run) == before
            assert exported(here.run) == exported(here.run) != {}

    assert refused.value.exit_code == 2
    await here.ends_as(unharmed)


async def test_a_run_directory_whose_files_alone_are_read_only_is_told(unharmed: Came, readable: Path) -> None:
    """The folder and its lock may be written, the log and the store may not."""
    here = place(readable)
    await here.lives(f"limit={PROBLEMS - 2}")
    async with serving(port=here.port):
        with read_only(here.run):
            os.seteuid(os.getuid())
            here.run.chmod(0o777)
            (here.run / ".lock").chmod(0o666)
            os.seteuid(NOBODY if os.getuid() == 0 else os.getuid())
            with pytest.raises(UsageError, match=r"transcripts\.jsonl cannot be written") as refused:
                await synthesize(here.recipe())

    assert refused.value.exit_code == 2
    await here.ends_as(unharmed)


async def test_damaged_rows_of_the_store_are_paid_again_and_no_others(unharmed: Came, tmp_path: Path) -> None:
    here = place(tmp_path)
    await here.lives()
    (here.run / "transcripts.jsonl").unlink()
    database = sqlite3.connect(here.run.parent / ".calls" / "cache.db")
    harmed = database.execute("update Cache set value = X'00' where rowid % 3 = 0").rowcount
    database.commit()
    database.close()

    last = await here.ends_as(unharmed)

    ledger = 1 if any("ledger was damaged" in note for note in last.notes) else 0
    assert last.spent["this_run"]["paid"] == harmed - ledger > 20


async def test_a_store_without_a_sound_row_and_ledger_is_filled_again(unharmed: Came, tmp_path: Path) -> None:
    here = place(tmp_path)
    await here.lives()
    (here.run / "transcripts.jsonl").unlink()
    database = sqlite3.connect(here.run.parent / ".calls" / "cache.db")
    database.execute("update Cache set value = X'00'")
    database.commit()
    database.close()

    last = await here.ends_as(unharmed)

    assert last.spent["this_run"]["paid"] == unharmed.paid
    assert "ledger was damaged" in last.notes[0]


async def test_a_store_that_is_no_database_says_what_to_do(unharmed: Came, tmp_path: Path) -> None:
    here = place(tmp_path)
    await here.lives(f"limit={PROBLEMS - 2}")
    (here.run.parent / ".calls" / "cache.db").write_bytes(b"rubbish " * 1000)

    with pytest.raises(ErrataError, match="move the folder away") as refused:
        await here.lives()

    assert refused.value.exit_code == 1
    (here.run.parent / ".calls").rename(tmp_path / "away")
    last = await here.ends_as(unharmed)
    assert last.settled_before == PROBLEMS - 2


def torn(text: bytes) -> bytes:
    return text[: -len(text.splitlines()[-1]) // 2]


def zeroed(text: bytes) -> bytes:
    """What a file system may leave of the last pages after a power cut."""
    return torn(text) + b"\0" * 5000


def overwritten(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join([*lines[:2], b"#" * 70_000 + b"\n", *lines[3:]])


def garbled(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join([b'{"schema": 1}\n', *lines[:-1], lines[-1][:1000], b"\n\n"])


@pytest.mark.parametrize("harm", [torn, zeroed, overwritten, garbled])
async def test_a_damaged_log_is_mended_from_the_store(
    harm: Callable[[bytes], bytes], unharmed: Came, tmp_path: Path
) -> None:
    here = place(tmp_path)
    await here.lives()
    log = here.run / "transcripts.jsonl"
    log.write_bytes(harm(log.read_bytes()))

    last = await here.ends_as(unharmed)

    assert last.spent["this_run"]["paid"] == 0
    assert last.settled_before == PROBLEMS - 1
    assert came_to(here.run).paid == unharmed.paid


async def test_a_second_process_is_refused_and_harms_nothing(unharmed: Came, tmp_path: Path) -> None:
    here = place(tmp_path)
    async with serving(port=here.port):
        with held(here.run), pytest.raises(UsageError, match=f"in use by process {os.getpid()}") as refused:
            await synthesize(here.recipe())

    assert refused.value.exit_code == 2
    assert not (here.run.parent / ".calls").exists()
    await here.ends_as(unharmed)
