"""The lesson of a round as plain data: an ordinary recipe on what was chosen, for this student, within what is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from errata.errors import EXIT_DONE
from errata.runs.run_dir import RunDir
from errata.runs.transcripts import read_transcripts
from errata.school.nodes.lesson import lesson, lesson_data, recipe_in
from errata.school.places import Task, places
from errata.school.plan import plan_school
from errata.school.preflight import parts_of
from errata.school.recipe import SchoolRecipe, load_school
from errata.school.results import Payments, paid_by_lesson
from tests.school.school_data import LESSON, written

TASK = Task("lesson", 2, "students/now", usd=0.5, tokens=900)


def test_its_problems_student_exam_store_and_budget_are_the_schools(tmp_path: Path) -> None:
    student = {"model": "somewhere/student", "system": "Be brief.", "extra": {"dtype": "bfloat16"}}
    school = load_school(written(tmp_path, student=student, exam={"samples": 3, "top_p": 0.9, "max_tokens": 32}))
    here = places(school, 2)
    data, folder = lesson_data(school, TASK, only=here.choices)
    recipe = recipe_in(data, folder, school)
    assert (recipe.name, recipe.runs) == ("lesson", str(tmp_path / "runs/small/round-2"))
    assert recipe.store == str(tmp_path / "runs/small/.calls")
    assert (recipe.problems.only, recipe.problems.options, recipe.limit) == (
        str(here.choices),
        {"count": 12, "seed": 17},
        6,
    )
    asked = recipe.agents.student
    assert asked is not None
    assert (asked.name, asked.model, asked.system) == ("student", "local/students/now", "Be brief.")
    assert asked.extra == {"dtype": "bfloat16"}
    exam = recipe.model_dump()["settings"]["exam"]
    assert exam == {"samples": 3, "sampling": {"temperature": 0.7, "top_p": 0.9, "max_tokens": 32}}
    assert (recipe.budget.usd, recipe.budget.tokens) == (0.5, 900)


@pytest.mark.parametrize(
    ("own", "left"), [({"usd": 0.1, "calls": 7}, (0.1, 900, 7)), ({"tokens": 9999}, (0.5, 900, None))]
)
def test_its_own_budget_holds_where_it_is_smaller(tmp_path: Path, own: dict[str, Any], left: tuple[Any, ...]) -> None:
    school = load_school(written(tmp_path, lesson={**LESSON, "budget": own}))
    budget = recipe_in(*lesson_data(school, TASK), school).budget
    assert (budget.usd, budget.tokens, budget.calls) == left


def test_an_ordinary_recipe_in_a_file_serves_with_the_schools_parts_in_place_of_its_own(tmp_path: Path) -> None:
    ordinary = {
        **LESSON,
        "name": "ordinary",
        "seed": 4,
        "problems": {"source": "classroom", "options": {"count": 99}},
        "agents": {**LESSON["agents"], "student": {"name": "pupil", "model": "simulated/pupil"}},  # type: ignore[dict-item]
        "limit": 3,
    }
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons/ordinary.yaml").write_text(yaml.safe_dump(ordinary))
    school = load_school(written(tmp_path, lesson="lessons/ordinary.yaml", seed=5))
    data, folder = lesson_data(school, TASK)
    recipe = recipe_in(data, folder, school)
    assert folder == tmp_path / "lessons"
    assert (recipe.name, recipe.seed, recipe.limit, recipe.problems.options["count"]) == ("lesson", 5, 6, 12)
    assert recipe.agents.student is not None
    assert recipe.agents.student.name == "student"


# ---- a lesson over released rationales -------------------------------------------------------------------------------


def released(folder: Path) -> SchoolRecipe:
    """A school of four questions, whose teacher is a file of two replies to each."""
    rows = [
        {
            "question": f"What is {n} plus {n}?",
            "answer": 2 * n,
            "replies": [f"The answer is {2 * n}.", "I do not know."],
        }
        for n in range(1, 5)
    ]
    file = folder / "released.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    solve = {"file": str(file), "match": "question", "by": "question", "reply": "replies"}
    teacher = {"name": "gpt", "model": "recorded/gpt", "recorded": {"solve": solve}}
    taught = {"source": str(file), "mapping": {"question": "question", "answer": "answer", "kind": "number"}}
    recipe = {
        "stages": ["rationales"],
        "agents": {"teachers": [teacher]},
        "settings": {"rationales": {"samples": 2, "diversity": {"ngram": 3, "max_similarity": 1.0}}},
    }
    return load_school(written(folder, data=taught, lesson=recipe, choose={"by": "all", "count": 3, "rehearsal": 0}))


def test_a_lesson_over_recorded_replies_costs_no_call(tmp_path: Path) -> None:
    school = released(tmp_path)
    here = places(school, 1)
    here.folder.mkdir(parents=True)
    ids = [problem.id for problem in parts_of(school).taught]
    here.choices.write_text("".join(json.dumps({"id": name}) + "\n" for name in ids[:2]))
    (tmp_path / "student.gguf").touch()  # it is looked for, and asked for nothing
    assert lesson(school, Task("lesson", 1, str(tmp_path / "student.gguf"))) == EXIT_DONE
    run = RunDir(here.lesson)
    right = [
        (each.problem.id, [rationale.correct for rationale in each.rationales])
        for each in read_transcripts(run.log, run.index().in_input_order())
    ]
    assert right == [(name, [True, False]) for name in ids[:2]]
    assert paid_by_lesson(here.lesson) == Payments(0, 0, 0.0)


def test_a_plan_counts_no_recorded_reply(tmp_path: Path) -> None:
    planned = plan_school(released(tmp_path))["round"]
    assert planned["teacher_calls"] == planned["teacher_tokens"] == {"least": 0, "expected": 0, "most": 0}
    assert planned["cost_usd"]["expected"] == 0
    assert planned["own_answers"] == 4 * 2 + 8
