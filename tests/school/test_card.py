"""The card of a school: unfinished, empty, whole, and from hostile names."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.errors import UsageError
from errata.school.card import FILE, write_card
from errata.school.history import History, read_history
from errata.school.recipe import load_school
from errata.school.record import School
from tests.school.school_data import judged, written
from tests.school.scripted import Scripted, gone_through


def card(history: History) -> list[str]:
    return write_card(history).read_text().splitlines()


def test_a_whole_school_has_its_rounds_what_stands_what_it_cost_and_why_it_ended(tmp_path: Path) -> None:
    school = load_school(written(tmp_path))
    gone_through(school, Scripted(school, right=(10, 39, 38), kept=3, chosen=("wrong",)))
    lines = card(read_history(school.home))
    assert lines[0] == "# small: what the school came to"
    assert lines[2] == (
        "Ended: round 1 lost 25.0 points on what was mastered, more than 5: the student before it stands. "
        "The student that stands is `somewhere/student`."
    )
    assert lines[4].startswith("Its nodes ran 20")
    assert lines[4].endswith(" s of work.")
    row = next(line for line in lines if line.startswith("| round 1"))
    assert row.startswith("| round 1 | 97.5 [87.1, 99.6] | +72.5 [")
    assert "| **better** | 50.0 % | +25.0 | 500 | 200 | $0.2500 |" in row
    assert "- in all: 500 teacher tokens, 300 of the student's own, $0.2500, " in "\n".join(lines)
    assert "- round 1: 29 items cured, 0 broken, 1 never right so far; 1 mastered problem forgotten" in lines
    assert any(line.startswith("- cost of the next point, were it as dear as in round 1: 7 [") for line in lines)


def test_without_a_gain_the_cost_of_the_next_point_cannot_be_said(tmp_path: Path) -> None:
    school = load_school(written(tmp_path, rounds=1))
    gone_through(school, Scripted(school, right=(10, 11)))
    assert any("cannot be said" in line for line in card(read_history(school.home)))


def test_a_school_that_has_not_begun_and_one_at_work_say_so(tmp_path: Path) -> None:
    assert card(History(tmp_path, School(name="empty")))[2:] == [
        "Not ended: it goes on, or was stopped within a round.",
        "",
        "Nothing is judged yet.",
    ]
    school = load_school(written(tmp_path))
    gone_through(school, Scripted(school, fate=lambda task: (5, "gone") if task.name == "round-2 lesson" else None))
    text = "\n".join(card(read_history(school.home)))
    assert "Not ended" in text
    assert "| round 2 |  |  |  |  | 50.0 % |" in text


def test_directories_that_are_gone_leave_the_record_as_it_is(tmp_path: Path) -> None:
    lines = card(History(tmp_path, School(name="a\x1b[2J|b", rounds=(judged(1),))))
    assert "\x1b" not in "\n".join(lines)
    assert (tmp_path / FILE).exists()
    with pytest.raises(UsageError, match=r"school\.json cannot be read"):
        read_history(tmp_path)


def test_the_same_school_has_the_same_bytes(tmp_path: Path) -> None:
    school = load_school(written(tmp_path))
    gone_through(school, Scripted(school))
    first = write_card(read_history(school.home)).read_bytes()
    assert write_card(read_history(school.home)).read_bytes() == first
