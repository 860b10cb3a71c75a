"""Which rewrites are copies of a demonstration, and which are rewrites."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.agents.demonstration import Demonstration
from errata.classroom.problems import problems
from errata.graphs.stages.few_shot import shipped
from errata.graphs.stages.parroting import copied, parroting, quantities
from errata.records import Problem, Rationale

STAMPS = "Omar has 3 albums with 24 stamps each and gives away seventeen. How many does he keep?"
SOURCE = "There are 3 * 24 = 72 stamps.\nSo 72 - 17 = 55 are left.\nThe answer is 55."


def problem(question: str = STAMPS) -> Problem:
    return Problem(id="p", task="t", question=question, answer="55", kind="number")


def written(text: str) -> Rationale:
    return Rationale(id=text, problem_id="p", author="ada", role="teacher", text=text)


def judged(rewrite: str, source: str = SOURCE, shown: tuple[Demonstration, ...] = shipped("number")) -> str | None:
    return parroting(problem(), written(source), written(rewrite), shown)


@pytest.mark.parametrize("shown", shipped("number"))
def test_a_copied_demonstration_is_no_rewrite(shown: Demonstration) -> None:
    for text in (shown.rationale, shown.wrong or ""):
        assert judged(text) == "parrots_demonstration"
        closing_for_this_problem = text[: text.rindex("The answer")] + "The answer is 55."
        assert judged(closing_for_this_problem) == "parrots_demonstration"
        assert judged(text, shown=()) == "other_quantities"


@pytest.mark.parametrize(
    "rewrite",
    [
        SOURCE,
        "There are 3 + 24 = 27 stamps.\nSo 27 - 17 = 10 are left.\nThe answer is 10.",
        "There are 3 * 24 = 72 stamps.\nThe answer is 72.",
        "He gives away 17 of 24 stamps.\nSo 24 - 17 = 7 are left.\nThe answer is 7.",
    ],
)
def test_a_mistake_in_the_same_problem_is_a_rewrite(rewrite: str) -> None:
    assert judged(rewrite) is None


def test_the_text_of_another_problem_is_no_rewrite() -> None:
    assert judged("A dozen is 12, so 5 * 12 = 60 eggs.\nThe answer is 60.", shown=()) == "other_quantities"


def test_where_there_are_no_quantities_only_nearness_counts() -> None:
    source = "Tom's cats are grey, and others may be too.\nThe answer is no."
    assert judged("Tom's cats are grey, and no others are.\nThe answer is yes.", source, shipped("choice")) is None
    copied = shipped("choice")[1].wrong or ""
    assert judged(copied.replace("Mimi", "Miu"), source, shipped("choice")) == "parrots_demonstration"


def test_number_words_are_quantities_and_one_is_none() -> None:
    text = "twenty-one apples, 1,200 pears, .5 plums, 3.50 figs; one of them"
    assert quantities(text) == {Fraction(each) for each in ("21", "1200", "0.5", "3.5")}
    assert quantities("version v1.2.3 of x2") == frozenset()


@given(st.lists(st.integers(0, 10**6), max_size=6), st.sampled_from(["{}", "{:,}", "${:,}", "{}%", "({})"]))
def test_every_number_written_is_read(numbers: list[int], form: str) -> None:
    text = " and ".join(form.format(number) for number in numbers)
    assert quantities(text) == {Fraction(number) for number in numbers}


def test_no_solution_of_the_classroom_is_taken_for_a_copy() -> None:
    """Every number of its solution changed by a mistake in the first step is still a rewrite."""
    for each in problems({"count": 60, "seed": 3}):
        right = each.rationale or ""
        wrong = right.replace(f"answer is {each.answer}", f"answer is {int(each.answer) + 1}")
        assert parroting(each, written(right), written(wrong), shipped("number")) is None


def solved(text: str, shown: tuple[Demonstration, ...] = shipped("number"), **changes: object) -> str | None:
    return copied(problem(), written(text).model_copy(update=changes), shown)


@pytest.mark.parametrize("shown", shipped("number"))
def test_a_solution_that_copies_a_demonstration_is_known(shown: Demonstration) -> None:
    text = shown.rationale
    closing_for_this_problem = text[: text.rindex("The answer")] + "The answer is 55."
    for each in (text, shown.wrong or "", closing_for_this_problem, "So, here it is.\n" + text):
        assert solved(each) == solved(each, correct=True) == "parrots_demonstration"
        assert solved(each, shown=()) is None
    assert solved(SOURCE) is None


def test_a_solution_of_a_like_problem_in_the_demonstrations_words_is_none() -> None:
    like = SOURCE.replace("3", "5").replace("24", "6").replace("72", "30").replace("55", "13")
    shown = Demonstration(question=STAMPS.replace("3", "5").replace("24", "6"), rationale=like)
    assert solved(SOURCE, (shown,)) is None


def test_where_numbers_are_shared_only_a_wrong_text_word_for_word_is_a_copy() -> None:
    shown = Demonstration(question="Of 3 boxes of 24 eggs 17 break. How many are whole?", rationale=SOURCE)
    assert solved(SOURCE, (shown,), correct=True) is None
    assert solved(SOURCE, (shown,), correct=False) == "parrots_demonstration"
    assert solved(SOURCE.replace("stamps", "of them in all the albums"), (shown,), correct=False) is None


def test_no_solution_of_the_classroom_is_taken_for_a_copy_of_eight_others() -> None:
    lessons = list(problems({"count": 60, "seed": 3}))
    examples = [Demonstration(question=each.question, rationale=each.rationale or "") for each in lessons[:8]]
    assert [copied(each, written(each.rationale or ""), examples) for each in lessons[8:]] == [None] * 52
