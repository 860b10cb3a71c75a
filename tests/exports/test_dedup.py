"""Near-duplicates and overlap: what counts as the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from errata.data.contamination import WORDS, EvalSet
from errata.exports.dedup import MAX_SIMILARITY, Duplicates, alike, ngrams
from errata.graphs.stages.diversity_filter import jaccard
from errata.records import Problem

LONG = " ".join(f"word{number}" for number in range(60))


def test_case_and_space_make_no_difference_anywhere() -> None:
    seen = Duplicates()
    assert seen.repeats("p", ["A  b\n"]) is None
    seen.next_problem()
    assert seen.repeats("P", ["a b"]) == "same"
    assert seen.repeats("p", ["a c"]) is None
    assert seen.repeats("q", ["a b"]) is None


def test_almost_the_same_words_of_one_problem() -> None:
    near = LONG.replace("word59", "else")
    assert jaccard(ngrams(LONG), ngrams(near)) > MAX_SIMILARITY
    seen = Duplicates()
    assert seen.repeats("p", [LONG]) is None
    assert seen.repeats("p", [near]) == "like"
    assert seen.repeats("p", [near + " !"], same=[False]) is None  # another label
    assert seen.repeats("p", [LONG.replace("word30", "else")], same=["3"]) is None  # another answer
    seen.next_problem()
    assert seen.repeats("p", [LONG.replace("word1 ", "else ")]) is None


def test_of_two_texts_both_must_be_alike() -> None:
    near, other = LONG.replace("word59", "else"), LONG[::-1]
    seen = Duplicates()
    assert seen.repeats("p", [LONG, LONG]) is None
    assert seen.repeats("p", [near, other]) is None
    assert seen.repeats("p", [near, near]) == "like"


@given(st.text(max_size=40))
def test_a_text_is_like_itself(text: str) -> None:
    assert alike(ngrams(text), ngrams(text))
    seen = Duplicates()
    assert (seen.repeats(text, [text]), seen.repeats(text, [text])) == (None, "same")


# ---- overlap ---------------------------------------------------------------------------------------------------------


def asked(question: str, *choices: str) -> Problem:
    return Problem(id=question, task="t", question=question, answer="1", kind="number", choices=choices)


def test_runs_of_thirteen_words() -> None:
    words = LONG.split()
    known = EvalSet("set", [asked(" ".join(words[:20])), asked("How many are left?")])

    assert known.meets(asked(" ".join(words[:20]).upper() + " .")) == "question"
    assert known.meets(asked("so , " + " ".join(words[5 : 5 + WORDS]) + " and more")) == "ngram"
    assert known.meets(asked("so , " + " ".join(words[5 : 4 + WORDS]) + " and more")) is None
    assert known.meets(asked("how many are left")) == "question"
    assert known.meets(asked("Of six eggs two break . How many are left ?")) is None  # short ones count as a whole


def test_options_belong_to_the_question() -> None:
    known = EvalSet("set", [asked("Which is true?", "A cat flies.", "A bird flies.")])
    assert known.meets(asked("which is true", "a bird flies", "a cat flies")) == "question"
    assert known.meets(asked("Which is true?", "Ice is warm.", "Ice is cold.")) is None


def test_an_empty_set_meets_nothing() -> None:
    assert EvalSet("set", []).meets(asked("x")) is None


@given(st.lists(st.text(max_size=30), max_size=5), st.text(max_size=30))
def test_what_is_in_the_set_is_met(questions: list[str], other: str) -> None:
    known = EvalSet("set", [asked(each) for each in questions])
    assert all(known.meets(asked(each)) == "question" for each in questions)
    if other not in questions and known.meets(asked(other)) is None:
        assert len(EvalSet("more", [asked(each) for each in [*questions, other]])._questions) > len(known._questions)
