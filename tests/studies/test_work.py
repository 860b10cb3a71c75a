"""What a step does: the recipe of a seed's lesson and of its evals, as the study's recipe and its seed make them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from errata.studies.recipe import load_study
from errata.studies.steps import steps_of
from errata.studies.work import eval_data, lesson_data
from tests.studies.study_data import written

RECIPE = {
    "problems": {"source": "classroom", "options": {"count": 5}},
    "agents": {"teachers": [{"name": "ada", "model": "simulated/ada"}]},
    "settings": {"rationales": {"samples": 4}},
}


def test_a_lesson_is_the_recipe_with_the_studys_changes_seed_student_and_place(tmp_path: Path) -> None:
    (tmp_path / "lesson.yaml").write_text(yaml.safe_dump(RECIPE))
    data = {
        "recipe": "lesson.yaml",
        "vary": {"seed": 0, "problems.options.seed": 100},
        "changes": {"settings.rationales.samples": 1},
    }
    base = {"model": "m", "system": "Think.", "extra": {"dtype": "bfloat16"}}
    study = load_study(written(tmp_path, data={"l": data}, students={"base": base}))
    made, folder = lesson_data(study, steps_of(study)["lesson base seed-1 l"])
    assert made["seed"] == 1
    assert made["problems"]["options"] == {"count": 5, "seed": 101}
    assert made["settings"]["rationales"]["samples"] == 1
    assert made["agents"]["student"] == {"name": "student", "model": "local/m"} | {
        k: base[k] for k in ("system", "extra")
    }
    assert Path(made["runs"]) / made["name"] == tmp_path / "runs/small/base/seed-1/data/l"
    assert folder == tmp_path


def test_evals_are_of_the_untouched_student_and_every_arm_on_the_seeds_items(tmp_path: Path) -> None:
    evals = {"tasks": {"classroom_id": {"options": {"count": 8}}}, "vary": {"options.seed": 1000}}
    students = {"a": {"model": "one"}, "b": {"model": "two", "extra": {"dtype": "bfloat16"}}}
    study = load_study(written(tmp_path, evals=evals, students=students))
    made = eval_data(study, steps_of(study)["eval b seed-1"])
    assert made["tasks"] == {"classroom_id": {"options": {"count": 8, "seed": 1001}}}
    alike = {"replicate": 1, "extra": {"dtype": "bfloat16"}}
    assert made["baseline"] == {"name": "untouched", "label": "b:untouched", "model": "local/two", **alike}
    assert [(model["name"], model["label"]) for model in made["models"]] == [("sft", "b:sft"), ("more", "b:more")]
    assert all(alike.items() <= model.items() for model in made["models"])
    assert study.evals.tasks == evals["tasks"], "the recipe itself stays as it is"


@pytest.mark.parametrize(("temperature", "seed"), [(0, 0), (0.7, 1), (None, 1)])
def test_seeds_share_what_greedy_decoding_gives_and_nothing_that_is_drawn(
    tmp_path: Path, temperature: float | None, seed: int
) -> None:
    decodings = {"greedy": {}, "other": {"temperature": temperature}}
    evals = {"tasks": ["classroom_id"], "decodings": decodings}
    study = load_study(written(tmp_path, claims=[], evals=evals))
    assert eval_data(study, steps_of(study)["eval base seed-1"])["seed"] == seed


def test_a_decoding_weighs_votes_by_the_ranker_of_its_seed_which_sits_no_eval(tmp_path: Path) -> None:
    votes = {"samples": 4, "temperature": 0.7, "vote": "1+2s", "ranker": "arm:judge"}
    study = load_study(
        written(
            tmp_path,
            arms={"sft": {"method": "sft"}, "judge": {"method": "ranker", "start": "sft"}},
            claims=[],
            evals={"tasks": ["classroom_id"], "decodings": {"weighted": votes}},
        )
    )
    step = steps_of(study)["eval base seed-1"]
    made = eval_data(study, step)
    ranker = tmp_path / "runs/small/base/seed-1/students/judge"
    assert made["decodings"] == {"weighted": {**votes, "ranker": str(ranker), "ranker_label": "judge"}}
    assert [model["name"] for model in made["models"]] == ["sft"]
    assert "train base seed-1 judge" in step.needs
