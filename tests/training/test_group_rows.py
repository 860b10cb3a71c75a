"""The sentence that closes rationales."""

from __future__ import annotations

import pytest

from errata.errors import UsageError
from errata.training.group_rows import closing


@pytest.mark.parametrize(
    ("sentence", "closed"),
    [
        ("The answer is {answer}.", "The answer is 5."),
        (r"So \boxed{{answer}}", r"So \boxed{5}"),
        ("{a}: {answer} {", "{a}: 5 {"),
    ],
)
def test_a_closing_sentence_holds_the_answer_and_all_its_other_braces(sentence: str, closed: str) -> None:
    assert closing(sentence, "5") == closed


@pytest.mark.parametrize(
    ("sentence", "do"),
    [("The answer is X.", "write {answer} there"), (r"So \boxed{answer}.", r"write \boxed{{answer}}")],
)
def test_a_sentence_that_would_lose_the_answer_is_refused(sentence: str, do: str) -> None:
    with pytest.raises(UsageError) as error:
        closing(sentence, "5")

    assert error.value.do == do
