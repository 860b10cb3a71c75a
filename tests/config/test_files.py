"""Files of ours: replaced whole or not at all, and opened only where they are plain files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from errata.config.files import open_own, read_plain, read_tail, write_whole
from errata.errors import ErrataError


def test_a_file_is_replaced_whole_and_no_draft_is_left(tmp_path: Path) -> None:
    file = tmp_path / "card.md"
    file.write_text("old")
    write_whole(file, (part for part in (b"new ", b"text")))
    assert file.read_bytes() == b"new text"
    assert [each.name for each in tmp_path.iterdir()] == ["card.md"]


def test_write_whole_leaves_the_old_file_when_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(ErrataError, match="cannot be written"):
        write_whole(tmp_path / "none" / "file", b"x")


def test_a_link_and_a_fifo_are_not_opened(tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.write_text("theirs")
    (tmp_path / "link").symlink_to(other)
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo"):
        with pytest.raises(OSError, match=r"symbolic links|No such device|plain file"):
            open_own(tmp_path / name, os.O_WRONLY)
    assert other.read_text() == "theirs"


def test_what_a_killed_process_left_half_written_is_removed_by_the_next(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    dead, living = tmp_path / f".rows.jsonl.{child.pid}.tmp", tmp_path / ".rows.jsonl.1.tmp"
    others = [tmp_path / f".other.jsonl.{child.pid}.tmp", tmp_path / ".rows.jsonl.x.tmp", living]
    for file in (dead, *others):
        file.write_text("half")

    write_whole(tmp_path / "rows.jsonl", b"whole")

    assert not dead.exists()
    assert all(file.exists() for file in others)
    assert (tmp_path / "rows.jsonl").read_bytes() == b"whole"


def test_reading_follows_a_link_and_waits_for_no_fifo(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")

    assert [read_plain(tmp_path / name) for name in ("file", "link")] == [b"text"] * 2
    for name in ("fifo", "none", "."):
        with pytest.raises(OSError, match=r"plain file|No such file"):
            read_plain(tmp_path / name)


@pytest.mark.parametrize(
    ("most", "tail"),
    [(99, b"one\ntwo\nthree\n"), (14, b"one\ntwo\nthree\n"), (13, b"two\nthree\n"), (6, b""), (5, b"")],
)
def test_a_tail_begins_with_a_line(tmp_path: Path, most: int, tail: bytes) -> None:
    (tmp_path / "log").write_bytes(b"one\ntwo\nthree\n")
    assert read_tail(tmp_path / "log", most) == tail
