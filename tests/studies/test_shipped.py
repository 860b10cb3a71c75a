"""The shipped studies: their arms are trainings that `errata train` takes, and one of them runs to its verdicts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from errata.cli import cli
from errata.starter import STUDY
from errata.studies.recipe import load_study
from errata.studies.schools import plan_schools, school_of_step
from errata.studies.steps import steps_of, training_words
from tests.released_data import DATA

RECIPES = sorted((Path(__file__).parents[2] / "recipes" / "study").glob("*/recipe.yaml"))
SMALL = [
    "seeds=[0,1]",
    "together=1",
    "students.embedded.pretrain={problems: 64, batch: 16, examined: 4, admitted: 0}",
    "training.max_steps=2",
    "training.logging_steps=1",
    "data.lesson.recipe.problems.options.count=16",
    "data.lesson.recipe.settings.dual_cot.warmup=4",
    *(f"evals.tasks.{task}.options.count=6" for task in ("classroom_id", "classroom_ood4", "classroom_dis2")),
    *(f"arms.{name}.flags.max_steps=2" for name in ("edit", "edit_repeat", "edit_beta0")),
]


def test_there_are_some() -> None:
    assert {path.parent.name for path in RECIPES} >= {"classroom", "svamp"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_each_arm_is_a_training_that_errata_takes(path: Path, tmp_path: Path) -> None:
    from errata.training.parse_args import parse

    study = load_study(path, [f"runs={tmp_path}"])
    assert study.name == path.parent.name
    assert f"recipes/study/{study.name}/recipe.yaml" in path.read_text(encoding="utf-8").partition("\n\n")[0]
    assert all(claim.source for claim in study.claims)
    for step in steps_of(study).values():
        if step.kind == "train" and step.seed == study.seeds[-1]:
            arguments = parse(study.arms[step.part].method, training_words(study, step))
            assert arguments.training.seed == step.seed
            assert arguments.training.output_dir == str(step.out)


@pytest.mark.parametrize("name", ["school", "school_svamp"])
def test_each_school_is_one_whose_trainings_errata_takes(name: str, tmp_path: Path) -> None:
    from errata.school.nodes.train import words
    from errata.school.places import Task
    from errata.steps.settings import method_beside
    from errata.training.parse_args import parse

    study = load_study(recipe_of(name), [f"runs={tmp_path}"])
    steps = [step for step in steps_of(study).values() if step.kind == "school" and step.seed == study.seeds[-1]]
    assert {step.part for step in steps} == set(study.arms)
    for step in steps:
        school = school_of_step(study, step)
        assert school.seed == step.seed
        method = method_beside(school.folder, school.train.method)
        arguments = parse(method, words(school, Task("train", 1, "students/now")))
        assert arguments.training.max_steps == school.train.flags["max_steps"]


@pytest.mark.skipif(not (DATA / "mcc_kd/SVAMP/train.json").is_file(), reason="no data in $ERRATA_DATA")
def test_a_school_over_released_rationales_pays_no_teacher(tmp_path: Path) -> None:
    study = load_study(recipe_of("school_svamp"), [f"runs={tmp_path}"])
    planned = {each["name"]: each for each in plan_schools(study, steps_of(study))}
    assert set(planned) == {"both", "own", "teachers"}
    for each in planned.values():
        assert (each["teacher_calls"], each["teacher_tokens"], each["cost_usd"]) == (0, 0, 0)
        assert (each["runs"], each["rounds"], each["own_answers"]) == (1, 2, 920)


@pytest.mark.skipif(not (DATA / "mcc_kd/SVAMP/train.json").is_file(), reason="no data in $ERRATA_DATA")
@pytest.mark.parametrize(("name", "right"), [("svamp_equations", 120), ("gsm8k_equations", 111)])
def test_the_equations_of_people_lead_line_by_line_to_the_answer(name: str, right: int, tmp_path: Path) -> None:
    lesson = recipe_of(name).with_name("equations.yaml")
    done = CliRunner().invoke(cli, ["synth", str(lesson), f"runs={tmp_path}", "limit=120"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    lines = (tmp_path / "equations/transcripts.jsonl").read_text().splitlines()
    texts = [each["text"] for line in lines for each in json.loads(line)["rationales"] if each["correct"]]
    assert len(texts) == right, "the others end otherwise than in an equation, or not in the answer"
    for text in texts:
        *steps, answer = text.splitlines()
        assert answer == f"The answer is {steps[-1].rpartition(' = ')[2]}."


def test_a_teachers_equations_are_asked_for_by_the_recipes_own_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHER", "simulated/ada")
    lesson = recipe_of("svamp_teacher").with_name("equations.yaml")
    words = ["synth", str(lesson), "problems={source: classroom}", "limit=5", f"runs={tmp_path}"]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    prompts = json.loads((tmp_path / "equations/manifest.json").read_bytes())["prompts"]
    assert [name for name in prompts if name.startswith("teacher/solve@")] == ["teacher/solve@1"]


def recipe_of(name: str) -> Path:
    return next(path for path in RECIPES if path.parent.name == name)


def test_each_arm_of_the_demo_is_a_training_that_errata_takes(tmp_path: Path) -> None:
    from errata.training.parse_args import parse

    study = load_study(STUDY, [f"runs={tmp_path}"])
    for step in steps_of(study).values():
        if step.kind == "train":
            assert parse(study.arms[step.part].method, training_words(study, step)).training.seed == step.seed


def test_the_claims_of_all_four_papers_are_there() -> None:
    study = load_study(next(path for path in RECIPES if path.parent.name == "classroom"))
    assert {arm.method for arm in study.arms.values()} == {"sft", "mapd", "edit", "mcc-kd", "nat", "nce"}
    assert len(study.claims) >= 12
    sources = " ".join(claim.source or "" for claim in study.claims)
    assert all(paper in sources for paper in ("MAPD", "EDIT", "MCC-KD", "NAT"))


@pytest.mark.slow
def test_two_small_seeds_run_from_lesson_to_verdict(tmp_path: Path) -> None:
    path = next(path for path in RECIPES if path.parent.name == "classroom")
    result = CliRunner().invoke(cli, ["study", str(path), f"runs={tmp_path}", *SMALL], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    results = json.loads((tmp_path / "classroom/study.json").read_bytes())
    assert [claim["name"] for claim in results["claims"]] == [claim.name for claim in load_study(path).claims]
    assert {claim["verdict"] for claim in results["claims"]} <= {"better", "worse", "not shown"}
    for claim in results["claims"]:
        clear = claim["low"] > 0 or claim["high"] < 0
        assert clear == (claim["verdict"] != "not shown"), claim["name"]
