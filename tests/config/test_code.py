"""Code of one's own that a recipe names: what is run is the file that is shown and hashed."""

from __future__ import annotations

import importlib.util
import os
import py_compile
from pathlib import Path

import pytest

from errata.config.code import Loader


@pytest.mark.parametrize("checked", [False, True], ids=["never compared", "of a file as old and as long"])
def test_bytecode_beside_a_file_is_not_run_in_its_place(tmp_path: Path, checked: bool) -> None:
    file = tmp_path / "my_parts.py"
    file.write_text("NAME = 'hidden'\n")
    mode = py_compile.PycInvalidationMode.TIMESTAMP if checked else py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(file), importlib.util.cache_from_source(str(file)), invalidation_mode=mode)
    before = file.stat()
    file.write_text("NAME = 'stands'\n")
    assert file.stat().st_size == before.st_size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert Loader(tmp_path).load("my_parts.py:NAME") == "stands"


def test_no_bytecode_is_written_beside_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    (tmp_path / "my_parts.py").write_text("NAME = 'stands'\n")

    Loader(tmp_path).load("my_parts.py:NAME")

    assert [path.name for path in tmp_path.iterdir()] == ["my_parts.py"]
