"""Ready tasks are what they say: as many problems, apart from what is trained on, gold answers that grade right."""

from __future__ import annotations

import json
from glob import glob
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from errata.classroom.problems import problems
from errata.cli import cli
from errata.config.env import expand
from errata.data.problems import Problems
from errata.data.source import Mapping, ProblemSource
from errata.errors import UsageError
from errata.evals.recipe import load_eval_recipe
from errata.evals.tasks import READY, Task, content_hash, meta_of, overlap_with, read_task, task_data
from errata.grading.grader import Grader
from errata.runs.recipe import load_recipe
from errata.starter import DEMO
from tests.released_data import DATA, FILES

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="set ERRATA_DATA to the folder with the data sets")
RECIPES = sorted((Path(__file__).parents[2] / "recipes" / "eval").glob("*.yaml"))
SIZES = {
    "gsm8k": 1319, "svamp": 300, "multiarith": 600, "aqua": 254, "commonsenseqa": 1221, "strategyqa": 229,
    "logiqa": 651, "math_counting": 771, "math_number_theory": 869, "classroom_id": 500,
}  # fmt: skip


@needs_data
@pytest.mark.parametrize("name", SIZES)
def test_a_ready_task_has_its_problems(name: str) -> None:
    task = read_task(name, READY[name])

    assert len(task.problems) == task.about()["n"] == SIZES[name]


@needs_data
def test_svamp_is_tested_on_what_is_not_trained_on() -> None:
    trained = Problems(ProblemSource(source=str(DATA / "mcc_kd/SVAMP/train.json"), mapping="mcc_kd_svamp"))
    task = read_task("svamp", READY["svamp"])

    assert not {each.question for each in trained} & {each.question for each in task.problems}
    assert "700 excluded" in " ".join(task.notes)


@needs_data
def test_committee_problems_among_the_test_problems_are_kept_out_of_training_by_the_recipe() -> None:
    """The released committee data was made from all of SVAMP, so that a part of it stands in the test set."""
    path = Path(__file__).parents[2] / "recipes" / "svamp_committee.yaml"
    recipe = load_recipe(path)
    committee = list(Problems(recipe.problems))
    tested = {each.question for each in read_task("svamp", READY["svamp"]).problems}

    kept_out = [source for source in recipe.eval_sets if "SVAMP.json" in source.source]
    assert any(each.question in tested for each in committee)
    assert kept_out
    assert {each.question for each in Problems(kept_out[0])} == tested
    assert "--exclude-overlap" in path.read_text(encoding="utf-8")


def test_every_ready_source_is_among_those_whose_gold_answers_are_graded() -> None:
    """tests/test_grading_data.py grades the gold answer of every record of these files."""
    graded = set(FILES)
    for name, task in READY.items():
        if task.source == "classroom":
            continue
        file = task.source.removeprefix("${ERRATA_DATA:-data}/")
        assert (file, task.mapping) in graded, name


@pytest.mark.parametrize("name", [name for name, task in READY.items() if task.source == "classroom"])
async def test_gold_answers_and_gold_solutions_of_the_classroom_grade_right(name: str) -> None:
    read = read_task(name, READY[name].model_copy(update={"limit": 100}))

    async with Grader() as grader:
        for problem in read.problems:
            assert problem.rationale is not None
            assert (await grader.grade(problem, problem.rationale)).correct
            assert (await grader.grade(problem, f"The answer is {problem.answer}.")).correct


def test_no_classroom_test_has_the_numbers_of_a_lesson() -> None:
    lesson = {each.meta["signature"] for each in Problems(load_recipe(DEMO).problems, 200)}
    lesson |= {each.meta["signature"] for each in problems({"split": "school", "count": 100})}

    for name, task in READY.items():
        if task.source == "classroom":
            few = task.model_copy(update={"limit": 100})
            tested = {each.meta["signature"] for each in read_task(name, few).problems}
            assert len(tested) > 60
            assert not tested & lesson, name


def task_of(name: str, changes: dict[str, Any]) -> Task:
    return Task.model_validate(task_data(name, changes))


def test_a_task_without_gold_answers_is_refused() -> None:
    with pytest.raises(UsageError, match=r"tasks\.mine\.gold is none") as caught:
        read_task("mine", Task(source="classroom", gold="none"))
    assert caught.value.why
    assert caught.value.do


