"""school.json: written at once, read by whoever shows a school, open to later keys."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from errata.errors import UsageError
from errata.school.record import FILE, School, read_school, write_school
from tests.school.school_data import judged


def test_what_is_written_is_read(tmp_path: Path) -> None:
    school = School(name="small").with_round(judged(2)).with_round(judged(1)).with_round(judged(2, "worse"))
    write_school(tmp_path, school)
    assert read_school(tmp_path) == school
    assert [(each.round, each.gain and each.gain.verdict) for each in school.rounds] == [(1, "better"), (2, "worse")]
    assert [path.name for path in tmp_path.iterdir()] == [FILE], "no draft is left"


def test_the_contract_that_readers_rely_on(tmp_path: Path) -> None:
    write_school(tmp_path, School(name="small").with_round(judged(1)))
    plain = orjson.loads((tmp_path / FILE).read_bytes())
    assert plain.keys() == {"name", "start", "rounds", "stopped", "student"}
    assert plain["start"].keys() >= {"student", "judge", "accuracy"}
    assert plain["rounds"][0].keys() >= {
        "round", "exam", "choices", "lesson", "student", "judge", "teacher_tokens", "own_tokens", "dollars", "hours",
        "learning_rate", "repeated", "accuracy", "gain", "mastered", "forgotten",
    }  # fmt: skip
    assert plain["rounds"][0]["gain"].keys() == {"difference", "low", "high", "p", "verdict"}


def test_keys_of_later_versions_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"name": "later", "mood": "good", "rounds": [{"round": 1, "weather": "fair"}]}')
    assert read_school(tmp_path).rounds[0].round == 1


@pytest.mark.parametrize("text", [None, "no json", "[]", '{"rounds": 3}'])
def test_a_record_that_cannot_be_read_is_told(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / FILE).write_text(text)
    with pytest.raises(UsageError, match="says how a school stands"):
        read_school(tmp_path)
