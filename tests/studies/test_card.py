"""The card of a study: when it worked; where arms are schools, what they took and what was forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from errata.studies.card import write_card

RESULTS: dict[str, Any] = {
    "name": "small",
    "seeds": [0, 1],
    "times": {"begun": "2026-11-29T06:20:00+00:00", "last": "2026-11-29T07:44:09+00:00", "seconds": 4980.0},
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
    "ended": [
        {"student": "tiny", "seed": 0, "rounds": 4, "stopped": "all 4 rounds are done"},
        {"student": "tiny", "seed": 1, "rounds": 3, "stopped": "the gain of 2 rounds in a row could be noise"},
        {"student": "tiny", "seed": 2, "rounds": 4, "stopped": "all 4 rounds are done"},
        {"student": "tiny", "seed": 3, "rounds": 1, "stopped": None},
    ],
}


CLAIM: dict[str, Any] = {
    "name": "more | is better",
    "arm": "more",
    "control": "sft",
    "task": "math",
    "difference": 0.021,
    "low": 0.004,
    "high": 0.038,
    "p_adjusted": 0.0123,
    "detectable": None,
    "verdict": "better",
    "sign": "+",
    "source": "table 2",
    "equal": {"rows": False, "steps": True, "cost_usd": None},
    "differs": {"target_tokens": [1200.0, 800.0], "cost_usd": [0.42, 12.0]},
    "as_claimed": True,
}


def test_a_claim_has_a_row_and_what_has_to_be_known_beside_it(tmp_path: Path) -> None:
    card = write_card(tmp_path, RESULTS | {"schools": [], "claims": [CLAIM]}).read_text()
    assert "errata 0: 2 seeds. Of 1 claim: 1 shown as claimed, 0 shown otherwise, 0 not shown. " in card
    assert "| more \\| is better | more - sft | math | +2.1 [+0.4, +3.8] | 0.0123 | - | **better** |\n" in card
    assert "- more \\| is better: claimed by table 2, sign +\n" in card
    assert "- more \\| is better: not equal as they should be: rows, cost of the data\n" in card
    assert "- more \\| is better: target tokens differ, 1,200 against 800\n" in card
    assert "- more \\| is better: cost of the data differs, $0.4200 against $12.00\n" in card


def test_a_claim_that_came_out_otherwise_is_said_to(tmp_path: Path) -> None:
    other = CLAIM | {"sign": "0", "as_claimed": False}
    card = write_card(tmp_path, RESULTS | {"schools": [], "claims": [other]}).read_text()
    assert "0 shown as claimed, 1 shown otherwise, 0 not shown" in card
    assert "| **better** (the source says otherwise) |" in card


def test_schools_have_a_table_of_their_own(tmp_path: Path) -> None:
    card = write_card(tmp_path, RESULTS | {"schools": [SCHOOL]}).read_text()
    assert "| taught | 2 | 3.5 | 27 | 194,348 | 240,011 | 0.10 | +1.2 | - |" in card
    assert "| school |" not in write_card(tmp_path, RESULTS | {"schools": []}).read_text()


def test_it_says_when_the_study_worked_and_how_long(tmp_path: Path) -> None:
    told = "2026-11-29 06:20 to 07:44 UTC, 1 h 23 min of work, Linux, errata 0: no claims"
    assert told in write_card(tmp_path, RESULTS | {"schools": []}).read_text()
    assert "\nLinux, errata 0: no claims" in write_card(tmp_path, RESULTS | {"schools": [], "times": None}).read_text()


def test_it_says_why_each_school_ended(tmp_path: Path) -> None:
    card = write_card(tmp_path, RESULTS | {"schools": [SCHOOL]}).read_text()
    line = (
        "- taught: seed 0, seed 2 after round 4: all 4 rounds are done; seed 1 after round 3: the gain of 2 rounds in "
        "a row could be noise; seed 3 after round 1: not ended\n"
    )
    assert line in card
    two = [SCHOOL["ended"][0], SCHOOL["ended"][0] | {"student": "big"}]
    card = write_card(tmp_path, RESULTS | {"schools": [SCHOOL | {"ended": two}]}).read_text()
    assert "- taught: tiny seed 0, big seed 0 after round 4: all 4 rounds are done\n" in card
