"""The architecture: the folders of README's tree stand in one column, and nothing imports upwards."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = re.findall(r"^  (\w+)/ ", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
BESIDE = {"starter": "what `errata init` copies: no part imports it but the commands"}


def imports(text: str) -> Iterator[str]:
    """The folders of errata that a file imports from, at its top, in a function or for types alone."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == "errata":
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from re.findall(r"^errata\.(\w+)", node.module)
        elif isinstance(node, ast.Import):
            yield from (found for each in node.names for found in re.findall(r"^errata\.(\w+)", each.name))


def upward(folder: str, text: str) -> list[str]:
    """Of what a file in `folder` imports, the folders that stand above it."""
    return [each for each in imports(text) if each in FOLDERS and FOLDERS.index(each) < FOLDERS.index(folder)]


def test_nothing_imports_upwards() -> None:
    files = {file: file.relative_to(ROOT / "errata").parts for file in (ROOT / "errata").rglob("*.py")}
    found = {
        f"{'/'.join(parts)} -> {above}"
        for file, parts in files.items()
        if len(parts) > 1 and parts[0] not in BESIDE
        for above in upward(parts[0], file.read_text(encoding="utf-8"))
    }
    assert not found
    assert len(FOLDERS) > 15, "README's tree was read"


def test_an_import_upwards_is_seen_wherever_it_stands() -> None:
    inside = "def f():\n    from errata.school.run import run\n"
    typing = "if TYPE_CHECKING:\n    import errata.report.build\n"
    assert upward("runs", inside) == ["school"]
    assert upward("runs", typing) == ["report"]
    assert upward("runs", "from errata import evals\nfrom errata.config import code") == ["evals"]


def test_agents_md_lists_the_folders_in_the_same_order() -> None:
    text = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
    order = [each for each in re.findall(r"^\| `errata/(\w+)/`", text, re.MULTILINE) if each in FOLDERS]
    assert order == [each for each in FOLDERS if each in order]
    assert len(order) > 15
