"""What the demo does beyond the lesson, on a lesson of four problems and a student that has barely been to school."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import orjson
import pytest

from errata import demo
from errata.demo import OF_A_LESSON, forget_students_of_another_lesson, keep_untouched, study
from errata.exports.formats import FORMATS
from errata.models.files import find
from errata.runs.runner import synthesize
from errata.school.recipe import load_school
from errata.school.record import read_school
from errata.starter import ROUNDS, STUDY
from errata.studies.recipe import load_study
from errata.training.classroom_student.pretrain import Pretraining, pretrain
from tests.small_runs import small

BRIEF = Pretraining(problems=64, explained=0.3, batch=16, examined=4, admitted=0.0)
SHORT = ("seeds=[0,1]", "training.max_steps=2", "evals.tasks.classroom_id.options.count=12", "together=1")


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(synthesize(small(tmp_path_factory.mktemp("runs"), problems=4))).run


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrain(tmp_path_factory.mktemp("school"), BRIEF, quiet).path


def test_each_claim_between_the_first_and_the_sum_is_of_one_change_and_all_learn_from_the_same_teachers() -> None:
    recipe = load_study(STUDY)

    steps = [(claim.control, claim.arm) for claim in recipe.claims]
    assert steps == [
        ("untouched", "grader_only"),
        ("grader_only", "panel"),
        ("panel", "rectified"),
        ("rectified", "consistent"),
        ("grader_only", "consistent"),
    ]
    assert all({"target_tokens", "steps"} <= set(claim.equal) for claim in recipe.claims[1:])
    flags = {name: dict(arm.flags) for name, arm in recipe.arms.items()}
    assert flags["grader_only"].pop("control") == "grader_only"
    assert flags["grader_only"] == flags["panel"] == {"roles": "teacher"}
    assert flags["rectified"] == {}
    rows = recipe.training["per_device_train_batch_size"]
    assert flags["consistent"] == {"alpha": 0.1, "pairs": 1, "per_device_train_batch_size": rows / 2}, (
        "two of a problem"
    )
    assert len(recipe.seeds) >= 3


def test_the_data_sets_are_said_to_be_written_once_and_each_has_its_line(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("errata.waiting.AFTER_S", 0.0)
    monkeypatch.setattr("errata.waiting.EVERY_S", 60.0)

    demo._write_every_format(shutil.copytree(run, tmp_path / "run"))

    out, err = capsys.readouterr()
    assert err == "writing a data set of every format ...\n"
    names = [line.split()[0] for line in out.splitlines() if not line.startswith("overlap")]
    assert names == [form.name for form in FORMATS]


@pytest.mark.slow
def test_it_ends_with_the_claims_and_the_report_begins_with_them(
    run: Path, student: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    keep_untouched(copy, student)
    names = [claim.name for claim in load_study(STUDY).claims]

    code = study(copy, SHORT, quiet=True)

    told = capfd.readouterr().out
    assert code == 0
    assert len(told.splitlines()) < 30
    assert "Claims over 2 seeds" in told
    results = orjson.loads((copy / "study.json").read_bytes())
    assert [row["name"] for row in results["claims"]] == names
    assert all(row["equal"]["steps"] for row in results["claims"][1:])
    assert {row["arm"] for row in results["arms"]} == {"untouched", *load_study(STUDY).arms}
    page = (copy / "report.html").read_text(encoding="utf-8")
    head = page[: page.index("<section")]
    assert f"points: {names[0]}" in head
    assert all(name in head for name in names), "those for which it has no room are named"
    assert "Krippendorff" in page, "the lesson is told on the same page"


def test_students_of_another_lesson_are_removed_and_the_log_is_kept(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    for name in OF_A_LESSON:
        (copy / name / "x").mkdir(parents=True) if "." not in name else (copy / name).touch()

    forget_students_of_another_lesson(copy, 4)
    assert (copy / "students" / "x").is_dir()
    forget_students_of_another_lesson(copy, 5)

    assert not [name for name in OF_A_LESSON if (copy / name).exists()]
    assert (copy / "transcripts.jsonl").read_bytes() == (run / "transcripts.jsonl").read_bytes()


def test_the_untouched_student_has_a_name_that_stays(tmp_path: Path, student: Path) -> None:
    link = keep_untouched(tmp_path / "run", student)

    assert keep_untouched(tmp_path / "run", student) == link == tmp_path / "run" / "students" / "untouched"
    assert find(str(link)).fingerprint() == find(str(student)).fingerprint()


@pytest.mark.slow
def test_the_school_of_the_demo_admits_its_student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SCHOOL", tmp_path / "school")
    told: list[str] = []

    path = demo.schooled_student(told.append)

    assert (path / "model.safetensors").is_file()
    assert "solves" in told[-1]


def test_the_school_has_two_rounds_and_asks_nobody_but_simulated_teachers() -> None:
    school = load_school(ROUNDS)
    assert (school.rounds, school.name, school.teach) == (2, "demo-school", "teachers")
    assert isinstance(school.lesson, dict)
    assert all(teacher["model"].startswith("simulated/") for teacher in school.lesson["agents"]["teachers"])


@pytest.mark.slow
def test_the_school_teaches_the_schooled_student_and_names_the_one_that_stands(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "schooled_student", lambda tell: student)
    shorter = (
        f"runs={tmp_path}",
        "exam.samples=2",
        "choose={by: random, count: 6}",
        "train.flags.max_steps=2",
        "judge.tasks.classroom_id.options.count=12",
        "stop.forgetting=100",
    )
    assert demo.rounds(12, shorter, quiet=True) == 0
    told = capfd.readouterr().out
    assert "School demo-school" in told
    assert "round 2" in told
    school = read_school(tmp_path / "demo-school")
    assert f"student   {tmp_path / 'demo-school' / str(school.student)}" in told
