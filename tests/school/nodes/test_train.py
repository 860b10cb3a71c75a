"""The flags of a round's training: what the school sets, whose rationales, and half the rate of a repeated one."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.errors import EXIT_DONE, Diverged, ErrataError, NothingToLearn, UsageError
from errata.school.nodes.exam import start
from errata.school.nodes.train import flags, has_diverged, nothing_learned, train, words
from errata.school.places import Task, places
from errata.school.recipe import load_school
from tests.school.school_data import written

TASK = Task("train", 2, "students/now")


def test_it_goes_on_from_the_student_with_the_rounds_lesson_and_a_seed_of_its_own(tmp_path: Path) -> None:
    school = load_school(written(tmp_path, seed=10, train={"flags": {"use_peft": False, "learning_rate": 1e-3}}))
    told = flags(school, TASK)
    assert told == {
        "dataset_name": [str(tmp_path / "runs/small/round-2/lesson")],
        "output_dir": str(tmp_path / "runs/small/round-2/student"),
        "model_name_or_path": "students/now",
        "seed": 12,
        "use_peft": False,
        "learning_rate": 1e-3,
        "resume_from_checkpoint": "auto",
    }
    assert words(school, TASK)[-6:] == [
        "--use_peft",
        "false",
        "--learning_rate",
        "0.001",
        "--resume_from_checkpoint",
        "auto",
    ]


@pytest.mark.parametrize(
    ("teach", "roles"), [("teachers", None), ("self", ["self"]), ("both", ["student", "teacher", "self"])]
)
def test_whose_rationales_are_learned_from(tmp_path: Path, teach: str, roles: list[str] | None) -> None:
    assert flags(load_school(written(tmp_path, teach=teach)), TASK).get("roles") == roles


def test_a_repeated_training_has_half_the_rate_and_an_output_of_its_own(tmp_path: Path) -> None:
    school = load_school(written(tmp_path, train={"flags": {"learning_rate": 1e-3}}))
    told = flags(school, TASK._replace(again=True))
    assert told["learning_rate"] == 5e-4
    assert told["output_dir"].endswith("round-2/student-again")
    file = tmp_path / "mix.yaml"
    file.write_text("learning_rate: 4.0e-5\n")
    school = load_school(written(tmp_path, train={"config": "mix.yaml"}))
    told = flags(school, TASK._replace(again=True))
    assert (told["config"], told["learning_rate"]) == (str(file), 2e-5)


def test_a_flag_that_no_training_takes_is_refused_before_the_student_is_judged(tmp_path: Path) -> None:
    school = load_school(written(tmp_path, train={"flags": {"learning_rat": 1e-3}}))
    with pytest.raises(UsageError, match=r"learning_rat(.|\n)*learning_rate"):
        start(school, Task("start", 0, ""))
    assert not (tmp_path / "runs").exists()


def test_divergence_is_what_its_file_says(tmp_path: Path) -> None:
    here = places(load_school(written(tmp_path)), 1)
    here.student(again=True).mkdir(parents=True)
    (here.student(again=True) / "diverged.json").write_text("{}")
    assert has_diverged(here, again=True)
    assert not has_diverged(here, again=False)


@pytest.mark.parametrize("error", [NothingToLearn, Diverged])
def test_a_training_that_cannot_be_done_leaves_why_once_and_is_not_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[ErrataError]
) -> None:
    begun: list[str] = []

    def main(*_: object) -> int:
        begun.append("training")
        raise error("what was found", "why", "what to do")

    monkeypatch.setattr("errata.training.job.main", main)
    school = load_school(written(tmp_path))
    here = places(school, 2)
    assert nothing_learned(here, again=False) is None
    for _ in range(2):
        assert train(school, TASK) == EXIT_DONE
    assert begun == ["training"]
    empty = error is NothingToLearn
    assert nothing_learned(here, again=False) == ("what was found" if empty else None)
    assert has_diverged(here, again=False) is not empty
