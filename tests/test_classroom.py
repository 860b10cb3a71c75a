"""The study of every method over several seeds: its recipe holds together, and it runs from lesson to comparison."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.classroom import UNTOUCHED, compared, load_study, one_seed, words
from errata.errors import UsageError
from errata.training.classroom_student.pretrain import Pretraining, pretrain

RECIPE = Path(__file__).parents[1] / "recipes" / "classroom.yaml"
METHODS = {"sft", "mapd", "edit", "mcc-kd", "nat", "nce"}
SMALL = [
    "training.max_steps=2",
    "training.logging_steps=1",
    "lesson.problems.options.count=16",
    "lesson.settings.dual_cot.warmup=4",
    "judging.tasks.classroom_id.options.count=12",
    "judging.tasks.classroom_ood4.options.count=6",
    "judging.tasks.classroom_dis2.options.count=6",
    *(f"arms.{name}.flags.max_steps=2" for name in ("edit", "edit_repeat", "edit_beta0")),
]


def test_every_method_is_there_with_its_control() -> None:
    study = load_study(RECIPE, [])

    assert {arm.method for arm in study.arms.values()} == METHODS
    assert len(study.seeds) >= 3
    done: set[str] = set()
    for name, arm in study.arms.items():
        assert arm.start is None or arm.start in done, f"{name} starts from what is trained later"
        assert arm.control is None or arm.control in study.arms
        done.add(name)
    held = {arm.method for arm in study.arms.values() if arm.control}
    assert held == METHODS
    assert ("sft", UNTOUCHED) in study.planned()


def test_flags_are_those_of_errata_train(tmp_path: Path) -> None:
    from errata.training.parse_args import parse

    study = load_study(RECIPE, [f"runs={tmp_path}"])

    for name, arm in study.arms.items():
        arguments = parse(arm.method, words(study, 3, name, Path("student")))
        assert arguments.training.seed == 3
        assert arguments.data.dataset_name == [str(study.run(3))]
        assert arguments.training.output_dir == str(study.run(3) / "students" / name)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean arms"):
        load_study(RECIPE, ["arm.sft.method=sft"])


@pytest.mark.slow
def test_two_small_seeds_run_from_lesson_to_comparison(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    school = Pretraining(problems=64, examined=10, admitted=0)
    pretrain(tmp_path / "school", school, lambda _: None)
    study = load_study(
        RECIPE, [f"runs={tmp_path}", "seeds=[0, 1]", "school={problems: 64, examined: 10, admitted: 0}", *SMALL]
    )

    for seed in study.seeds:
        one_seed(study, seed)
    found = compared(study)

    assert {arm.name for arm in found.arms} == {UNTOUCHED, *study.arms}
    assert all(arm.seeds == (0, 1) for arm in found.arms)
    assert len(found.differences) == 3 * len(study.planned())
    assert all(len(each.by_seed) == 2 for each in found.differences)
    trained = next(arm for arm in found.arms if arm.name == "mapd")
    assert trained.target_tokens
    log = trained.evals[0].manifest.training["log"]  # type: ignore[index]
    assert any("loss" in entry for entry in log)
