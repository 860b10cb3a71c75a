"""The steps of a study: their order, what each needs, and what tells one from another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errata.errors import UsageError
from errata.studies.recipe import StudyRecipe, load_study
from errata.studies.steps import made_by, run_of, steps_of, training_words
from tests.studies.study_data import study_data, written

LESSON = {"recipe": {"problems": {"source": "classroom"}}}


def study(folder: Path, **changes: Any) -> StudyRecipe:
    return load_study(written(folder, **changes))


def test_each_step_comes_after_those_that_it_needs(tmp_path: Path) -> None:
    arms = {"late": {"method": "edit", "start": "early"}, "early": {"method": "sft"}}
    steps = steps_of(study(tmp_path, arms=arms, claims=[], students={"tiny": {"pretrain": {}}}, data={"l": LESSON}))
    seen: set[str] = set()
    for name, step in steps.items():
        assert seen.issuperset(step.needs), name
        seen.add(name)
    assert list(steps)[:4] == [
        "pretrain tiny",
        "lesson tiny seed-0 l",
        "train tiny seed-0 early",
        "train tiny seed-0 late",
    ]
    assert steps["eval tiny seed-1"].needs == ("pretrain tiny", "train tiny seed-1 early", "train tiny seed-1 late")


@pytest.mark.parametrize(
    ("spec", "students", "runs"),
    [({}, ("a", "b"), 4), ({"vary": {}}, ("a", "b"), 2), ({"sits_exam": False}, ("a", "b"), 2)],
)
def test_a_lesson_is_run_once_for_all_that_share_it(
    tmp_path: Path, spec: dict[str, Any], students: tuple[str, ...], runs: int
) -> None:
    made = study(tmp_path, data={"l": LESSON | spec}, students={name: {"model": name} for name in students})
    lessons = [step for step in steps_of(made).values() if step.kind == "lesson"]
    assert len(lessons) == runs
    assert {step.out for step in lessons} == {run_of(made, name, seed, "l") for name in students for seed in (0, 1)}


def test_a_step_is_another_when_what_goes_into_it_changes(tmp_path: Path) -> None:
    before = steps_of(study(tmp_path))
    before_arm = study_data()["arms"]["more"]
    arms = {"sft": {"method": "sft", "flags": {"lr": 1}}, "more": before_arm}
    after = steps_of(study(tmp_path, arms=arms))
    more_seeds = steps_of(study(tmp_path, seeds=[0, 1, 2]))
    assert before["train base seed-0 sft"].inputs != after["train base seed-0 sft"].inputs
    assert before["train base seed-0 more"].inputs != after["train base seed-0 more"].inputs, "it goes on from sft"
    assert all(more_seeds[name].inputs == step.inputs for name, step in before.items())


def test_how_a_student_is_loaded_to_be_asked_makes_other_evals_but_no_other_trainings(tmp_path: Path) -> None:
    before = steps_of(study(tmp_path, students={"base": {"model": "m"}}))
    after = steps_of(study(tmp_path, students={"base": {"model": "m", "extra": {"dtype": "bfloat16"}}}))
    assert {name for name in before if before[name].inputs != after[name].inputs} == {
        name for name, step in before.items() if step.kind == "eval"
    }


def test_the_flags_of_a_training_are_those_of_errata_train(tmp_path: Path) -> None:
    arms = {
        "nat": {"method": "nat", "flags": {"use_peft": True}},
        "nce": {"method": "nce", "flags": {"nat_checkpoint": "arm:nat", "targets": ["a", "b"]}},
        "on": {"method": "sft", "start": "nat"},
    }
    made = study(tmp_path, arms=arms, claims=[])
    steps, home = steps_of(made), tmp_path / "runs/small/base/seed-1/students"
    assert training_words(made, steps["train base seed-1 nat"]) == [
        *("--dataset_name", "rows.jsonl", "--output_dir", str(home / "nat"), "--seed", "1"),
        *("--model_name_or_path", "somewhere/student", "--max_steps", "2", "--use_peft", "true"),
        *("--resume_from_checkpoint", "auto"),
    ]
    nce = training_words(made, steps["train base seed-1 nce"])
    assert nce[nce.index("--nat_checkpoint") + 1] == str(home / "nat")
    assert "--model_name_or_path" not in nce, "nce finds the base in nat's folder"
    assert nce[nce.index("--targets") + 1 :][:2] == ["a", "b"]
    on = training_words(made, steps["train base seed-1 on"])
    assert on[on.index("--model_name_or_path") + 1] == str(home / "nat")


SCHOOLS = {
    "taught": {"school": {}},
    "drawn": {"school": {"choose.by": "random"}},
    "on": {"method": "sft", "start": "taught"},
}


def test_a_school_is_a_step_of_its_own_and_its_standing_student_is_the_arms(tmp_path: Path) -> None:
    made = study(tmp_path, arms=SCHOOLS, claims=[], school={"recipe": "school.yaml"})
    steps, home = steps_of(made), tmp_path / "runs/small/base/seed-1/schools/taught"
    assert [name for name in steps if "seed-1" in name] == [
        "school base seed-1 taught",
        "school base seed-1 drawn",
        "train base seed-1 on",
        "eval base seed-1",
    ]
    step = steps["school base seed-1 taught"]
    assert (step.kind, step.out) == ("school", home)
    other = steps_of(study(tmp_path, arms=SCHOOLS, claims=[], school={"recipe": "school.yaml", "vary": {"seed": 9}}))
    assert other[step.name].inputs != step.inputs
    assert len({each.inputs for each in steps.values()}) == len(steps)

    with pytest.raises(UsageError, match="errata school"):
        training_words(made, steps["train base seed-1 on"])
    (home / "round-1/student").mkdir(parents=True)
    (home / "school.json").write_text('{"name": "taught", "student": "round-1/student"}')
    assert made_by(made, "base", 1, "taught") == home / "round-1/student"
    words = training_words(made, steps["train base seed-1 on"])
    assert words[words.index("--model_name_or_path") + 1] == str(home / "round-1/student")
    (home / "school.json").write_text('{"name": "taught", "student": "somewhere/student"}')
    assert made_by(made, "base", 1, "taught") == Path("somewhere/student"), "the untouched one stands"
