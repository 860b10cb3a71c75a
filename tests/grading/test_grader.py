"""Grading: verdicts and their rules, algebra in workers that can be killed, hostile input within bounds."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from errata.errors import ErrataError
from errata.grading.grader import Grader
from errata.grading.math_pool import _PASSED_ON, MathPool
from errata.grading.math_worker import CPU_SECONDS
from errata.records import AnswerKind, Problem


def problem(kind: AnswerKind, answer: str, choices: tuple[str, ...] = (), question: str = "How many?") -> Problem:
    return Problem(id="p", task="t", question=question, answer=answer, kind=kind, choices=choices)


@pytest.fixture
async def grader() -> AsyncIterator[Grader]:
    async with Grader() as grader:
        yield grader


@pytest.mark.parametrize(
    ("asked", "text", "correct", "rule"),
    [
        (problem("number", "8"), "The answer is 8.0 eggs.", True, "final_line+number"),
        (problem("number", "1080"), "#### 1,080", True, "hash+number"),
        (problem("number", "8"), "\\boxed{9}. The answer is 8.", True, "final_line+number"),
        (problem("number", "9"), "\\boxed{9}. The answer is 8.", False, "final_line+number"),
        (problem("number", "8"), "I cannot say.", False, "none"),
        (problem("choice", "B", ("red", "blue")), "The answer is blue.", True, "final_line+choice"),
        (problem("choice", "B", ("red", "red")), "The answer is red.", True, "final_line+choice"),
        (problem("choice", "A", ("red", "blue")), "(B)", False, "closing+choice"),
        (problem("boolean", "Yes"), "The answer is true.", True, "final_line+boolean"),
        (problem("boolean", "invalid"), "So it is not valid.", True, "therefore+boolean"),
        (problem("string", "] ] )"), "The answer is ]]).", True, "final_line+string"),
        (problem("string", "able bid cat"), "The answer is Able, bid, cat.", True, "final_line+string"),
        (problem("string", "able bid cat"), "The answer is bid able cat.", False, "final_line+string"),
        (problem("latex", r"\frac12"), r"so \boxed{\frac{1}{2}}", True, "box+string"),
        (problem("latex", r"\frac12"), r"so \boxed{2}. The answer is 0.5.", True, "final_line+number"),
        (problem("latex", r"\frac12"), r"so \boxed{0.5}. The answer is 2.", True, "box+number"),
        (problem("latex", r"\frac12"), r"so \boxed{3}. The answer is 2.", False, "box+number"),
        (problem("latex", "x+1"), "The answer is $1+x$.", True, "final_line+value"),
        (problem("latex", "x+1"), "The answer is $1-x$.", False, "final_line+value"),
        (problem("latex", "x+1"), "We do not know it.", False, "none"),
    ],
)
async def test_grades(grader: Grader, asked: Problem, text: str, correct: bool, rule: str) -> None:
    grade = await grader.grade(asked, text)

    assert (grade.correct, grade.rule) == (correct, rule)
    assert (grade.answer is None) == (grade.span is None) == (rule == "none")


@pytest.mark.parametrize(
    ("question", "gold", "answer", "rule"),
    [
        ("Factor $t^2-49$.", "(t-7)(t+7)", "(t+7)(t-7)", "box+value"),
        ("Factor $t^2-49$.", "(t-7)(t+7)", "t^2-49", "box+math_verify_form"),
        ("Factor $x^4-16$.", "(x-2)(x+2)(x^2+4)", "(x^2-4)(x^2+4)", "box+math_verify_form"),
        ("Expand $2x(13x+15)$.", "26x^2+30x", "2x(13x+15)", "box+math_verify_form"),
        ("Simplify.", "26x^2+30x", "2x(13x+15)", "box+value"),
        ("List them from the least to the greatest.", "1,2,3", "2,1,3", "box+string"),
        ("List them.", "1,2,3", "2,1,3", "box+value"),
        ("What is it?", "2", "14-12ab", "box+value"),
        ("What is it?", r"-\frac34i", r"-\frac{3i}{4}", "box+value"),
    ],
)
async def test_the_question_decides_what_form_and_order_mean(
    grader: Grader, question: str, gold: str, answer: str, rule: str
) -> None:
    grade = await grader.grade(problem("latex", gold, question=question), f"\\boxed{{{answer}}}")

    assert grade.rule == rule
    assert grade.correct == (rule in ("box+math_verify", "box+value") and answer != "14-12ab")


@pytest.mark.parametrize(
    ("kind", "a", "b", "same"),
    [
        ("number", "1,000", "1000.0", True),
        ("number", "1000", "1001", False),
        ("latex", r"2\sqrt{41}", r"\sqrt{164}", True),
        ("boolean", "yes", "True", True),
        ("string", "a b", "A, B", True),
    ],
)
async def test_same_compares_bare_answers(grader: Grader, kind: AnswerKind, a: str, b: str, same: bool) -> None:
    assert await grader.same(kind, a, b) is same


@pytest.mark.parametrize("tower", ["9^{9^{9^9}}", r"\int_0^1 x^{x^{x^x}}dx"])
async def test_hostile_algebra_is_a_timeout_and_the_worker_is_replaced(grader: Grader, tower: str) -> None:
    start = time.monotonic()

    hostile, good = await asyncio.gather(
        grader.grade(problem("latex", "x+5"), f"\\boxed{{{tower}}}"),
        grader.grade(problem("latex", r"\sin(x)+1"), r"\boxed{1+\sin(x)}"),
    )

    assert (hostile.correct, hostile.rule) == (False, "box+math_verify_timeout")
    assert good.correct
    assert (await grader.grade(problem("latex", r"\sin(x)+2"), r"\boxed{2+\sin(x)}")).correct
    assert time.monotonic() - start < 30 * CPU_SECONDS


async def test_the_event_loop_goes_on_during_algebra(grader: Grader) -> None:
    hostile = asyncio.create_task(grader.grade(problem("latex", "x+5"), r"\boxed{9^{9^{9^9}}}"))
    turns = 0
    while not hostile.done():
        await asyncio.sleep(0.02)
        turns += 1

    assert turns > 20


async def test_a_cancelled_grade_leaves_the_grader_working(grader: Grader) -> None:
    task = asyncio.create_task(grader.grade(problem("latex", "x+5"), r"\boxed{9^{9^{9^9}}}"))
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert (await grader.grade(problem("latex", r"\sin(x)+1"), r"\boxed{1+\sin(x)}")).rule == "box+math_verify"


async def test_closing_does_not_wait_for_algebra() -> None:
    grader = Grader()
    task = asyncio.create_task(grader.grade(problem("latex", "x+5"), r"\boxed{9^{9^{9^9}}}"))
    await asyncio.sleep(0.5)
    await grader.close()

    with pytest.raises(ErrataError, match="cut off"):
        await task


async def test_verdicts_are_remembered(grader: Grader) -> None:
    sine = problem("latex", r"\sin(x)+1")
    await grader.grade(sine, r"\boxed{1+\sin(x)}")
    start = time.process_time()

    grades = await asyncio.gather(*(grader.grade(sine, rf"sample {n}: \boxed{{1 + \sin(x)}}") for n in range(500)))

    assert all(grade.correct for grade in grades)
    assert time.process_time() - start < 1


def test_a_worker_killed_while_idle_or_at_work_does_not_turn_a_right_answer_wrong() -> None:
    pool = MathPool()
    assert pool.check("x+1", "1+x") == "equal"
    worker = pool._idle.queue[0]
    os.kill(worker._process.pid, signal.SIGKILL)
    worker._process.wait()
    assert pool.check("x+1", "1+x") == "equal"

    os.kill(pool._idle.queue[0]._process.pid, signal.SIGSTOP)  # it takes the check and is killed before it answers
    pid = pool._idle.queue[0]._process.pid
    threading.Timer(0.3, lambda: os.kill(pid, signal.SIGKILL)).start()
    assert pool.check("x+1", "1+x") == "equal"
    pool.close()


def test_a_worker_is_given_no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "math_verify.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("SECRET_KEY", "x")
    pool = MathPool()
    assert pool.check("x+1", "1+x") == "equal"
    environment = Path(f"/proc/{pool._idle.queue[0]._process.pid}/environ").read_bytes().split(b"\0")
    pool.close()

    assert not (tmp_path / "ran").exists()
    assert {line.partition(b"=")[0].decode() for line in environment if line} <= set(_PASSED_ON) | {"LC_CTYPE"}


async def test_a_grader_that_never_needs_algebra_starts_nothing(grader: Grader) -> None:
    await grader.grade(problem("latex", "5"), r"\boxed{5}")

    assert grader._threads is None
    assert grader._pool._idle.empty()


def test_a_script_without_a_main_guard_can_grade(tmp_path: os.PathLike[str]) -> None:
    script = """
import asyncio
from errata.grading.grader import Grader
async def main():
    async with Grader() as grader:
        print(await grader.same("latex", "x+sin(x)", "sin(x)+x"))
asyncio.run(main())
"""
    path = os.path.join(tmp_path, "script.py")
    with open(path, "w") as file:
        file.write(script)

    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, timeout=60, check=False, cwd=os.getcwd()
    )

    assert (done.stdout, done.stderr) == ("True\n", "")