def test_a_task_of_ones_own_is_a_source_and_a_mapping(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"q": "1 + 1?", "a": 2}\n{"q": "2 + 2?", "a": 4}\n')

    mapping = {"question": "q", "answer": "a", "kind": "number"}

    task = read_task("mine", task_of("mine", {"source": str(file), "mapping": mapping, "domain": "ood"}))

    assert [each.answer for each in task.problems] == ["2", "4"]
    assert meta_of(task, task.problems[0]) == {"gold": "2", "question": "1 + 1?", "split": "ood"}


def test_a_slip_in_a_tasks_name_is_one_error_with_the_nearest_name(tmp_path: Path) -> None:
    """It stood once as found, why and do inside the found of the recipe."""
    recipe = tmp_path / "eval.yaml"
    recipe.write_text("baseline: {name: untouched, model: simulated/pupil}\ntasks: {clasroom_id: {limit: 2}}\n")
    refused = CliRunner().invoke(cli, ["eval", str(recipe)])
    assert refused.exit_code == 2
    assert [line.split()[0] for line in refused.stderr.splitlines()] == ["found:", "why:", "do:"]
    assert "no ready task is called clasroom_id" in refused.stderr
    assert "did you mean classroom_id?" in refused.stderr


def test_a_ready_task_may_be_changed_in_part() -> None:
    task = task_of("classroom_ood4", {"options": {"seed": 5}, "limit": 7})

    assert task.options == {"split": "ood4", "count": 500, "seed": 5}
    assert (task.domain, task.limit) == ("ood", 7)
    with pytest.raises(UsageError, match="no ready task is called gsm"):
        task_of("gsm", {})


def test_the_hash_changes_with_question_and_answer() -> None:
    task = read_task("c", READY["classroom_id"].model_copy(update={"limit": 3})).problems
    changed = task[1].model_copy(update={"answer": "99"})

    assert content_hash(task) == content_hash(list(task))
    assert content_hash(task) != content_hash([task[0], changed, task[2]])


def test_overlap_is_found_in_exports_by_question_and_by_ngram(tmp_path: Path) -> None:
    task = read_task("c", READY["classroom_id"].model_copy(update={"limit": 4}))
    same, near, far = (each.question for each in task.problems[:3])
    tail = "\nReason step by step and end with: The answer is X."
    rows = [
        {"prompt": same.upper() + tail, "completion": "x"},
        {"messages": [{"role": "system", "content": far}, {"role": "user", "content": f"Listen . {near}" + tail}]},
    ]
    file = tmp_path / "sft.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    assert overlap_with([task], [str(file)]) == {"c": {"question": 1, "ngram": 1}}
    assert overlap_with([task], []) == {}
    with pytest.raises(UsageError, match="cannot be read"):
        overlap_with([task], [str(tmp_path / "none.jsonl")])


def test_options_of_an_exported_prompt_are_options_again(tmp_path: Path) -> None:
    mapping = Mapping(question="q", answer="a", kind="choice", choices="c")
    task = Task(source=str(tmp_path / "q.jsonl"), mapping=mapping)
    (tmp_path / "q.jsonl").write_text(json.dumps({"q": "Which?", "a": "B", "c": ["one", "two"]}) + "\n")
    export = tmp_path / "sft.jsonl"
    export.write_text(json.dumps({"prompt": "Which?\n\nA. one\nB. two\n\nReason step by step and end with: x"}) + "\n")

    assert overlap_with([read_task("q", task)], [str(export)]) == {"q": {"question": 1, "ngram": 0}}


@needs_data
@pytest.mark.parametrize(
    ("name", "steps"), [("gsm8k", {2, 3, 4, 5}), ("multiarith", {2}), ("strategyqa", {2, 3}), ("svamp", {1, 2})]
)
def test_steps_are_counted_where_the_data_tells_them(name: str, steps: set[int]) -> None:
    task = read_task(name, READY[name])

    counted = [meta_of(task, each).get("steps") for each in task.problems]
    assert steps <= set(counted)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_shipped_recipes_load_and_say_how_to_run_them(path: Path) -> None:
    recipe = load_eval_recipe(path)

    assert recipe.name == path.stem
    assert f"errata eval recipes/eval/{path.name}" in path.read_text(encoding="utf-8").partition("\n\n")[0]
    for task in recipe.tasks.values():
        if DATA.is_dir() and task.source != "classroom":
            assert glob(expand(task.source)), task.source
