"""What users import from `errata` itself: all of it is there, it is light, and it is the list that is documented."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import errata

SOURCE = Path(errata.__file__).read_text()
GUIDE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
TRAINING = {"train", "Method"}
"""Names that need the extra `train` only when they are used."""


@pytest.mark.parametrize("name", errata.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(errata, name)

    assert name == "__version__" or f"`{name}`" in GUIDE, f"docs/extending.md does not name {name}"
    if callable(value) and not isinstance(value, type):
        assert value.__doc__ or name in {"END"}


def test_nothing_else_is_public() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        errata.nothing  # noqa: B018
    documented = set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE))
    assert documented <= set(errata.__all__)


def test_type_checkers_see_the_same_names() -> None:
    block = next(each for each in ast.parse(SOURCE).body if isinstance(each, ast.If))
    seen = {
        alias.asname: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }

    assert seen == errata._HOME, "a name that is not imported `as` itself is no re-export to a strict checker"


def test_import_errata_imports_nothing_else() -> None:
    code = "import sys, errata; print(sorted(m for m in sys.modules if m.split('.')[0] in "
    code += "{'pydantic', 'torch', 'langgraph', 'litellm', 'numpy', 'yaml', 'click'} or m.startswith('errata.')))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_stage_is_written_without_langgraph() -> None:
    code = "import sys; from errata import Stage, chain, PromptCall, load_recipe; print('langgraph' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
