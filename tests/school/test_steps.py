"""A way through the graph over a worker of plain files: rounds, repetition, budget, faults, and what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.errors import EXIT_BUDGET, EXIT_INTERRUPTED, EXIT_OTHER, UsageError
from errata.school.places import Task
from errata.school.recipe import load_school
from errata.school.record import read_school
from errata.school.stopping import NO_PROBLEM, NOTHING_TO_LEARN, goes_on
from tests.school.school_data import written
from tests.school.scripted import Scripted, gone_through, write_lesson

NODES = ["exam", "choose", "lesson", "train", "judge"]


def test_a_node_is_named_when_it_begins_and_when_it_has_ended(tmp_path: Path) -> None:
    school = load_school(written(tmp_path))
    said: list[str] = []
    gone_through(school, Scripted(school, fate=lambda task: (5, "gone") if task.kind == "exam" else None), said)
    assert said == ["start: begun", "start: done in 0 s", "round-1 exam: begun"]


def test_rounds_go_on_from_the_last_student_and_stand_in_the_record(tmp_path: Path) -> None:
    school = load_school(written(tmp_path))
    worker = Scripted(school)
    record, ended = gone_through(school, worker)
    assert ended is None
    assert worker.done == ["start", *(f"round-{n} {node}" for n in (1, 2) for node in NODES)]
    assert [task.student for task in worker.asked if task.kind == "train"] == [
        "somewhere/student",
        str(school.home / "round-1/student"),
    ]
    assert record == read_school(school.home)
    assert record.start.accuracy is not None
    assert record.start.accuracy.value == 0.25
    first, second = record.rounds
    assert (first.exam, first.choices) == ("round-1/exam/evals/student-exam", "round-1/choices.jsonl")
    assert (first.lesson, first.student) == ("round-1/lesson", "round-1/student")
    assert first.judge == "round-1/judge/evals/student-judge"
    assert (first.teacher_tokens, first.own_tokens, first.dollars) == (500, 200, 0.25)
    assert (first.chosen, first.mastered, first.forgotten) == (2, 0.5, 0.0)
    assert (first.learning_rate, first.repeated) == (2e-4, False)
    assert first.gain is not None
    assert (first.gain.difference, first.gain.verdict) == (pytest.approx(15 / 40), "better")
    assert second.gain is not None
    assert second.gain.difference == pytest.approx(14 / 40)
    assert (record.stopped, record.student) == ("all 2 rounds are done", "round-2/student")


def test_what_is_done_is_not_done_again_and_more_rounds_go_on(tmp_path: Path) -> None:
    path = written(tmp_path)
    first, _ = gone_through(load_school(path), Scripted(load_school(path)))
    again = Scripted(load_school(path))
    assert gone_through(again.school, again)[0] == first
    assert again.done == []
    more = Scripted(load_school(path, ["rounds=3"]))
    record, _ = gone_through(more.school, more)
    assert more.done == [f"round-3 {node}" for node in NODES]
    assert record.rounds[:2] == first.rounds


def test_a_node_is_done_again_where_its_output_is_gone_and_refused_where_problems_have_changed(tmp_path: Path) -> None:
    school = load_school(written(tmp_path))
    gone_through(school, Scripted(school))
    (school.home / "round-2/choices.jsonl").unlink()
    worker = Scripted(school)
    gone_through(school, worker)
    assert worker.done == ["round-2 choose"]

    from errata.school.runner import Runner

    other = Runner(school, "other problems", worker, print)
    with pytest.raises(UsageError, match="was made from other problems"):
        other.is_done(Task("choose", 2), school.home / "round-2/choices.jsonl")


@pytest.mark.parametrize("node", ["start", *(f"round-2 {node}" for node in NODES)])
def test_a_school_that_ends_in_any_node_goes_on_to_the_same_record(tmp_path: Path, node: str) -> None:
    whole = load_school(written(tmp_path, runs=str(tmp_path / "whole")))
    expected, _ = gone_through(whole, Scripted(whole))
    school = load_school(written(tmp_path))
    broken = Scripted(school, fate=lambda task: (EXIT_OTHER, "its process was killed") if task.name == node else None)
    record, ended = gone_through(school, broken)
    assert ended is not None
    assert (ended.code, ended.reason) == (EXIT_OTHER, None)
    assert f"{node} failed, see {school.home / 'logs'}" in str(ended.error)
    assert "its process was killed" in str(ended.error)
    assert record.stopped is None
    worker = Scripted(school)
    finished, _ = gone_through(school, worker)
    assert worker.done[0] == node
    strip = {"hours": 0.0}
    assert [each.model_copy(update=strip) for each in finished.rounds] == [
        each.model_copy(update=strip) for each in expected.rounds
    ]


def test_no_problem_left_to_teach_ends_it(tmp_path: Path) -> None:
    school = load_school(written(tmp_path))
    for chosen in ((), ("rehearsal", "rehearsal")):
        worker = Scripted(school, chosen=chosen)
        record, ended = gone_through(school, worker)
        assert (record.stopped, ended) == (NO_PROBLEM, None)
        assert worker.done[-1] == "round-1 choose"
        assert record.student == "somewhere/student"
        (school.home / "round-1/choices.jsonl").unlink()


def test_a_lesson_that_leaves_nothing_to_learn_from_ends_it_each_time_with_the_last_good_student(
    tmp_path: Path,
) -> None:
    school = load_school(written(tmp_path, rounds=3))
    worker = Scripted(school, empty=(2,))
    record, ended = gone_through(school, worker)
    assert ended is None
    assert worker.done[-1] == "round-2 train"
    assert record.stopped == f"round 2: {NOTHING_TO_LEARN}: no row: of 12 rationales 0 are right, 0 accepted"
    assert record.student == "round-1/student"
    assert record.rounds[1].student is None
    assert not goes_on(record, school.stop, school.rounds)
    again = Scripted(school, empty=(2,))
    assert gone_through(school, again) == (record, None)
    assert again.done == []


def test_a_round_that_forgets_leaves_the_student_before_it(tmp_path: Path) -> None:
    school = load_school(written(tmp_path))
    record, _ = gone_through(school, Scripted(school, kept=3))
    assert record.rounds[-1].forgotten == 0.25
    assert record.stopped == "round 1 lost 25.0 points on what was mastered, more than 5: the student before it stands"
    assert record.student == "somewhere/student"


def test_a_training_that_diverges_is_repeated_once_at_half_the_rate_and_said(tmp_path: Path) -> None:
    school, said = load_school(written(tmp_path)), list[str]()
    worker = Scripted(school, diverges=((2, False),))
    record, _ = gone_through(school, worker, said)
    assert worker.done[-3:] == ["round-2 train", "round-2 train again", "round-2 judge"]
    assert worker.asked[-2].student == str(school.home / "round-1/student"), "from the last good student"
    assert worker.asked[-1].result == str(school.home / "round-2/student-again")
    assert [each.repeated for each in record.rounds] == [False, True]
    assert (record.rounds[1].learning_rate, record.student) == (1e-4, "round-2/student-again")
    assert "round-2 train: diverged; once more from the last good student, at half the rate" in said
    again = Scripted(school, diverges=((2, False),))
    assert gone_through(school, again)[0] == record
    assert again.done == []


def test_a_training_that_diverges_twice_ends_it_with_the_last_good_student(tmp_path: Path) -> None:
    school = load_school(written(tmp_path))
    record, _ = gone_through(school, Scripted(school, diverges=((2, False), (2, True))))
    assert record.stopped == "round 2: its training diverged, and at half the rate again"
    assert record.student == "round-1/student"


# ---- the budget ------------------------------------------------------------------------------------------------------


def test_a_lesson_may_pay_what_other_rounds_have_left(tmp_path: Path) -> None:
    school = load_school(written(tmp_path, budget={"dollars": 1.0, "teacher_tokens": 1200}))
    worker = Scripted(school)
    gone_through(school, worker)
    lessons = [task for task in worker.asked if task.kind == "lesson"]
    assert [(task.usd, task.tokens) for task in lessons] == [(1.0, 1200), (0.75, 700)]


def test_what_a_lesson_has_paid_before_it_was_stopped_counts_once(tmp_path: Path) -> None:
    school = load_school(written(tmp_path, budget={"teacher_tokens": 1200}))

    def stopped(task: Task) -> tuple[int, str | None] | None:
        if task.kind != "lesson" or task.round != 2:
            return None
        write_lesson(school.home / "round-2/lesson", 300, 0.1)
        return EXIT_BUDGET, "budget.tokens is 700"

    record, ended = gone_through(school, Scripted(school, fate=stopped))
    assert ended is not None
    assert (ended.code, ended.reason) == (EXIT_BUDGET, "the budget ended in round-2 lesson")
    assert record.rounds[1].teacher_tokens == 300, "what it has paid is written"
    worker = Scripted(school)
    gone_through(school, worker)
    assert worker.asked[0] == Task("lesson", 2, str(school.home / "round-1/student"), usd=None, tokens=700)


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"teacher_tokens": 500}, "the budget of 500 teacher tokens is used up"),
        ({"dollars": 0.25}, "the budget of 0.25 dollars is used up"),
    ],
)
def test_no_round_begins_when_the_budget_is_used_up_and_a_larger_one_goes_on(
    tmp_path: Path, budget: dict[str, float], reason: str
) -> None:
    path = written(tmp_path, budget=budget)
    worker = Scripted(load_school(path))
    record, ended = gone_through(worker.school, worker)
    assert ended is not None
    assert (ended.code, ended.reason) == (EXIT_BUDGET, reason)
    assert worker.done[-1] == "round-1 judge"
    assert record.student == "round-1/student"
    more = Scripted(load_school(path, [f"budget.{name}=9000" for name in budget]))
    assert gone_through(more.school, more)[1] is None
    assert more.done[0] == "round-2 exam"


def test_hours_are_those_of_all_commands_and_no_node_begins_after_them(tmp_path: Path) -> None:
    school = load_school(written(tmp_path, budget={"hours": 1e-9}))
    worker = Scripted(school)
    _, ended = gone_through(school, worker)
    assert ended is not None
    assert (ended.code, ended.reason) == (EXIT_BUDGET, "the budget of 1e-09 hours is used up")
    assert worker.done == []


def test_ctrl_c_within_a_node_and_between_two_is_an_interruption(tmp_path: Path) -> None:
    school = load_school(written(tmp_path))
    within = Scripted(school, fate=lambda task: (EXIT_INTERRUPTED, None) if task.kind == "train" else None)
    record, ended = gone_through(school, within)
    assert ended is not None
    assert (ended.code, record.stopped) == (EXIT_INTERRUPTED, None)
    between = Scripted(school, interrupted=True)
    _, ended = gone_through(school, between)
    assert ended is not None
    assert (ended.code, between.done) == (EXIT_INTERRUPTED, [])
