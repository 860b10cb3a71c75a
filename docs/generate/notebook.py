"""A notebook as a page: its prose as it is, its code and what that printed as fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any


def page_of(notebook: Mapping[str, Any]) -> str:
    """The page of an executed notebook of format 4. Raises KeyError on a cell that is neither prose nor code."""
    return "\n\n".join(part for cell in notebook["cells"] for part in _parts(cell)) + "\n"


def _parts(cell: Mapping[str, Any]) -> Iterator[str]:
    if cell["cell_type"] == "markdown":
        yield text_of(cell["source"])
        return
    yield fenced("python", text_of(cell["source"]))
    if printed := printed_by(cell):
        yield fenced("text", printed)


def printed_by(cell: Mapping[str, Any]) -> str:
    """What a code cell printed to stdout, without the empty lines around it."""
    streams = (output for output in cell["outputs"] if output.get("name") == "stdout")
    return "".join(text_of(each["text"]) for each in streams).strip("\n")


def text_of(value: str | list[str]) -> str:
    """A text, which a notebook holds whole or by lines."""
    return value if isinstance(value, str) else "".join(value)


def fenced(language: str, text: str) -> str:
    """A block whose fence is longer than any that the text holds."""
    longest = max((len(each) for each in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
