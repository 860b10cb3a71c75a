"""What pyproject.toml declares: every package that errata imports, in ranges that the pinned versions satisfy."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [
    Requirement(text)
    for texts in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in texts
]
UNAFFECTED = {"aiohttp": "3.13.3", "filelock": "3.20.1", "orjson": "3.11.6", "jinja2": "3.1.6", "ray": "2.52"}
"""Package -> the first version without the vulnerabilities known of those before it."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imports(folder: Path) -> dict[str, str]:
    """Top-level package -> a file that imports it, also where it does so inside a function."""
    users: dict[str, str] = {}
    for file in sorted(folder.rglob("*.py")):
        for name in _imported(ast.parse(file.read_text(encoding="utf-8"))):
            users.setdefault(name.partition(".")[0], str(file.relative_to(folder.parent)))
    return users


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@cache
def distributions_of_packages() -> Mapping[str, list[str]]:
    """Top-level package -> the distributions that bring it, of all that is installed."""
    return packages_distributions()


def undeclared(users: dict[str, str], declared: set[str]) -> dict[str, str]:
    """Third-party packages that no requirement names, with the file that imports each."""
    distributions = distributions_of_packages()
    own = {"errata", *sys.stdlib_module_names}
    return {
        name: file
        for name, file in users.items()
        if name not in own and not {canonical(each) for each in distributions.get(name, [name])} & declared
    }


def test_every_import_is_declared() -> None:
    users = imports(ROOT / "errata")
    assert {"aiohttp", "torch", "vl_convert"} <= users.keys()
    assert undeclared(users, {canonical(requirement.name) for requirement in REQUIREMENTS}) == {}


def test_an_import_of_a_transitive_dependency_is_seen(tmp_path: Path) -> None:
    (tmp_path / "errata").mkdir()
    (tmp_path / "errata/new.py").write_text("def late():\n    import yarl.sub\n    from os import path\n")
    assert undeclared(imports(tmp_path / "errata"), {"aiohttp"}) == {"yarl": "errata/new.py"}


UNPINNED = {"vllm"}
"""vLLM brings a torch of its own, which the constraints would forbid."""


def test_the_constraints_satisfy_every_range() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    versions = {canonical(name): version for name, version in pins.items()}
    for requirement in (each for each in REQUIREMENTS if canonical(each.name) not in UNPINNED):
        version = versions[canonical(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement}, pinned {version}"


@pytest.mark.parametrize(("name", "first"), UNAFFECTED.items())
def test_no_range_admits_a_version_known_to_be_vulnerable(name: str, first: str) -> None:
    (requirement,) = (each for each in REQUIREMENTS if canonical(each.name) == name)
    (lowest,) = (Version(each.version) for each in requirement.specifier if each.operator == ">=")
    assert lowest >= Version(first)
