"""A real school over the faculty and a tiny student: killed in every node, stopped, poor, diverging, left alone."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from errata.cli import cli
from errata.school.places import Task
from errata.school.recipe import load_school
from errata.school.record import School, read_school
from errata.school.run import run
from errata.steps.record import read_record
from tests.school.school_data import LESSON, written
from tests.school.scripted import Scripted

ROOT = Path(__file__).parents[2]
FLAGS = {
    "max_steps": 2,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 1,
    "learning_rate": 3e-4,
    "use_peft": False,
    "activation_checkpointing": False,
    "save_strategy": "no",
    "logging_steps": 1,
    "report_to": "none",
    "disable_tqdm": True,
}
STUDENT: dict[str, Any] = {"problems": 64, "batch": 16, "examined": 4, "admitted": 0}
PATIENT = {"forgetting": 100, "patience": 9}
NODES = ("start", "round-1-exam", "round-1-choose", "round-1-lesson", "round-1-train", "round-1-judge")


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student that knows next to nothing, made once."""
    from errata.training.classroom_student.pretrain import Pretraining, pretrain

    return pretrain(tmp_path_factory.mktemp("student"), Pretraining(**STUDENT), print).path


def real(folder: Path, student: Path | None = None, **changes: Any) -> Path:
    origin = {"pretrain": STUDENT} if student is None else {"model": str(student)}
    train = {"method": "sft", "flags": FLAGS}
    return written(folder, **({"student": origin, "train": train, "stop": {"forgetting": 100}} | changes))


def command(path: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "errata", "school", str(path), *more]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "none"}


def errata(*words: str) -> Any:
    return CliRunner().invoke(cli, list(words), catch_exceptions=False)


