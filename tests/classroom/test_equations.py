"""Equations of real solutions, whole: decimals, money, division, chains."""

from __future__ import annotations

import json
import os
import re
from fractions import Fraction
from pathlib import Path

import pytest

from errata.classroom.check_steps import read
from errata.classroom.equations import equations

DATA = Path(os.environ.get("ERRATA_DATA", "data"))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("So 3.3*100 = 330 g.", ["3.3 * 100 = 330"]),
        ("$48 / 2 = $24.", ["48 / 2 = 24"]),
        ("2 + 3 * 4 = 14", ["3 * 4 = 12", "2 + 12 = 14"]),
        ("12 ÷ 4 = 3, then 3 × 1,000 = 3,000.", ["12 / 4 = 3", "3 * 1000 = 3000"]),
        ("50% * 80 = 40", ["0.5 * 80 = 40"]),
        ("5 apples + 3 apples = 8 apples", ["5 + 3 = 8"]),
        (r"3 \times 4 = 12", ["3 * 4 = 12"]),
        ("1/2 = 0.5", ["1 / 2 = 0.5"]),
        ("5 - 8 = -3", ["5 - 8 = -3"]),
        ("3 / 0 = 1", []),
        ("x = 5", []),
        ("v1.2.3 + 4 = 5", []),
    ],
)
def test_equations(text: str, steps: list[str]) -> None:
    def number(value: Fraction) -> str:
        return f"{float(value):g}"

    assert [f"{number(e.left)} {e.op} {number(e.right)} = {number(e.result)}" for e in equations(text)] == steps


def test_operands_of_sums_may_change_places() -> None:
    (one,), (other,) = equations("2 + 3 = 5"), equations("3 + 2 = 5")
    assert one.key == other.key
    assert equations("6 / 3 = 2")[0].key != equations("3 / 6 = 2")[0].key


@pytest.mark.parametrize("text", ["So 3.3*100 = 330.", "3 * 4 = 12.5", "1.5 + 2 = 3", "12/3 + 4 = 8", "1,234 + 1 = 1"])
def test_the_puzzle_checker_reads_no_part_of_a_decimal_or_a_quotient(text: str) -> None:
    assert [said for said in read(text) if said.what == "step"] == []


@pytest.mark.skipif(not DATA.is_dir(), reason="set ERRATA_DATA to the folder with the data sets")
def test_nearly_all_equations_of_gsm8k_are_read() -> None:
    """The data marks each calculation as <<48/2=24>>."""
    wanted = read_wholly = 0
    for line in (DATA / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines():
        for marked in re.findall(r"<<([^<>=]+=[^<>=]+)>>", json.loads(line)["answer"]):
            if re.fullmatch(r"[\d.]+(?:[-+*/][\d.]+)+=-?[\d.]+", marked):
                wanted += 1
                read_wholly += bool(equations(marked))
    assert wanted > 3_000
    assert read_wholly / wanted > 0.95
