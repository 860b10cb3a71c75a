"""Names say what a thing is: none is a past participle that tells what has happened to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTICIPLES = {"told", "said", "asked", "found", "made", "kept", "seen", "shown"}
CONTRACTS = {
    ("config/overrides.py", "found"),
    ("data/fields.py", "found"),
    ("errors.py", "found"),
    ("exports/sequences.py", "found"),
    ("graphs/call_counts.py", "kept"),
}
"""An error is `found`, `why`, `do`; `errata plan --assume kept=0.9` is what users write."""


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each function, class, parameter, field and variable that a file gives."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def participles(text: str) -> list[tuple[int, str]]:
    return [(line, name) for line, name in names(ast.parse(text)) if name.strip("_").lower() in PARTICIPLES]


def test_no_name_is_a_past_participle() -> None:
    package = ROOT / "errata"
    files = {path.relative_to(package).as_posix(): path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    given = {
        f"{file}:{line} {name}"
        for file, text in files.items()
        for line, name in participles(text)
        if (file, name) not in CONTRACTS
    }
    assert not given
    assert len(files) > 400


def test_such_names_are_noticed_wherever_they_are_given() -> None:
    text = """
def told(asked, *, said):
    kept = [seen for seen in asked]
    (made, other), kept.shown = kept, 1

class Found: ...
"""
    assert {name for _, name in participles(text)} == PARTICIPLES - {"found"} | {"Found"}
