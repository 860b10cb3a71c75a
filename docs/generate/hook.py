"""The hook of `make docs`: fills pages, makes the front page of README.md, and takes links that leave the site off."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from docs.generate.parts import PARTS  # noqa: E402  the folder above is on the path only now

MARK = re.compile(r"<!-- generate: (\w+) -->")
OUTWARD = re.compile(r"\[([^\]]+)\]\((?:\.\./|benchmarks/|recipes/|tests/|CHANGELOG)[^)]*\)")


def filled(text: str) -> str:
    """A page with what its marks name. Raises KeyError on a mark that names nothing."""
    return MARK.sub(lambda mark: PARTS[mark[1]](), text)


def inward(text: str) -> str:
    """A page whose links to files of the repository beside docs/ are their words alone."""
    return OUTWARD.sub(r"\1", text.replace("](docs/", "]("))


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    files.append(File.generated(config, "index.md", content=(ROOT / "README.md").read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    return filled(inward(markdown))
