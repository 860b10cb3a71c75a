"""docs/security.md: every promise names a test, and every test named is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "security.md"
LINK = re.compile(r"\[(test_\w+)\]\((\S+?)\)")


@cache
def names_in(file: Path) -> set[str]:
    """Test functions of a file that no mark keeps from the default run."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    slow = {node.name for node in functions if "pytest.mark.slow" in map(ast.unparse, node.decorator_list)}
    return {node.name for node in functions} - slow


def rows() -> list[str]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("|") and not line.startswith(("| promise", "|---"))]


def test_every_promise_names_a_test_that_runs() -> None:
    promises = rows()
    assert len(promises) >= 25
    for row in promises:
        assert LINK.search(row), f"no test: {row}"
    named = LINK.findall(PAGE.read_text(encoding="utf-8"))
    missing = [(name, place) for name, place in named if name not in names_in((PAGE.parent / place).resolve())]
    assert missing == []


def test_everything_that_is_handed_on_has_its_part() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for part in ("A recipe", "A run directory", "A checkpoint", "A data set", "A reply"):
        _, _, section = text.partition(f"\n## {part}\n")
        assert "| promise |" in section.partition("\n## ")[0]
        assert "Not promised:" in section.partition("\n## ")[0]
