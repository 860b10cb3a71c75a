"""The table of docs/studies.md: every claim that a study of recipes/ has judged, by its study.json.

python -m docs.generate.claims      prints it, to be put between the page's marks
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.generate.tables import table
from errata.studies.results import interval, points

STUDIES = Path(__file__).parents[2] / "recipes" / "study"
BEGIN, END = "<!-- claims: begin -->\n", "<!-- claims: end -->\n"


def judged() -> str:
    """A row per claim: its study, source, difference with interval, what could be shown, verdict, when and where."""
    headings = (
        "study",
        "claim (expected sign, by whom)",
        "points [interval]",
        "could show",
        "verdict",
        "seeds x items",
        "run",
    )
    return table(headings, _rows()) + "\n"


def _rows() -> Iterator[tuple[str, ...]]:
    for file in sorted(STUDIES.glob("*/study.json")):
        study = json.loads(file.read_text(encoding="utf-8"))
        for claim in study["claims"]:
            yield _row(file.parent.name, claim, _when(study))


def _row(study: str, claim: Mapping[str, Any], run: str) -> tuple[str, ...]:
    return (
        f"[{study}](../recipes/study/{study}/card.md)",
        f"{claim['name']} ({claim['sign']}, {claim['source']})",
        interval(claim),
        points(claim["detectable"]).lstrip("+"),
        claim["verdict"],
        f"{len(claim['seeds'])} x {claim['items']:,}",
        run,
    )


def _when(study: Mapping[str, Any]) -> str:
    """`2026-11-29, 2 cores`"""
    number, _, _ = study["machine"].rpartition(", ")[2].partition(" ")
    return f"{study['date']}, {number} core{'s' * (number != '1')}"


if __name__ == "__main__":
    print(judged(), end="")
