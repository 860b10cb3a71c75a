"""A school's recipe: what contradicts itself is refused by name before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errata.errors import UsageError
from errata.school.choosing import CHOOSERS
from errata.school.recipe import is_school, load_school
from tests.school.school_data import school_data, written

JUDGE = school_data()["judge"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"student": {}}, "a student has a model, or pretrain"),
        ({"name": "a/b"}, "one folder name"),
        ({"data": {"source": "classroom", "gold": "none"}}, "data.gold is none"),
        ({"data": {"source": "classroom", "only": "ids.jsonl"}}, "the school chooses what is taught"),
        ({"exam": {"samples": 4, "temperature": 0}}, "4 samples at temperature 0 are all the same"),
        ({"lesson": {}}, "teach is teachers, and there is no lesson"),
        ({"lesson": {}, "teach": "both"}, "teach is both, and there is no lesson"),
        ({"choose": {"by": "reachabel", "count": 3}}, r"choose.by is reachabel(.|\n)*did you mean reachable\?"),
        ({"choose": {"by": "random", "count": 3, "rehearsal": 1}}, "choose.rehearsal is 1"),
        ({"train": {"method": "ecit"}}, r"no method is called ecit: did you mean edit\?"),
        ({"train": {"flags": {"seed": 3}}}, "train.flags sets seed: the school sets that itself"),
        ({"train": {"flags": {"roles": ["self"]}}}, "roles by `teach`"),
        ({"judge": {**JUDGE, "tasks": {}}}, "judge.tasks"),
        ({"rounds": 0}, "rounds is 0"),
        ({"stop": {"patience": 0}}, "stop.patience is 0"),
        ({"teach": "everyone"}, "teach is 'everyone'"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_school(written(tmp_path, **changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exams": {}}, r"unknown key exams(.|\n)*did you mean exam\?"),
        ({"stop": {"patiense": 3}}, r"unknown key stop\.patiense(.|\n)*stop\.patience"),
        ({"budget": {"usd": 3}}, r"unknown key budget\.usd(.|\n)*dollars"),
    ],
)
def test_a_misspelt_key_names_the_nearest(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_school(written(tmp_path, **changes))


def test_a_school_that_learns_from_itself_alone_needs_no_lesson(tmp_path: Path) -> None:
    assert load_school(written(tmp_path, lesson={}, teach="self")).lesson == {}


def test_overrides_the_name_and_the_kind_of_recipe(tmp_path: Path) -> None:
    path = written(tmp_path)
    school = load_school(path, ["rounds=5", "budget.dollars=2.5"])
    assert (school.name, school.rounds, school.budget.dollars) == ("small", 5, 2.5)
    assert school.home == tmp_path / "runs/small"
    assert school.chooser is dict(CHOOSERS)["random"]
    assert is_school(path)
    (tmp_path / "other.yaml").write_text("problems: {source: classroom}\n")
    assert not is_school(tmp_path / "other.yaml")
    assert not is_school(tmp_path / "none.yaml")


def test_a_chooser_of_ones_own_is_loaded_with_the_hash_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def first(results, count, seed):\n    return []\n\nTHREE = 3\n")
    school = load_school(written(tmp_path, choose={"by": "mine.py:first", "count": 2}))
    assert school.chooser([], 2, "") == []
    assert school.code["mine.py:first"].sha256
    with pytest.raises(UsageError, match="a chooser is a function"):
        load_school(written(tmp_path, choose={"by": "mine.py:THREE", "count": 2}))
