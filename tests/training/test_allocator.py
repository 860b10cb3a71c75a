"""Which allocator serves a process, by real ones."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from errata.training import allocator
from errata.training.allocator import MAPS, is_glibc, preload

PROGRAM = "from errata.training.allocator import is_glibc; print(is_glibc())"
needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or not MAPS.exists(), reason="another C library")


def is_glibc_in_a_process(more: dict[str, str]) -> bool:
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"} | more
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    return done.stdout == "True\n"


@needs_glibc
def test_a_process_has_glibcs_allocator_unless_tcmalloc_is_loaded_first() -> None:
    assert is_glibc_in_a_process({})
    more = preload({})
    assert is_glibc_in_a_process(more) == (not more), "the library that is named is one that loads"


@pytest.mark.parametrize("name", ["libtcmalloc_minimal.so.4.5.10", "libjemalloc.so.2", "libmimalloc.so.2.0"])
def test_other_allocators_are_known_by_their_files(tmp_path: Path, name: str) -> None:
    maps = tmp_path / "maps"
    line = "7f0000000000-7f0000001000 r-xp 00000000 00:00 1 /usr/lib/x86_64-linux-gnu/"
    maps.write_text(f"{line}libc.so.6\n{line}libarrow.so.2100\n")
    assert is_glibc(maps)

    maps.write_text(f"{line}libc.so.6\n{line}{name}\n")
    assert not is_glibc(maps)


def test_where_nothing_says_none_is_assumed(tmp_path: Path) -> None:
    assert not is_glibc(tmp_path / "none")


def test_tcmalloc_is_preloaded_where_there_is_one_and_the_user_names_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(allocator, "find_library", {"tcmalloc": "libtcmalloc.so.4"}.get)
    assert preload({"HOME": "/home/ada"}) == {"LD_PRELOAD": "libtcmalloc.so.4"}
    assert preload({"LD_PRELOAD": "mine.so"}) == {}

    monkeypatch.setattr(allocator, "find_library", lambda name: None)
    assert preload({}) == {}
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(allocator, "find_library", {"tcmalloc": "libtcmalloc.dylib"}.get)
    assert preload({}) == {}
