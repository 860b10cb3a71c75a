"""What takes long says so, and again; what is quick says nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest

from errata import waiting as module
from errata.waiting import LONGEST_S, line_pause_s, loading, speaking, waiting
from tests.terminal import Terminal


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words come after a hundredth of a second."""
    monkeypatch.setattr(module, "AFTER_S", 0.01)
    monkeypatch.setattr(module, "EVERY_S", 0.01)


@pytest.fixture
def again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `soon`, but for the first word: a line that is said at once comes before any, on a busy machine too."""
    monkeypatch.setattr(module, "AFTER_S", 0.4)
    monkeypatch.setattr(module, "EVERY_S", 0.01)


def test_nobody_waits_two_seconds_for_a_word() -> None:
    assert max(module.AFTER_S, module.EVERY_S) < 2


def test_what_is_quick_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with loading():
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("soon")
def test_what_takes_long_says_so_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    with loading("the trainer"):
        time.sleep(0.3)
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert (first, second) == ("loading the trainer ...", "loading the trainer, 0 s so far ...")


@pytest.mark.usefixtures("soon")
def test_no_word_comes_once_it_is_ended() -> None:
    words: list[str] = []
    with waiting("preparing the run", words.append) as end:
        time.sleep(0.1)
        end()
        said = list(words)
        time.sleep(0.1)
    assert said == words
    assert words[0] == "preparing the run ..."
    assert words[-1] == ""


@pytest.mark.usefixtures("soon")
def test_on_a_terminal_one_line_is_written_over_and_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr("sys.stderr", out)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    with waiting("reading runs/a-name-that-is-longer-than-the-window"):
        time.sleep(0.2)
    words = out.getvalue().split("\r\x1b[K")
    assert words[1] == "reading runs/a-name-that-is-l"
    assert words[-1] == ""
    assert "\n" not in out.getvalue()


@pytest.mark.usefixtures("soon")
def test_an_error_under_it_is_raised_and_ends_it() -> None:
    words: list[str] = []
    with pytest.raises(ZeroDivisionError), waiting("dividing", words.append):
        raise ZeroDivisionError
    said = list(words)
    time.sleep(0.05)
    assert words == said


@pytest.mark.usefixtures("soon")
def test_on_a_terminal_a_last_line_tells_that_work_goes_on_and_lines_stand_above_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = Terminal()
    monkeypatch.setattr("sys.stderr", out)
    monkeypatch.setenv("TERM", "xterm")
    with speaking() as say:
        say("[0/2] train begun")
        time.sleep(0.1)
        say("[1/2] train done")
    lines = [line.split("\r\x1b[K")[-1] for line in out.getvalue().split("\n")]
    assert lines == ["[0/2] train begun", "[1/2] train done", ""]
    assert "at work, 0 s since then ..." in out.getvalue()


@pytest.mark.parametrize(("quiet", "words"), [(False, "done\n"), (True, "")])
def test_elsewhere_lines_are_lines_and_quiet_is_quiet(
    quiet: bool, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with speaking(quiet=quiet) as say:
        say("done")
    assert capsys.readouterr() == ("", words)


@pytest.mark.usefixtures("again_soon")
def test_elsewhere_lines_go_on_after_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking() as say:
        say("[0/2] train begun")
        time.sleep(0.8)
        say("[1/2] train done")
    first, *between, last = capsys.readouterr().err.splitlines()
    assert (first, last) == ("[0/2] train begun", "[1/2] train done")
    assert between
    assert all(re.fullmatch(r"at work, \d s since then \.\.\.", line) for line in between)


def test_where_lines_stay_they_come_every_other_second_at_first_and_less_often_later() -> None:
    assert [line_pause_s(elapsed) for elapsed in (0, 30, 60, 200, 36_000)] == [1.8, 1.8, 3.0, 10.0, LONGEST_S]


@pytest.mark.usefixtures("soon")
def test_elsewhere_a_word_says_what_is_done_until_the_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking(first="reading runs/a") as say:
        time.sleep(0.2)
        say("drawing")
    first, *_, last = capsys.readouterr().err.splitlines()
    assert (first, last) == ("reading runs/a ...", "drawing")


@pytest.mark.usefixtures("again_soon")
def test_how_far_the_work_is_stands_in_place_of_the_time_where_it_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    known = iter(["", "train: steps 1/9"])
    with speaking(news=lambda: next(known, "train: steps 2/9")) as say:
        say("train begun")
        time.sleep(0.8)
    begun, ago, first, second, *_ = capsys.readouterr().err.splitlines()
    assert begun == "train begun"
    assert ago.endswith("s since then ...")
    assert (first, second) == ("train: steps 1/9", "train: steps 2/9")


SLOW_START = """
import sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            time.sleep(0.2)
sys.meta_path.insert(0, Slow())
from errata import waiting
from errata.__main__ import main
waiting.AFTER_S = 0.02
sys.argv = ["errata", "--version"]
main()
"""


@pytest.mark.parametrize(
    ("asked", "words"),
    [({}, "loading errata ...\n"), ({"_ERRATA_COMPLETE": "bash_source"}, "")],
    ids=["run", "complete"],
)
def test_a_slow_start_is_said_but_to_a_shell_that_completes_a_line(asked: dict[str, str], words: str) -> None:
    code = [sys.executable, "-c", SLOW_START]
    done = subprocess.run(code, capture_output=True, text=True, check=False, env=os.environ | asked)
    assert done.stdout
    assert done.stderr == words