def weights(home: Path, record: School) -> list[str]:
    """Hashes of the students of all rounds."""
    files = [home / str(each.student) / "model.safetensors" for each in record.rounds]
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def ran(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """A school whose paths are relative to where it is begun, so that two of them write the same bytes."""
    return subprocess.run(
        command(Path("small.yaml"), *more), cwd=folder, env=environment(), capture_output=True, text=True
    )


def killed_in(folder: Path, node: str) -> bool:
    """Begins the school and kills its command, alone, as soon as the node is begun; whether it was on its way."""
    home = folder / "runs/small"
    log = home / f"logs/{node}.log"
    child = subprocess.Popen(command(Path("small.yaml")), cwd=folder, env=environment(), stderr=subprocess.DEVNULL)
    while not log.exists() and child.poll() is None:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    return step_of(node) not in {each.step for each in read_record(home)}


def step_of(node: str) -> str:
    """The name of a node by that of its log."""
    return node if node == "start" else " ".join(node.rsplit("-", 1))


class Alone(Scripted):
    """A worker of plain files that is never interrupted."""

    def listening(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_its_record_is_there_from_the_first_node_on_and_says_that_it_goes_on(tmp_path: Path) -> None:
    school = load_school(written(tmp_path, rounds=1))
    seen: list[str | None] = []

    def look(task: Task) -> None:
        seen.append(read_school(school.home).stopped)

    done = run(school, Alone(school, fate=look), print)
    assert (done.code, done.school.stopped) == (0, "its one round is done")
    more = load_school(written(tmp_path, rounds=2))
    run(more, Alone(more, fate=look), print)
    assert seen == [None] * 11
    assert read_school(school.home).stopped == "all 2 rounds are done"


@pytest.mark.slow
def test_a_school_killed_in_every_node_has_the_same_students_choices_and_verdicts(
    tmp_path: Path, student: Path
) -> None:
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
        real(tmp_path / name, student, runs="runs")
    done = ran(tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    for node in NODES:
        assert killed_in(tmp_path / "broken", node), f"{node} was over before it was killed"
    done = ran(tmp_path / "broken")
    assert done.returncode == 0, done.stderr

    there, home = tmp_path / "whole/runs/small", tmp_path / "broken/runs/small"
    expected, record = read_school(there), read_school(home)
    assert record.stopped == expected.stopped
    assert len(record.rounds) == 2
    for ours, theirs in zip(record.rounds, expected.rounds, strict=True):
        assert ours.model_copy(update={"hours": 0.0}) == theirs.model_copy(update={"hours": 0.0})
    assert weights(home, record) == weights(there, expected)
    for number in (1, 2):
        for name in ("choices.jsonl", "lesson/transcripts.jsonl", "judge/evals/student-judge/items.jsonl"):
            one, other = (folder / f"round-{number}" / name for folder in (home, there))
            assert sorted(one.read_bytes().splitlines()) == sorted(other.read_bytes().splitlines())
    finished = [each.step for each in read_record(home) if each.code == 0]
    assert len(finished) == len(set(finished)) == 11, "no node was done twice"


@pytest.mark.slow
def test_every_verb_works_on_a_round_and_another_recipe_is_refused(tmp_path: Path) -> None:
    path, home = real(tmp_path, stop=PATIENT), tmp_path / "runs/small"
    result = errata("school", str(path), "--json")
    assert json.loads(result.stdout) == json.loads((home / "school.json").read_bytes())
    lesson = str(home / "round-1/lesson")
    status = json.loads(errata("status", lesson, "--json").stdout)
    assert status["problems"]["done"] == 6
    assert status["student"]["answers"] == 12, "its exam is in the lesson's log"
    manifest = json.loads((home / "round-1/lesson/manifest.json").read_bytes())
    assert manifest["spent"]["all_runs"]["stages"]["exam"]["paid"] == 0, "and was asked for nothing anew"
    assert errata("export", lesson, "--format", "sft", "--out", str(tmp_path / "sft.jsonl")).exit_code == 0
    judged = [str(home / f"round-{number}/judge/evals/student-judge") for number in (1, 2)]
    compared = json.loads(errata("compare", str(home / "start/evals/student-judge"), *judged, "--json").stdout)
    assert [arm["name"] for arm in compared["arms"]] == ["untouched", "round-1", "round-2"]
    assert [arm["baseline"] for arm in compared["arms"]] == [True, False, False]
    planned = json.loads(errata("plan", str(path), "rounds=5", "--json").stdout)
    assert planned["rounds"] == {"all": 5, "done": 2, "left": 3, "stopped": "all 2 rounds are done"}
    assert planned["next"]["teacher_tokens"] > 0
    assert planned["left"]["hours"] > 0

    refused = errata("school", str(path), "exam.samples=3")
    assert refused.exit_code == 2
    assert "exam.samples is 2 there, 3 here" in refused.output


@pytest.mark.slow
def test_ctrl_c_stops_within_a_node_and_a_second_command_at_work_is_refused(tmp_path: Path, student: Path) -> None:
    path, home = real(tmp_path, student), tmp_path / "runs/small"
    with begun_until(path, home / "logs/start.log") as child:
        second = errata("school", str(path))
        assert second.exit_code == 2
        assert f"is in use by process {child.pid}" in second.output
        child.send_signal(signal.SIGINT)
        _, told = child.communicate()
    assert child.returncode == 130
    assert "stopping: the node at work ends where it can go on from" in told
    assert read_record(home)[-1].code == 130


@pytest.mark.slow
def test_after_ctrl_c_in_a_lesson_and_in_a_later_training_the_same_command_goes_on(
    tmp_path: Path, student: Path
) -> None:
    path, home = real(tmp_path, student), tmp_path / "runs/small"
    for node in ("round-1-lesson", "round-2-train"):
        with begun_until(path, home / f"logs/{node}.log") as child:
            child.send_signal(signal.SIGINT)
            child.communicate()
        assert child.returncode == 130
        ended = read_record(home)[-1]
        assert ended.step == step_of(node)
        assert ended.code != 0
        assert read_school(home).stopped is None
    again = errata("school", str(path))
    assert again.exit_code == 0, again.output
    finished = [each.step for each in read_record(home) if each.code == 0]
    assert len(finished) == len(set(finished)) == 11, "no node was done twice"


@contextmanager
def begun_until(path: Path, log: Path) -> Iterator[subprocess.Popen[str]]:
    """A school's command that has begun the node with this log."""
    with subprocess.Popen(command(path), env=environment(), stderr=subprocess.PIPE, text=True) as child:
        while not log.exists() and child.poll() is None:
            time.sleep(0.01)
        yield child


@pytest.mark.slow
def test_a_budget_of_teacher_tokens_ends_within_a_lesson_and_a_larger_one_goes_on(
    tmp_path: Path, student: Path
) -> None:
    path, home = real(tmp_path, student, budget={"teacher_tokens": 1500}), tmp_path / "runs/small"
    result = errata("school", str(path))
    assert result.exit_code == 4, result.output
    assert "stopped: the budget ended in round-1 lesson" in result.output
    record = read_school(home)
    assert 0 < record.rounds[0].teacher_tokens <= 1500
    assert record.stopped == "the budget ended in round-1 lesson"
    again = errata("school", str(path), "budget.teacher_tokens=90000")
    assert again.exit_code == 0, again.output
    assert len(read_school(home).rounds) == 2


@pytest.mark.slow
def test_a_training_that_diverges_is_repeated_at_half_the_rate_and_then_given_up(tmp_path: Path, student: Path) -> None:
    flags = {**FLAGS, "learning_rate": 1e4, "max_grad_norm": 0, "max_steps": 12, "warmup_steps": 0}
    path, home = real(tmp_path, student, train={"method": "sft", "flags": flags}), tmp_path / "runs/small"
    result = errata("school", str(path))
    assert result.exit_code == 3, result.output
    assert "round-1 train: diverged; once more from the last good student, at half the rate" in result.output
    record = read_school(home)
    assert record.stopped == "round 1: its training diverged, and at half the rate again"
    assert record.student == record.start.student
    manifest = json.loads((home / "round-1/student-again/manifest.json").read_bytes())
    assert manifest["config"]["training"]["learning_rate"] == 5e3


@pytest.mark.slow
def test_a_lesson_without_a_right_rationale_ends_it_each_time_and_every_verb_says_why(
    tmp_path: Path, student: Path
) -> None:
    lesson = {**LESSON, "agents": {"teachers": [{"name": "eve", "model": "simulated/eve?slips=1&lucky=0"}]}}
    path, home = real(tmp_path, student, lesson=lesson), tmp_path / "runs/small"
    why = "round 2: its lesson leaves nothing to learn from: no row: of 18 rationales 0 are right, 0 accepted"
    for _ in range(2):
        result = errata("school", str(path))
        assert result.exit_code == 0, result.output
        assert f"stopped: {why}" in result.output
    record = read_school(home)
    assert (record.stopped, record.student) == (why, "round-1/student")
    finished = [each.step for each in read_record(home)]
    assert (finished[-1], len(finished)) == ("round-2 train", 10), "no node was done twice"
    planned = errata("plan", str(path)).output
    assert f"stopped: {why}; the same command would do no more" in planned
    assert "left: 0 teacher tokens" in planned
    assert f"Ended: {why}" in errata("status", str(home)).output
    assert errata("report", str(home)).exit_code == 0
    assert why in (home / "report.html").read_text()
    assert why in (home / "card.md").read_text()


@pytest.mark.slow
def test_where_nothing_is_reachable_it_ends_before_a_lesson(tmp_path: Path, student: Path) -> None:
    choose = {"by": "reachable", "count": 4, "rehearsal": 0}
    path, home = real(tmp_path, student, choose=choose), tmp_path / "runs/small"
    for _ in range(2):
        result = errata("school", str(path))
        assert result.exit_code == 0, result.output
        assert "stopped: no problem is left that the chooser would teach" in result.output
    assert (home / "round-1/choices.jsonl").read_bytes() == b""
    assert [each.step for each in read_record(home)] == ["start", "round-1 exam", "round-1 choose"]


@pytest.mark.slow
def test_teachers_that_die_in_round_3_leave_the_rounds_that_are_done_and_the_school_goes_on_when_they_are_back(
    tmp_path: Path,
    student: Path,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    teachers = [
        {"name": name, "model": f"openai/{name}", "api_base": f"http://127.0.0.1:{port}/v1", "retries": 0}
        for name in ("ada", "ben")
    ]
    lesson = {**LESSON, "agents": {"teachers": teachers}}
    path = real(tmp_path, student, lesson=lesson, choose={"by": "random", "count": 4}, rounds=3, stop=PATIENT)
    home = tmp_path / "runs/small"
    asked = 20  # of a lesson: four problems, two teachers, each asked once; the third lesson dies half way
    with serving(port, "--refuse-after", str(asked)):
        ended = subprocess.run(command(path), env=environment(), capture_output=True, text=True)
    assert ended.returncode == 1, ended.stderr
    assert "round-3 lesson failed" in ended.stderr
    record = read_school(home)
    assert [each.gain is not None for each in record.rounds] == [True, True, False]
    assert (record.stopped, record.student) == (None, "round-2/student")
    with serving(port):
        again = subprocess.run(command(path), env=environment(), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert read_school(home).rounds[:2] == record.rounds[:2]
    assert read_school(home).rounds[2].gain is not None


class serving:
    """The faculty over HTTP, in a process of its own, as long as this holds."""

    def __init__(self, port: int, *more: str) -> None:
        self.port, self.more = port, more

    def __enter__(self) -> None:
        words = [sys.executable, "-m", "errata", "serve", "--port", str(self.port), *self.more]
        self.child = subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(3000):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self.child.terminate()
        self.child.wait()
