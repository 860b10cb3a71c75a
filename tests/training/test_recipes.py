"""The shipped training recipes have only keys that their method knows, and say how to run them."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.training.methods.shipped import METHODS
from errata.training.parse_args import parse

SHIPPED = sorted((Path(__file__).parents[2] / "recipes" / "train").glob("*.yaml"))


def test_every_method_has_one() -> None:
    assert {path.stem.replace("_", "-") for path in SHIPPED} == {method.name for method in METHODS} | {"combined"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_its_command_is_read(path: Path) -> None:
    method = "mapd" if path.stem == "combined" else path.stem.replace("_", "-")

    arguments = parse(method, ["--config", str(path)])

    assert arguments.method.name == method
    assert f"--config recipes/train/{path.name}" in path.read_text(encoding="utf-8")
