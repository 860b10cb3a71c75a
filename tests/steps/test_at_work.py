"""What the steps at work say of themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from errata.steps.at_work import MOST_CHARS, newest_line
from errata.steps.record import RECORD


def log(home: Path, name: str, text: str, written: float) -> None:
    path = home / "logs" / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (written, written))


def test_the_last_line_of_the_log_written_last_stands_behind_its_name(tmp_path: Path) -> None:
    assert newest_line(tmp_path, "logs", 0) == ""
    log(tmp_path, "train_a", "student x\nsteps 3/9 | loss 1.2\n\n", 20)
    log(tmp_path, "train_b", "student x\nsteps 4/9 | loss 1.1\n", 10)
    assert newest_line(tmp_path, "logs", 5) == "train_a: steps 3/9 | loss 1.2"
    log(tmp_path, "train_b", "bar 10%\rbar 90%", 30)
    assert newest_line(tmp_path, "logs", 5) == "train_b: bar 90%"


def test_what_was_written_by_an_earlier_command_or_before_a_step_ended_is_no_news(tmp_path: Path) -> None:
    log(tmp_path, "train_a", "steps 9/9\n", 20)
    assert newest_line(tmp_path, "logs", 21) == ""
    (tmp_path / RECORD).write_text("{}\n")
    for moment in (22, 20):
        os.utime(tmp_path / RECORD, (moment, moment))
        assert newest_line(tmp_path, "logs", 0) == ""
    log(tmp_path, "train_b", "", 30)
    assert newest_line(tmp_path, "logs", 0) == "", "a step that has just begun"


def test_a_line_is_short_and_steers_no_terminal(tmp_path: Path) -> None:
    log(tmp_path, "train_a", "\x1b[2Jsteps " + 500 * "9", 20)
    line = newest_line(tmp_path, "logs", 0)
    assert line.startswith("train_a: ")
    assert line.isprintable()
    assert len(line) == MOST_CHARS


@pytest.mark.parametrize("made", [lambda path: os.mkfifo(path), lambda path: path.symlink_to("/etc/hostname")])
def test_nothing_but_a_plain_file_is_read(tmp_path: Path, made: object) -> None:
    (tmp_path / "logs").mkdir()
    assert callable(made)
    made(tmp_path / "logs" / "train_a.log")
    assert newest_line(tmp_path, "logs", 0) == ""
