"""What a school has left behind, read by its folder, however that is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.school.history import read_history
from errata.school.recipe import load_school
from tests.school.school_data import written
from tests.school.scripted import Scripted, gone_through


def test_judges_exams_and_what_was_forgotten_are_found_by_a_relative_path_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = load_school(written(tmp_path, rounds=1))
    gone_through(school, Scripted(school, kept=3))
    monkeypatch.chdir(tmp_path)
    for home in (school.home, school.home.relative_to(tmp_path)):
        found = read_history(home)
        assert (list(found.judges), list(found.exams)) == ([1], [1])
        assert found.forgotten == {1: ("p3",)}
