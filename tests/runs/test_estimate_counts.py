"""Counts of what is estimated, apart from what is graded."""

from __future__ import annotations

from errata.records import Outcome, Rationale, Review, Transcript
from errata.runs.funnel import Funnel
from tests.helpers import apples

FOUR = (Review(id="r", reviewer="ben", score=4, valid=True, text="", blind=True),)


def written(name: str, role: str = "teacher", **more: object) -> Rationale:
    fields = {"id": name, "problem_id": "p1", "author": "ada", "role": role, "text": name, "answer": "5"}
    return Rationale.model_validate({**fields, **more})


def funnel_of(*transcripts: tuple[str | None, tuple[Rationale, ...]]) -> Funnel:
    funnel = Funnel()
    for answer, rationales in transcripts:
        problem, outcome = apples().model_copy(update={"answer": answer}), Outcome(status="done")
        funnel.add(Transcript(graph="lesson", problem=problem, rationales=rationales, outcome=outcome))
    return funnel


OPEN = (
    written("a", estimated=0.9, accepted=True, reviews=FOUR, sound=True),
    written("b", estimated=0.7, accepted=True, reviews=FOUR),
    written("c", estimated=0.1, accepted=False, reviews=FOUR, sound=False),
    written("s", "student"),
)
GRADED = (
    written("d", correct=True, accepted=True, reviews=FOUR),
    written("e", correct=False, accepted=True, reviews=FOUR),
    written("f", "student", correct=True),
)


def test_an_estimate_is_no_grade() -> None:
    funnel = funnel_of((None, OPEN), ("5", GRADED))
    alone = funnel_of(("5", GRADED))

    assert funnel.estimates.figures() == {
        "problems": 1, "written": 4, "right": 2, "open": 1, "accepted": 2, "precision": 0.8
    }  # fmt: skip
    assert funnel.rationales() == {"written": 7, "correct": 2, "accepted": 4}
    for figure in ("answer", "disagreements"):
        assert funnel.acceptance()[figure] == alone.acceptance()[figure]
    assert funnel.acceptance()["judged"] == 5
    assert funnel.acceptance()["sound"] == {
        "precision": 1.0, "recall": 1.0, "grader_only_precision": None, "grader_only_recall": None
    }  # fmt: skip
    assert funnel.student() == {"answers": 2, "correct": 1, "estimated": 1, "estimated_right": 0}
    teacher = next(row for row in funnel.by_author() if row["role"] == "teacher")
    assert (teacher["correct"], teacher["estimated"], teacher["estimated_right"]) == (1, 3, 2)


def test_a_log_with_gold_answers_alone_says_nothing_of_estimates() -> None:
    funnel = funnel_of(("5", GRADED))
    assert funnel.estimates.figures() is None
    assert "estimated" not in funnel.student()
    assert all("estimated" not in row for row in funnel.by_author())
