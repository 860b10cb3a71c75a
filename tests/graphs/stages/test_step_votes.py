"""What arithmetic refutes, what it cannot know, and where right and wrong texts part."""

import pytest

from errata.grading.steps import steps_of
from errata.graphs.stages.step_votes import arithmetic_vote, parting, rewritten_votes
from errata.graphs.state import State
from errata.records import Rationale
from tests.helpers import apples


def refuted(text: str) -> int | None:
    return arithmetic_vote(text, steps_of(text)).step


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("2 + 3 = 5 . 5 * 2 = 11 . 11 - 1 = 9 .", 1),
        ("dozens = 12 .\nadd 3 to 12 to get 16 .\nthe answer is 16 .", 1),
        ("now we have 12 - 5 that is 8 . the answer is 8 .", 0),
        ("First 48 / 2 = 24 clips.\nThen $24 + 48 = $73.", 1),
    ],
)
def test_the_first_equation_that_does_not_hold_is_found(text: str, step: int) -> None:
    assert refuted(text) == step


@pytest.mark.parametrize(
    "text",
    [
        "10 / 3 = 3.33 . 3.33 * 3 = 9.99 .",  # rounded to the places written
        "7 / 2 = 3 boxes are full .",  # rounded down
        "1.25 * 1.5 = 1.88 .",
        "dozens = 10 . 3 * 10 = 30 .",  # a wrong fact
        "2 * 3 = 6 . The answer is 6 .",  # a wrong reading
        "I count them.",
    ],
)
def test_what_arithmetic_cannot_know_is_not_refuted(text: str) -> None:
    assert refuted(text) is None


def test_a_rounding_beyond_its_last_place_is_refuted() -> None:
    assert refuted("10 / 3 = 3.43 .") == 0
    assert refuted("2 * 3 = 6.5 .") == 0


@pytest.mark.parametrize(
    ("right", "wrong", "step"),
    [
        ("2 + 3 = 5 . 5 * 2 = 10 . so 10 .", "2 + 3 = 5 . 5 * 3 = 15 . so 15 .", 1),
        # Words polished before the mistake are not the mistake.
        ("first we add : 2 + 3 = 5 . 5 * 2 = 10 .", "we add : 2 + 3 = 5 . 5 * 3 = 15 .", 1),
        # A step that is missing is missing before the next.
        ("2 + 3 = 5 . 5 * 2 = 10 . so 10 .", "2 + 3 = 5 . so 5 .", 1),
        ("Mia gives them away .\nSo yes .", "Mia keeps them .\nSo no .", 0),
        ("so 5 .", "so 5 .", None),
        ("2 + 3 = 5 . 5 + 1 = 6 .", "2 + 3 = 5 .", 0),
    ],
)
def test_texts_part_in_the_first_step_whose_numbers_change(right: str, wrong: str, step: int | None) -> None:
    assert parting(right, wrong, steps_of(wrong)) == step


def rationale(id: str, text: str, role: str, **more: object) -> Rationale:
    fields = {"problem_id": "p1", "author": "ada", "correct": False, "answer": "6"} | more
    return Rationale(id=id, text=text, role=role, **fields)  # type: ignore[arg-type]


def test_only_right_texts_rewritten_from_or_into_it_are_twins() -> None:
    wrong = rationale("w", "2 * 3 = 6 . so 6 .", "student", author="sam")
    right = rationale("r", "2 + 3 = 5 . so 5 .", "rectified", parent_id="w", correct=True)
    other = rationale("o", "2 + 3 = 5 . so 5 .", "rectified", parent_id="x", correct=True, author="bea")
    failed = rationale("f", "so 7 .", "rectified", parent_id="w", author="cyd")
    parrot = rationale("d", "so 5 .", "rectified", parent_id="w", correct=True, author="dan", dropped="copy")
    corrupted = rationale("c", "2 + 3 = 5 . so 6 .", "corrupted", parent_id="r")
    every = (wrong, right, other, failed, parrot, corrupted)
    state: State = {"problem": apples(), "rationales": {each.id: each for each in every}}

    of_wrong, of_corrupted = (rewritten_votes(state, each, steps_of(each.text)) for each in (wrong, corrupted))

    assert [(vote.by, vote.step) for vote in of_wrong] == [("ada", 0)]
    assert [(vote.by, vote.step) for vote in of_corrupted] == [("ada", 1)]
