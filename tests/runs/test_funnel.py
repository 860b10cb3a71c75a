"""The sums over a log's transcripts, on transcripts made for them."""

from __future__ import annotations

from typing import Any

from errata.graphs.stages.step_model import located
from errata.records import Call, Outcome, Problem, Rationale, Review, Span, StepVote, Transcript
from errata.runs.funnel import Funnel
from errata.runs.tables import _verdicts

PROBLEM = Problem(id="p", task="t", question="1 + 1 ?", answer="2", kind="number")


def review(score: int | None, reviewer: str = "ben") -> Review:
    return Review(id=f"{reviewer}{score}", reviewer=reviewer, score=score, valid=score is not None, text="")


def rationale(name: str, **changes: Any) -> Rationale:
    return Rationale(id=name, problem_id="p", author="ada", role="teacher", text="2").model_copy(update=changes)


def judged(name: str, accepted: bool, correct: bool, sound: bool | None) -> Rationale:
    return rationale(name, accepted=accepted, correct=correct, sound=sound, reviews=(review(3),))


def funnel_of(*rationales: Rationale, calls: tuple[Call, ...] = ()) -> Funnel:
    funnel = Funnel()
    transcript = Transcript(
        graph="lesson", problem=PROBLEM, rationales=rationales, calls=calls, outcome=Outcome(status="done")
    )
    funnel.add(transcript)
    return funnel


def test_what_exports_leave_out_unless_asked_for_is_counted() -> None:
    shown = {"saw_answer": True, "role": "rectified"}
    funnel = funnel_of(
        rationale("cut", correct=True, truncated=True),
        rationale("cut wrong", correct=False, truncated=True),
        rationale("mended", correct=True, **shown),
        rationale("wrong still", correct=False, **shown),
        rationale("judged", correct=True, accepted=False, reviews=(review(3),), **shown),
        rationale("open", correct=True, reviews=(review(None),), **shown),
        rationale("blind", correct=True),
    )
    assert funnel.set_aside() == {"cut_off": 2, "unjudged": 1}


def test_of_an_old_log_the_unreadable_are_those_that_were_followed_by_a_fresh_try() -> None:
    calls = [
        Call(id=f"c{n}", agent="ada", verb="score", prompt="p", prompt_hash="h", model="m", messages=(), attempt=n)
        for n in range(3)
    ]
    (row,) = funnel_of(calls=tuple(calls)).by_reply()
    assert (row["stage"], row["replies"], row["unreadable"], row["fresh_tries"]) == (None, 3, 2, 2)


def test_judged_are_those_with_a_verdict_of_a_panel() -> None:
    funnel = funnel_of(
        judged("a", True, True, True),
        judged("b", True, False, False),
        judged("c", False, True, False),
        judged("d", False, True, True),
        rationale("blank", text=" ", accepted=False, correct=False),
        rationale("open", accepted=None, correct=True, reviews=(review(None),)),
        rationale("student", role="student", correct=True),
        rationale("rectified", role="rectified", accepted=True, correct=True, reviews=(review(5),)),
    )

    figures = funnel.acceptance()

    assert figures["judged"] == 4
    assert figures["answer"] == {"precision": 1 / 2, "recall": 1 / 3}
    assert figures["sound"] == {
        "precision": 1 / 2,
        "recall": 1 / 2,
        "grader_only_precision": 2 / 3,
        "grader_only_recall": 1.0,
    }
    assert figures["disagreements"] == {"accepted_wrong": 1, "rejected_right": 2}
    assert funnel.student() == {"answers": 1, "correct": 1}


def test_shares_of_nothing_and_unknown_soundness_are_null() -> None:
    figures = funnel_of(rationale("a", correct=True)).acceptance()
    assert figures["answer"] == {"precision": None, "recall": None}
    assert figures["sound"] is None
    assert funnel_of(judged("a", False, False, None)).acceptance()["answer"] == {"precision": None, "recall": None}


def test_agreement_over_no_rationale_is_no_figure() -> None:
    acceptance = funnel_of(judged("a", True, True, None)).acceptance()
    counted = {True: {"alpha": None, "units": 3}, False: {"alpha": None, "units": 0}}
    some, none = (_verdicts(acceptance, counted[each], graded=False).caption for each in (True, False))
    assert "alpha is undefined over 3 rationales" in str(some)
    assert str(none) == "no rationale has two scores to compare"


def test_first_wrong_steps_of_what_is_estimated_wrong_are_counted_apart() -> None:
    step = located((Span(0, 1),), [StepVote(source="arithmetic", step=0)])
    graded = [rationale("a", correct=False, wrong_step=step), rationale("b", correct=True)]
    assert funnel_of(*graded).located(()) == {"located": 1, "wrong": 1}
    estimated = [rationale("c", estimated=0.1, wrong_step=step), rationale("d", estimated=0.2), rationale("e")]
    both = funnel_of(*graded, *estimated, rationale("f", estimated=0.1, marked=False))
    assert both.located(()) == {"located": 1, "wrong": 2, "estimated_located": 1, "estimated_wrong": 2}
    assert funnel_of(rationale("a", correct=False)).located(()) is None
