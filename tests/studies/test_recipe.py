"""A study's recipe: what contradicts itself is refused by name before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errata.errors import UsageError
from errata.studies.recipe import is_study, load_study
from tests.studies.study_data import written

CLAIM = {"name": "c", "arm": "sft", "control": "more"}
LESSON = {"recipe": {"problems": {"source": "classroom"}}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": {"a": {"method": "sft", "start": "b"}}, "claims": []}, "arm a: no arm is called b"),
        ({"arms": {"a": {"method": "nce", "flags": {"nat_checkpoint": "arm:b"}}}, "claims": []}, "no arm is called b"),
        (
            {"arms": {"a": {"method": "sft", "start": "b"}, "b": {"method": "sft", "start": "a"}}, "claims": []},
            "arm a is made from itself",
        ),
        ({"arms": {"a": {"method": "sft", "start": "a"}}, "claims": []}, "arm a is made from itself"),
        ({"arms": {"untouched": {"method": "sft"}}, "claims": []}, "no arm is called untouched"),
        ({"data": {"one": {"paths": ["a"]}, "two": {"paths": ["b"]}}}, "arm sft names no data"),
        (
            {"arms": {"sft": {"method": "sft", "data": "row"}}, "claims": []},
            r"no data is called row; did you mean rows\?",
        ),
        ({"claims": [{"name": "c", "arm": "sftt", "control": "more"}]}, r"no arm is called sftt; did you mean sft\?"),
        ({"claims": [{"name": "c", "arm": "sft", "control": "more", "task": "gsm"}]}, "no task is called gsm"),
        ({"claims": [{**CLAIM, "decoding": "hot"}]}, "no decoding is called hot"),
        ({"claims": [{**CLAIM, "control_decoding": "hot"}]}, "no decoding is called hot"),
        ({"claims": [{**CLAIM, "control": CLAIM["arm"]}]}, "against itself"),
        (
            {"arms": {"sft": {"method": "sft"}, "more": {"method": "ranker"}}, "claims": [CLAIM]},
            "more is a ranker, which answers nothing",
        ),
        (
            {"evals": {"tasks": ["classroom_id"], "decodings": {"votes": {"samples": 4, "ranker": "arm:sft"}}}},
            "decoding votes: no arm called sft is a ranker",
        ),
        ({"claims": [{"name": "c", "arm": "sft", "control": "more"}] * 2}, "two claims are called c"),
        ({"seeds": [1, 1]}, "each seed once"),
        ({"data": {"both": {"paths": ["a"], **LESSON}}}, "a recipe, which is run, or paths"),
        ({"students": {"base": {}}}, "a student has a model, or pretrain"),
        ({"arms": {"a": {"method": "ecit"}}, "claims": []}, r"no method is called ecit: did you mean edit\?"),
        ({"arms": {"a": {}}, "claims": []}, "arm a: a method, or school"),
        ({"arms": {"a": {"method": "sft", "school": {}}}, "claims": []}, "arm a: a method, or school"),
        ({"arms": {"a": {"school": {}}}, "claims": []}, "arm a is a school, and the study has none"),
        (
            {"arms": {"a": {"school": {}, "flags": {"x": 1}}}, "school": {"recipe": {}}, "claims": []},
            "arm a is a school and sets flags",
        ),
        ({"data": {}}, "arm sft is a training, and the study has no data"),
        ({"students": {"a/b": {"model": "x"}}}, "one folder name"),
        (
            {"evals": {"tasks": ["classroom_id", "classroom_ood4"]}},
            "claim more is better names no task, and there are classroom_id, classroom_ood4",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_study(written(tmp_path, **changes))


def test_a_misspelt_key_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown key arms\.sft\.flag(.|\n)*arms\.sft\.flags"):
        load_study(written(tmp_path, arms={"sft": {"method": "sft", "flag": {}}}))


def test_overrides_and_the_kind_of_recipe(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert load_study(path, ["seeds=[3]", "training.max_steps=9"]).seeds == (3,)
    assert is_study(path)
    (tmp_path / "other.yaml").write_text("problems: {source: classroom}\n")
    assert not is_study(tmp_path / "other.yaml")
    assert not is_study(tmp_path / "none.yaml")
