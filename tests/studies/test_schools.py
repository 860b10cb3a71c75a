"""Arms that are schools: their recipe by arm and seed, how they end, what a plan and the results say of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from errata.errors import EXIT_BUDGET, EXIT_DONE, EXIT_INTERRUPTED, UsageError
from errata.school.preflight import parts_of
from errata.school.run import Outcome
from errata.school.saved import plain_recipe, save
from errata.studies.plan import plan_study
from errata.studies.recipe import StudyRecipe, load_study
from errata.studies.schools import (
    InProcess,
    SchoolEnded,
    check_schools,
    do_school,
    school_data,
    school_of_step,
    schools_found,
)
from errata.studies.steps import steps_of
from tests.studies.study_data import written

ROOT = Path(__file__).parents[2]
SCHOOL: dict[str, Any] = {
    "data": {"source": "classroom", "options": {"count": 12}},
    "exam": {"samples": 2, "max_tokens": 32},
    "choose": {"by": "reachable", "count": 6},
    "lesson": {
        "stages": ["exam", "rationales"],
        "agents": {"teachers": [{"name": "ada", "model": "simulated/ada"}]},
    },
    "train": {"method": "sft", "flags": {"max_steps": 2}},
    "judge": {"tasks": {"classroom_id": {"options": {"count": 8}}}, "decoding": {"max_tokens": 24}},
    "rounds": 2,
}
VARY = {"seed": 0, "data.options.seed": 100, "judge.tasks.classroom_id.options.seed": 5000}
TEACH = {"taught": "teachers", "own": "both"}
ALIKE = {"count": 12, "seed": 1, "split": "lesson"}
ARMS = {"taught": {"school": {}}, "drawn": {"school": {"choose.by": "random", "choose.like": "reachable"}}}


def study(folder: Path, **changes: Any) -> StudyRecipe:
    plain = {"arms": ARMS, "claims": [], "data": {}, "school": {"recipe": SCHOOL, "vary": VARY}} | changes
    return load_study(written(folder, **plain))


def test_a_school_is_the_recipe_with_the_arms_changes_the_seed_and_the_studys_student(tmp_path: Path) -> None:
    base = {"model": "m", "system": "Think.", "extra": {"dtype": "bfloat16"}}
    made = study(tmp_path, students={"base": base})
    school = school_of_step(made, steps_of(made)["school base seed-1 drawn"])
    assert (school.choose.by, school.choose.like, school.choose.count) == ("random", "reachable", 6)
    assert (school.seed, school.data.options["seed"], school.rounds) == (1, 101, 2)
    assert school.judge.tasks["classroom_id"]["options"]["seed"] == 5001
    assert school.student.model_dump(exclude_unset=True) == base
    assert school.home == tmp_path / "runs/small/base/seed-1/schools/drawn"
    assert made.school is not None
    assert made.school.recipe == SCHOOL, "the study's recipe stays as it is"


def test_a_school_in_a_file_names_what_it_needs_from_there(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/school.yaml").write_text(yaml.safe_dump(SCHOOL | {"lesson": "lesson.yaml"}))
    (tmp_path / "there/lesson.yaml").write_text(yaml.safe_dump(SCHOOL["lesson"]))
    made = study(tmp_path, school={"recipe": "there/school.yaml"})
    step = steps_of(made)["school base seed-0 taught"]
    assert school_data(made, step)[1] == tmp_path / "there/school.yaml"
    assert school_of_step(made, step).folder == tmp_path / "there"
    check_schools(made, [step], lambda line: None)


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ({"school": {"choose.by": "reachble"}}, r"choose\.by is reachble(.|\n)*reachable"),
        ({"school": {"choose.like": "reachble"}}, r"choose\.like is reachble"),
        ({"school": {"roundz": 1}}, "unknown key roundz"),
        (
            {"school": {"judge.tasks.classroom_id.options": {"count": 12, "seed": 1, "split": "lesson"}}},
            "may be taught",
        ),
    ],
)
def test_a_school_that_cannot_be_right_is_refused_before_anything_runs(
    tmp_path: Path, arm: dict[str, Any], words: str
) -> None:
    taught = SCHOOL | {"data": {"source": "classroom", "options": ALIKE}}
    made = study(tmp_path, arms={"a": arm}, school={"recipe": taught, "vary": {}})
    with pytest.raises(UsageError, match=words):
        check_schools(made, list(steps_of(made).values()), lambda line: None)


def test_a_school_of_another_recipe_is_refused_before_anything_runs_and_one_of_another_stop_goes_on(
    tmp_path: Path,
) -> None:
    arms = {"taught": ARMS["taught"]}
    made = study(tmp_path, arms=arms)
    steps = list(steps_of(made).values())
    later = school_of_step(made, steps[2])  # of the second seed
    later.home.mkdir(parents=True)
    save(later, plain_recipe(later, parts_of(later).code))

    patient = study(tmp_path, arms={"taught": {"school": {"stop.patience": 2, "rounds": 3}}})
    check_schools(patient, steps, lambda line: None)
    other = study(tmp_path, arms={"taught": {"school": {"choose.count": 5}}})
    with pytest.raises(UsageError, match=r"seed-1/schools/taught holds a school of another recipe: choose\.count is 6"):
        check_schools(other, steps, lambda line: None)


def test_a_plan_counts_schools_and_what_they_ask(tmp_path: Path) -> None:
    planned = plan_study(study(tmp_path))
    assert planned["steps"] == {"school": {"all": 4, "done": 0}, "eval": {"all": 2, "done": 0}}
    taught, drawn = planned["schools"]
    assert (taught["name"], taught["runs"], taught["rounds"], taught["problems"]) == ("taught", 2, 2, 6)
    assert taught["own_answers"] == 2 * (12 * 2 + 8)
    assert taught["teacher_tokens"] == drawn["teacher_tokens"] > 0
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("code", "error"), [(EXIT_BUDGET, None), (3, "round-1 lesson failed")])
def test_a_school_that_ends_before_its_last_round_is_no_arm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: str | None
) -> None:
    from errata.school.record import School

    made = study(tmp_path)
    step = steps_of(made)["school base seed-0 taught"]
    school = School(name="taught", stopped="the budget ended in round-1 lesson")
    monkeypatch.setattr("errata.school.run.run", lambda *_: Outcome(school, code, error))
    with pytest.raises(SchoolEnded, match=error or "the budget ended") as ended:
        do_school(made, step)
    assert ended.value.exit_code == code
    monkeypatch.setattr("errata.school.run.run", lambda *_: Outcome(school, EXIT_INTERRUPTED, None))
    assert do_school(made, step) == EXIT_INTERRUPTED


def test_a_node_that_is_interrupted_ends_the_school(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = study(tmp_path)
    worker = InProcess(school_of_step(made, steps_of(made)["school base seed-0 taught"]))
    request = {"step": "start", "log": str(tmp_path / "start.log"), "task": {"kind": "start", "round": 0}}
    monkeypatch.setattr("errata.school.worker.do", lambda school, asked: EXIT_DONE)
    assert worker.ask(request) == (EXIT_DONE, None)
    assert not worker.interrupted

    def interrupted(school: Any, asked: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("errata.school.worker.do", interrupted)
    assert worker.ask(request) == (EXIT_INTERRUPTED, None)
    assert worker.interrupted


def test_the_results_say_what_the_schools_came_to(tmp_path: Path) -> None:
    made = study(tmp_path)
    assert schools_found(made) == []
    accuracy = {"low": 0.0, "high": 1.0}
    rounds = [
        {"round": 1, "chosen": 4, "teacher_tokens": 10, "own_tokens": 5, "hours": 0.5, "forgotten": 0.02},
        {"round": 2, "chosen": 6, "teacher_tokens": 30, "own_tokens": 5, "hours": 0.5, "forgotten": -0.01},
    ]
    rounds = [each | {"accuracy": {"value": 0.5 + each["round"] / 10, **accuracy}} for each in rounds]
    start = {"accuracy": {"value": 0.4, **accuracy}, "hours": 0.25}
    record = {"name": "taught", "start": start, "rounds": rounds, "stopped": "all 2 rounds are done"}
    home = steps_of(made)["school base seed-1 taught"].out
    home.mkdir(parents=True)
    (home / "school.json").write_text(json.dumps(record))
    (found,) = schools_found(made)
    assert found == {
        "arm": "taught",
        "schools": 1,
        "rounds": 2.0,
        "chosen": 5.0,
        "teacher_tokens": 40.0,
        "own_tokens": 10.0,
        "hours": 1.25,
        "forgotten": pytest.approx(0.005),
        "forgotten_most": 0.02,
        "judged": [0.4, 0.6, 0.7],
        "ended": [{"student": "base", "seed": 1, "rounds": 2, "stopped": "all 2 rounds are done"}],
    }


@pytest.mark.slow
def test_a_study_of_schools_that_was_killed_goes_on_to_its_verdict(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from errata.cli import cli
    from errata.evals.results import read_eval
    from errata.steps.record import read_record

    flags = {"max_steps": 2, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "use_peft": False}
    flags |= {"gradient_checkpointing": False, "save_strategy": "no", "report_to": "none"}
    tiny = {"pretrain": {"problems": 64, "batch": 16, "examined": 4, "admitted": 0}}
    path = written(
        tmp_path,
        data={},
        seeds=[0],
        together=1,
        students={"tiny": tiny},
        training={},
        school={"recipe": SCHOOL | {"train": {"method": "sft", "flags": flags}, "rounds": 1}, "vary": VARY},
        arms={name: {"school": {"choose.by": "random", "teach": teach}} for name, teach in TEACH.items()},
        claims=[{"name": "c", "arm": "taught", "control": "own", "equal": ["teacher_tokens", "steps"]}],
        evals={"tasks": {"classroom_id": {"options": {"count": 6}}}, "decodings": {"greedy": {"max_tokens": 24}}},
    )
    home = tmp_path / "runs/small"
    command = [sys.executable, "-m", "errata", "study", str(path)]
    child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True)
    while not (home / "tiny/seed-0/schools/taught/logs/round-1-lesson.log").exists() and child.poll() is None:
        time.sleep(0.02)
    pattern = f"errata.studies.worker {child.pid} {path}"
    workers = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True).stdout
    assert workers
    for process in (child.pid, *(int(each) for each in workers.split())):
        os.kill(process, signal.SIGKILL)
    child.wait()
    assert [each.step for each in read_record(home)] == ["pretrain tiny"]

    done = CliRunner().invoke(cli, ["study", str(path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    results = json.loads((home / "study.json").read_bytes())
    assert results["claims"][0]["equal"]["steps"] is True
    taught, own = results["schools"]
    assert (taught["arm"], taught["rounds"], taught["schools"], own["arm"]) == ("taught", 1.0, 1, "own")
    training = read_eval(home / "tiny/seed-0/evals/taught-greedy").manifest.training
    assert training is not None
    assert training["teacher_tokens"] == taught["teacher_tokens"] > 0, "what was paid before the kill is counted once"
    assert (training["steps"], training["output"]) == (2, str(home / "tiny/seed-0/schools/taught/round-1/student"))
    steps = [each.step for each in read_record(home / "tiny/seed-0/schools/taught") if each.code == 0]
    assert len(steps) == len(set(steps)), "no node was done twice"
