"""The page on which a person marks rationales: one HTML file that needs no network, its texts as data."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from errata.config.files import write_whole
from errata.errors import ErrataError
from errata.records import digest, to_json


class Item(NamedTuple):
    """A rationale to be marked, by its steps; their texts joined are the whole."""

    id: str
    question: str
    choices: list[str]
    steps: list[str]
    answer: str


def write_page(target: Path, run: str, items: Sequence[Item]) -> None:
    """Writes the page whole or not at all. Raises ErrataError where it cannot be written."""
    data = {
        "key": f"errata audit {run} {digest([each.id for each in items])}",
        "items": [each._asdict() for each in items],
    }
    style, script = (
        files("errata.evidence").joinpath("page", name).read_text("utf-8") for name in ("audit.css", "audit.js")
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(files("errata.evidence").joinpath("page", "audit.html").read_text("utf-8")).render(
        run=run,
        number=len(items),
        data=Markup(to_json(data).decode().replace("<", "\\u003c")),
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    try:
        write_whole(target, page.encode("utf-8", "replace"))
    except OSError as error:
        raise ErrataError(f"{target} cannot be written: {error.strerror or error}", do="make room, or --out") from error


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
