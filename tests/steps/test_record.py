"""The record of steps: read whole but for a torn line, and what its times add up to."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.steps.record import RECORD, Finish, append, hours, read_record


def finish(step: str, begun: float = 1.0, elapsed: float = 60.0) -> Finish:
    return Finish(step, "inputs", 0, 60.0, begun, elapsed)


def test_what_is_appended_is_read_and_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    home = tmp_path / "study"
    assert read_record(home) == []
    for step in ("one", "two"):
        append(home, finish(step))
    with (home / RECORD).open("a") as file:
        file.write('{"step": "torn')
    assert read_record(home) == [finish("one"), finish("two")]


def test_steps_side_by_side_count_once_per_command() -> None:
    record = [finish("one", 1, 600), finish("two", 1, 1800), finish("three", 9000, 3600)]
    assert hours(record) == pytest.approx(1.5)
