"""What a step reads from elsewhere: another file, checkpoint or variable under the same name is another step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from errata.studies.contents import contents_of
from errata.studies.recipe import load_study
from errata.studies.steps import steps_of
from tests.studies.study_data import study_data, written

LESSON: dict[str, Any] = {
    "stages": ["rationales"],
    "problems": {"source": "questions.jsonl"},
    "prompts": "prompts",
    "grader": "own/grader.py:GRADER",
    "agents": {"teachers": [{"name": "ada", "model": "${TEACHER:-simulated/ada}"}]},
}
TEXTS = {
    "lesson.yaml": yaml.safe_dump(LESSON),
    "questions.jsonl": "{}",
    "prompts/teacher/solve.md": "Solve.",
    "own/grader.py": "GRADER = 1",
    "student.gguf": "weights",
    "rows.jsonl": "{}",
    "vote.py": "VOTE = 1",
    "method.py": "METHOD = 1",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in TEXTS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def contents(folder: Path, **changes: Any) -> dict[str, str]:
    """By a step's name of seed 0, the hash of what it reads."""
    plain = {
        "students": {"base": {"model": "${STUDENT:-student.gguf}"}},
        "data": {"lesson": {"recipe": "lesson.yaml"}, "rows": {"paths": ["rows.jsonl"]}},
        "arms": {"own": {"method": "method.py:METHOD", "data": "rows"}, "sft": {"method": "sft", "data": "lesson"}},
        "claims": [],
        "evals": {
            "tasks": {"own": {"source": "questions.jsonl"}},
            "decodings": {"greedy": {"vote": "vote.py:VOTE", "samples": 2, "temperature": 1}},
        },
    }
    study = load_study(written(folder, **plain | changes))
    return {name: contents_of(study, step) for name, step in steps_of(study).items() if step.seed == 0}


NAMES = ["lesson base seed-0 lesson", "train base seed-0 own", "train base seed-0 sft", "eval base seed-0"]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("lesson.yaml", {"lesson"}),
        ("questions.jsonl", {"lesson", "eval"}),
        ("prompts/teacher/solve.md", {"lesson"}),
        ("own/grader.py", {"lesson"}),
        ("student.gguf", {"lesson", "own", "sft", "eval"}),
        ("rows.jsonl", {"own"}),
        ("vote.py", {"eval"}),
        ("method.py", {"own"}),
        ("README.md", set()),
    ],
)
def test_a_file_counts_for_the_steps_that_read_it(folder: Path, file: str, expected: set[str]) -> None:
    before = contents(folder)
    assert sorted(before) == sorted(NAMES)
    (folder / file).write_text(yaml.safe_dump(LESSON | {"seed": 3}) if file == "lesson.yaml" else "another text")
    after = contents(folder)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in NAMES if name.rpartition(" ")[2] in expected or name.split()[0] in expected}


def test_a_remark_in_a_recipe_or_its_concurrency_is_no_change(folder: Path) -> None:
    before = contents(folder)
    (folder / "lesson.yaml").write_text("# why\n" + yaml.safe_dump(LESSON | {"concurrency": 3}))
    assert contents(folder) == before


def test_a_variable_counts_by_what_it_stands_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(folder)
    monkeypatch.setenv("TEACHER", "simulated/ben")
    teacher = contents(folder)
    assert {name for name in NAMES if before[name] != teacher[name]} == {"lesson base seed-0 lesson"}
    (folder / "copy").mkdir()
    (folder / "copy/student.gguf").write_text("weights")
    (folder / "other.gguf").write_text("other weights")
    monkeypatch.delenv("TEACHER")
    monkeypatch.setenv("STUDENT", "copy/student.gguf")
    assert contents(folder) == before, "the same weights elsewhere"
    monkeypatch.setenv("STUDENT", str(folder / "other.gguf"))
    other = contents(folder)
    assert all(before[name] != other[name] for name in NAMES)


def test_arms_are_judged_under_their_names(folder: Path) -> None:
    students = {name: {"model": "student.gguf"} for name in ("base", "second")}
    assert contents(folder, students=students)["eval base seed-0"] != contents(folder)["eval base seed-0"]
    arms = {"renamed": {"method": "method.py:METHOD", "data": "rows"}, "sft": {"method": "sft", "data": "lesson"}}
    assert contents(folder, arms=arms)["eval base seed-0"] != contents(folder)["eval base seed-0"]


def test_a_run_counts_by_its_log_and_a_school_by_its_lesson(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run/transcripts.jsonl").write_text("{}")
    data = {"lesson": {"recipe": "lesson.yaml"}, "rows": {"paths": ["run"]}}
    before = contents(folder, data=data)
    (folder / "run/report.html").write_text("a page")
    assert contents(folder, data=data) == before
    (folder / "run/transcripts.jsonl").write_text("{}\n{}")
    after = contents(folder, data=data)
    assert {name for name in before if before[name] != after[name]} == {"train base seed-0 own"}

    (folder / "school.yaml").write_text(yaml.safe_dump({"lesson": "lesson.yaml"}))
    school = study_data() | {"arms": {"taught": {"school": {}}}, "data": {}, "claims": []}
    school |= {"school": {"recipe": "school.yaml"}, "students": {"base": {"model": "student.gguf"}}}
    taught = contents(folder, **school)["school base seed-0 taught"]
    (folder / "prompts/teacher/solve.md").write_text("Solve it.")
    assert contents(folder, **school)["school base seed-0 taught"] != taught
