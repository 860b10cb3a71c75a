"""What the demo does beyond the lesson, on a lesson of four problems and a student that has barely been to school."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from pathlib import Path

import pytest

from errata import demo
from errata.demo import forget_students_of_another_lesson, judge, keep_untouched, report, shortened, teach
from errata.errors import ErrataError
from errata.models.files import find
from errata.runs.runner import synthesize
from errata.training.checkpoints import manifest_of
from errata.training.classroom_student.pretrain import Pretraining, pretrain
from tests.small_runs import small

BRIEF = Pretraining(problems=64, explained=0.3, batch=16, examined=4, admitted=0.0)
STUDENTS = ("committee", "plain", "untouched")
SHORT = ["--num_train_epochs", "1", "--save_strategy", "no"]


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(synthesize(small(tmp_path_factory.mktemp("runs"), problems=4))).run


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrain(tmp_path_factory.mktemp("school"), BRIEF, quiet).path


@pytest.mark.slow
def test_two_students_are_taught_as_many_tokens_of_two_kinds_of_rationales(run: Path, student: Path) -> None:
    told: list[str] = []

    folders = teach(run, student, told.append, SHORT)

    committee, plain = (manifest_of(folders[name]) for name in ("committee", "plain"))
    assert committee["status"] == plain["status"] == "finished"
    assert plain["target_tokens_an_epoch"] == pytest.approx(committee["target_tokens_an_epoch"], abs=40)
    assert [term["term"] for term in committee["objective"]] == ["likelihood", "consistency"]
    assert plain["config"]["data"]["authors"] == ["ada"]
    assert committee["student"]["fingerprint"] == plain["student"]["fingerprint"] is not None
    assert [line for line in told if "errata train sft" in line]
    assert {line.split()[0] for line in told if " steps " in line} == {"committee", "plain"}


def test_the_three_students_are_judged_on_the_same_problems_and_the_report_is_written(
    run: Path, student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("students"))
    keep_untouched(copy, student)
    for name in ("plain", "committee"):
        (copy / "students" / name).symlink_to(student)
    few = [f"tasks.classroom_{split}.options.count=4" for split in ("id", "ood4", "dis2")]

    code = judge(copy, [*few, "decodings.greedy.max_tokens=8"], quiet=True)
    path = report(copy, quiet)

    assert code == 0
    assert {each.name for each in (copy / "evals").iterdir()} == {f"{name}-greedy" for name in STUDENTS}
    told = capsys.readouterr().out
    assert all(f"{left} - {right}" in told for left, right in itertools.combinations(STUDENTS, 2))
    assert Path(path) == copy / "report.html"
    assert "classroom_ood4" in Path(path).read_text(encoding="utf-8")


def test_a_training_that_fails_is_told_with_its_own_words(run: Path, student: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("students"))

    with pytest.raises(ErrataError, match=r"--learning_rat is not known(?s:.*)`committee` ended with exit code 2"):
        teach(copy, student, quiet, ["--learning_rat", "1"])
    assert not (copy / "students").exists()


def test_students_of_another_lesson_are_removed_and_the_log_is_kept(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    for name in ("students", "evals"):
        (copy / name / "x").mkdir(parents=True, exist_ok=True)

    forget_students_of_another_lesson(copy, 4)
    assert (copy / "students" / "x").is_dir()
    forget_students_of_another_lesson(copy, 5)

    assert not (copy / "students").exists()
    assert not (copy / "evals").exists()
    assert (copy / "transcripts.jsonl").read_bytes() == (run / "transcripts.jsonl").read_bytes()


def test_the_untouched_student_has_a_name_that_stays(tmp_path: Path, student: Path) -> None:
    link = keep_untouched(tmp_path / "run", student)

    assert keep_untouched(tmp_path / "run", student) == link == tmp_path / "run" / "students" / "untouched"
    assert find(str(link)).fingerprint() == find(str(student)).fingerprint()


def test_what_a_training_says_is_shortened() -> None:
    logged = "{'loss': '0.5', 'loss/nll/right': '0.25', 'epoch': '1.5', 'grad_share/nll/right': '1'}"
    assert shortened(logged) == "epoch 1.5: loss/nll/right 0.2500"
    assert shortened("tokens    1,200 to be learned an epoch") == "tokens    1,200 to be learned an epoch"
    assert shortened("{'loss': broken") is None
    assert shortened("Loading weights: 100%") is None


@pytest.mark.slow
def test_the_school_of_the_demo_admits_its_student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SCHOOL", tmp_path / "school")
    told: list[str] = []

    path = demo.schooled_student(told.append)

    assert (path / "model.safetensors").is_file()
    assert "solves" in told[-1]
