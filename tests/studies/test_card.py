"""The card of a study whose arms are schools says what they took and what was forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from errata.studies.card import write_card

RESULTS: dict[str, Any] = {
    "name": "small",
    "seeds": [0, 1],
    "date": "2026-11-29",
    "machine": "Linux",
    "versions": {"errata": "0"},
    "hours": 0.5,
    "claims": [],
    "arms": [],
    "methods": [],
    "notes": [],
}
SCHOOL = {
    "arm": "taught",
    "schools": 2,
    "rounds": 3.5,
    "chosen": 27.25,
    "teacher_tokens": 194348.0,
    "own_tokens": 240011.0,
    "hours": 0.1,
    "forgotten": 0.0123,
    "forgotten_most": None,
    "judged": [0.4, 0.5],
}


def test_schools_have_a_table_of_their_own(tmp_path: Path) -> None:
    card = write_card(tmp_path, RESULTS | {"schools": [SCHOOL]}).read_text()
    assert "| taught | 2 | 3.5 | 27 | 194,348 | 240,011 | 0.10 | +1.2 | - |" in card
    assert "| school |" not in write_card(tmp_path, RESULTS | {"schools": []}).read_text()
