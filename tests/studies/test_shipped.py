"""The shipped studies: their arms are trainings that `errata train` takes, and one of them runs to its verdicts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from errata.cli import cli
from errata.starter import STUDY
from errata.studies.recipe import load_study
from errata.studies.steps import steps_of, training_words

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
    *(f"arms.{name}.flags.max_steps=2" for name in ("edit", "edit_repeat", "edit_beta0", "edit_first")),
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
