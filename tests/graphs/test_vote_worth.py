"""What a further sample is worth, and which answer a teacher is expected to give."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from errata.graphs.estimated import SAME_AUTHOR, TEACHER_RIGHT, WRONG_ANSWERS
from errata.graphs.vote_worth import Ask, Case, Sample, outcomes, worth_of
from errata.records import Rationale
from tests.helpers import apples

PROBLEM = apples().model_copy(update={"answer": None})
AUTHORS = ("ada", "ben", "cyd")
ADA, DAN = Sample("ada"), Sample("dan")


def case_of(*answers: int | None) -> Case:
    """Rationales of three authors in turn with these answers, all judged."""
    rationales = tuple(
        Rationale(
            id=f"{place}",
            problem_id="p1",
            author=AUTHORS[place % 3],
            role="teacher",
            text="So it is.",
            sample=place // 3,
            answer=None if answer is None else str(answer),
        )
        for place, answer in enumerate(answers)
    )
    return Case(PROBLEM, rationales, answers, frozenset(each.id for each in rationales))


def worth(case: Case, vote: Ask | Sample) -> float:
    return worth_of(case, vote, case.chances())


@pytest.mark.parametrize("answers", [(0, 0, 0), (0, 0, 1), (0, 1, 2), (0, None, None), (None,) * 3, (0, 0, 1, 1)])
def test_the_chances_of_all_answers_sum_to_one(answers: Sequence[int | None]) -> None:
    found = outcomes(case_of(*answers), ADA)
    assert sum(found.values()) == pytest.approx(1)
    assert all(chance >= 0 for chance in found.values())
    assert max(found) == len({each for each in answers if each is not None})


def test_who_has_answered_repeats_itself_at_the_correlation_of_samples() -> None:
    case = case_of(0, 1, 1)
    stranger, ada = outcomes(case, DAN), outcomes(case, ADA)
    assert ada[0] == pytest.approx((1 - SAME_AUTHOR) * stranger[0] + SAME_AUTHOR)
    assert ada[1] == pytest.approx((1 - SAME_AUTHOR) * stranger[1])


def test_a_stranger_gives_the_right_answer_at_the_stated_rate() -> None:
    case = case_of(0, 0, 0)
    right = case.chances()[0]
    expected = right * TEACHER_RIGHT + (1 - right) * (1 - TEACHER_RIGHT) / WRONG_ANSWERS
    assert outcomes(case, DAN)[0] == pytest.approx(expected)


def test_a_sample_is_worth_most_where_answers_differ_and_less_of_who_has_answered() -> None:
    assert worth(case_of(0, 0, 0), DAN) < worth(case_of(0, 1, 2), DAN)
    assert worth(case_of(0, 0, 1), ADA) < worth(case_of(0, 0, 1), DAN)


def test_a_sample_that_was_given_is_no_judged_rationale_and_speaks_for_its_answer() -> None:
    case = case_of(0, 1, 2)
    sample = Rationale(id="new", problem_id="p1", author="dan", role="teacher", text="So it is.", answer="1")
    after = case.with_sample(sample, 1)
    assert after.judged == case.judged
    assert after.extra == {"new"}
    assert after.chances()[1] > case.chances()[1]
    assert worth(case, Ask(0, "ben")) > 0
