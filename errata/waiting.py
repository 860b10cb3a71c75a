"""A word for whoever waits: what takes long says so on stderr, and again as long as it takes.

On a terminal each word takes the place of the one before, and the last one vanishes; elsewhere each is a line, and
lines come less often the longer the work takes. This is the first file that a command imports, and it needs nothing but
the standard library.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from errata.errors import plain

AFTER_S, EVERY_S = 0.8, 1.8
"""Seconds without a word before the first one, and between two of them."""
LONGEST_S, SHARE = 30.0, 1 / 20
"""Where each word is a line: the longest pause, and the share of the time that has passed which a pause may be."""


@contextmanager
def waiting(doing: str, show: Callable[[str], None] | None = None) -> Iterator[Callable[[], None]]:
    """Says what is done under it, as `reading runs/demo, 4 s so far ...`; what is quick says nothing.

    Args:
        doing: in words.
        show: takes each word in place of stderr, and an empty one when none is to be seen any more.

    Yields:
        what ends it before the end of the block, for work that speaks for itself from then on: no word comes after
        that has returned.
    """
    over = threading.Event()
    speaking = threading.Thread(target=_speak, args=(doing, show or _on_stderr(), over), daemon=True)
    speaking.start()

    def end() -> None:
        over.set()
        speaking.join()

    try:
        yield end
    finally:
        end()


@contextmanager
def loading(what: str = "errata's parts") -> Iterator[None]:
    """`waiting` for imports."""
    with waiting(f"loading {what}"):
        yield


@contextmanager
def speaking(
    *, quiet: bool = False, first: str = "at work", news: Callable[[], str] | None = None
) -> Iterator[Callable[[str], None]]:
    """What says lines on stderr, and while nothing more is said the news, or how long ago the last line was.

    Args:
        first: what is done until the first line comes.
        news: is asked how far the work is; empty where that is not known.
    """
    if quiet:
        yield lambda line: None
        return
    over, lock, last = threading.Event(), threading.RLock(), time.monotonic()
    show, due = _on_stderr(), last + AFTER_S
    doing, so_far = first, ""

    def say(line: str) -> None:
        nonlocal last, doing, so_far, due
        with lock:  # a handler of Ctrl-C may speak while this does
            show("")
            _line(line)
            last = time.monotonic()
            doing, so_far, due = "at work", "since then", last + EVERY_S

    def go_on() -> None:
        nonlocal so_far, due
        while not over.wait(due - time.monotonic()):
            with lock:
                now = time.monotonic()
                if now >= due:  # else a line has come meanwhile
                    ago = f"{doing}, {now - last:.0f} s {so_far} ..." if so_far else f"{doing} ..."
                    show((news() if news else "") or ago)
                    so_far, due = so_far or "so far", now + _pause_s(now - last)
        show("")

    going = threading.Thread(target=go_on, daemon=True)
    going.start()
    try:
        yield say
    finally:
        over.set()
        going.join()


def line_pause_s(elapsed_s: float) -> float:
    """Seconds until the next line where lines stay: short at first, and never long beside what has passed."""
    return min(LONGEST_S, max(EVERY_S, elapsed_s * SHARE))


def _pause_s(elapsed_s: float) -> float:
    return EVERY_S if _is_terminal() else line_pause_s(elapsed_s)


def _speak(doing: str, show: Callable[[str], None], over: threading.Event) -> None:
    began = time.monotonic()
    if over.wait(AFTER_S):
        return
    show(f"{doing} ...")
    while not over.wait(_pause_s(time.monotonic() - began)):
        show(f"{doing}, {time.monotonic() - began:.0f} s so far ...")
    show("")


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _on_stderr() -> Callable[[str], None]:
    if _is_terminal():
        return _in_place
    return lambda words: _line(words) if words else None


def _line(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _in_place(words: str) -> None:
    from shutil import get_terminal_size

    print(f"\r\x1b[K{plain(words)[: get_terminal_size().columns - 1]}", end="", file=sys.stderr, flush=True)
