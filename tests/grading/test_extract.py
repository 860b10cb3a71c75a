"""Reading answers: which rule reads what, where the answer stands, and that nothing breaks it."""

import time
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from errata.grading.extract import NOTHING, read_answer, readings, settled
from errata.grading.normalize import canonical
from errata.records import AnswerKind

OPTIONS = ("ignore", "enforce", "A dog", "A and B only", "yell at", "enforce it later")

NUMBERS = [
    ("6 + 2 = 8.\n#### 1,080", "1080", "hash"),
    ("#### 72 clips", "72", "hash"),
    ("The first answer is 1200.\nAltogether 3200.\n#### 3200", "3200", "hash"),
    ("Therefore, the answer is 5\n\nQuestion: Ann has 3.\n#### 7", "5", "final_line"),
    ("So 5 + 3 = 8 eggs. The answer is 8.", "8", "final_line"),
    ("The answer is 8. The answer is 9.", "8", "final_line"),
    ("The answer is 5 + 3 = 8", "8", "final_line"),
    ("The final answer is: $1,080.50 per day.", "1080.5", "final_line"),
    ("**Answer:** -3", "-3", "final_line"),
    ("Answer: B) 5", "5", "final_line"),
    ("Final answer: twelve eggs", "12", "final_line"),
    ("the correct answer is thus 50%.", "50", "final_line"),
    ("The answer is 2 1/2 cups", "2.5", "final_line"),
    ("The answer is 1/3.", "1/3", "final_line"),
    ("The answer is 3.5e4", "35000", "final_line"),
    ("The answer is 2 x 10^3.", "2000", "final_line"),
    ("The answer is 3.0", "3", "final_line"),
    ("The answer is not 4. The answer is 5.", "5", "final_line"),
    ("Let us see whether the answer is 4. No. The answer is 5.", "5", "final_line"),
    ("Answer:\nBob has 20 apples.\n\nExplanation:\nAdam has 16 + 6 = 22", "20", "final_line"),
    ("The answer is unclear to me, but 4 + 4 = 8.", "8", "final_line"),
    ("The answer is \\boxed{18}. I hope it is right.", "18", "box"),
    ("2 + 2 = \\boxed{4}", "4", "box"),
    ("Thus \\fbox{\\frac{1}{2}}", "0.5", "box"),
    ("Therefore, Danny has 67 - 35 = 32 more wrappers than caps.", "32", "therefore"),
    ("Therefore, after 26 days, they will have 2080 sacks.", "2080", "therefore"),
    ("He sold 6. There are 626 pupils (308 girls + 318 boys).", "626", "closing"),
    ("Answer:\n\nGroup of bananas: 290 / 2 = 145\n\nGroup of oranges: 87 / 93 = 0.92", "0.92", "closing"),
    ("<think>The answer is 4.</think>The answer is 5.", "5", "final_line"),
    ("<think>The answer is 4.", None, "none"),
    ("I do not know.", None, "none"),
    ("", None, "none"),
]
CHOICES = [
    ("The answer is B.", "B", "final_line"),
    ("The answer is (b)", "B", "final_line"),
    ("the correct option is: **C**", "C", "final_line"),
    ("ANSWER:B", "B", "final_line"),
    ("CORRECT OPTION:OPTION E", "E", "final_line"),
    ("Hence Answer - D", "D", "final_line"),
    ("The answer is B) enforce", "B", "final_line"),
    ("The answer is A dog.", "C", "final_line"),
    ("The answer is A and B only.", "D", "final_line"),
    ("The answer is A because it is.", "A", "final_line"),
    ("The answer is yell at.", "E", "final_line"),
    ("The answer is to enforce it later.", "F", "final_line"),
    ("So \\boxed{\\text{(B)}}", "B", "box"),
    ("(A) because of this", "A", "opening"),
    ("It is 36.\nD", "D", "closing"),
    ("D is the correct choice", "D", "closing"),
    ("Therefore one should ignore it.", "A", "therefore"),
    ("The answer is Z.", None, "none"),
]
TRUTHS = [
    ("The answer is yes.", "true", "final_line"),
    ('Therefore, the answer is "false".', "false", "final_line"),
    ("The answer is not valid.", "false", "final_line"),
    ("\nAnswer: False\n\nExplanation: it is true that ...", "false", "final_line"),
    ("True or False: dogs fly.\n\nMy answer: False.", "false", "final_line"),
    ("False. Dogs do not fly, true.", "false", "opening"),
    ("Dogs are true. So the argument is invalid.", "false", "therefore"),
    ("The statement, then, is false.", "false", "only_word"),
    ("True or False: dogs fly.", None, "none"),
    ("There is no evidence.", None, "none"),
]
FORMULAS = [
    (r"So $x = \boxed{\frac{1}{2}}$.", r"\frac{1}{2}", "box"),
    (r"$\boxed{\boxed{3}}$", "3", "box"),
    (r"\boxed{\{1,2\}}", r"\{1,2\}", "box"),
    (r"is $\boxed 2$.", "2", "box"),
    (r"first $\boxed{1}$, then $\boxed{2}$", "2", "box"),
    ("The final answer is:\n\n$$\\boxed{5}$$", "5", "box"),
    (r"The answer is $12$ because $4 \cdot 3 = 12$.", "12", "final_line"),
    ("The answer is $x=5$ and $y=3$.", "$x=5$ and $y=3$", "final_line"),
    (r"The answer is \frac{1}{2}", r"\frac{1}{2}", "final_line"),
    (r"The answer is the number of ways to choose 2 from 4. That is $6$.", "6", "closing"),
    ("So, the least common multiple of 12 and 18 is 36.", "36", "closing"),
    (r"\frac{1}{2}", r"\frac{1}{2}", "whole"),
    ("We cannot tell which one it might be.", None, "none"),
]
STRINGS = [
    ("Sorted: b a\nThe answer is a b.", "a b", "final_line"),
    ("The answer is > ) }.", "> ) }", "final_line"),
    ('Answer: "dearth, wind, & fire"', "dearth, wind, & fire", "final_line"),
    ("a b c", "a b c", "whole"),
    ("First\nsecond", None, "none"),
]


@pytest.mark.parametrize(
    ("kind", "text", "answer", "rule"),
    [
        (kind, *case)
        for kind, cases in {
            "number": NUMBERS,
            "choice": CHOICES,
            "boolean": TRUTHS,
            "latex": FORMULAS,
            "string": STRINGS,
        }.items()
        for case in cases
    ],
)
def test_rules(kind: AnswerKind, text: str, answer: str | None, rule: str) -> None:
    reading = read_answer(kind, text, OPTIONS if kind == "choice" else ())

    assert (reading.answer, reading.rule) == (answer, rule)
    if answer is not None:
        assert reading.span is not None
        assert canonical(kind, text[slice(*reading.span)], OPTIONS if kind == "choice" else ()) == answer


def test_latex_offers_box_and_final_sentence() -> None:
    found = [*readings("latex", r"so $\boxed{3}$. The answer is 4." + "\nProblem: next\n" + r"$\boxed{9}$")]

    assert [(each.answer, each.rule) for each in found] == [("3", "box"), ("4", "final_line")]


def test_a_box_after_a_stated_intermediate_result_counts_but_not_after_new_talk() -> None:
    assert [each.answer for each in readings("latex", r"The answer is $a+b$. So \boxed{5}.")] == ["5", "a+b"]
    assert [each.answer for each in readings("latex", "The answer is 5.\n\nQuestion: what? \\boxed{6}")] == ["5"]


def test_choices_bound_the_letters() -> None:
    assert read_answer("choice", "The answer is E.", ("x", "y")) == NOTHING
    assert read_answer("choice", "The answer is E.").answer == "E"


KINDS = st.sampled_from(get_args(AnswerKind))
PIECES = st.sampled_from(
    [
        *(
            "The answer is ",
            " or ",
            "between 3 and ",
            "!",
            ";",
            "3:4",
            "[0, 1)",
            "x > ",
            "Answer: ",
            "#### ",
            "Therefore, ",
            "Question: ",
            "option ",
            "<think>",
            "</think>",
            ". ",
            "\n",
        ),
        *(
            "\\boxed{",
            "\\frac",
            "{1}{2}",
            "\\text{(C)}",
            "\\[",
            "}",
            "{",
            "$",
            "$$",
            "**",
            "(",
            ")",
            '"',
            ":",
            "^",
            " = ",
        ),
        *(
            "12",
            "-3.5",
            "1,000",
            "1/2",
            "½",
            "٣",
            "e9",
            "%",
            "twelve",
            "B",
            "yes",
            "no",
            "true",
            "not ",
            "ignore",
            "A dog",
        ),
        *("\x00", "\ud800"),
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=25).map("".join))


@given(
    kind=KINDS, text=TEXTS, choices=st.one_of(st.just(()), st.just(OPTIONS), st.lists(st.text(max_size=9), max_size=4))
)
@example(kind="number", text="-" * 50 + "1e999999999", choices=())
@example(kind="choice", text="(A) ", choices=("", "", ""))
@example(kind="list", text="\\!00", choices=())
@example(kind="list", text="\\!A", choices=())
@example(kind="list", text="\\text{A)}{0}", choices=())
@settings(max_examples=400, deadline=None)
def test_reading_never_raises_and_the_span_holds_the_answer(kind: AnswerKind, text: str, choices: list[str]) -> None:
    for reading in readings(kind, text, choices):
        assert reading.answer is not None
        assert reading.span is not None
        start, end = reading.span
        assert 0 <= start < end <= len(text)
        assert canonical(kind, text[start:end], choices) == reading.answer
        assert canonical(kind, reading.answer, choices) == reading.answer


@given(
    st.integers(-(10**9), 10**9),
    st.sampled_from(["{}", "{:,}", "${:,}", "{}.0", "{} eggs", "**{}**", "$\\boxed{{{}}}$"]),
)
def test_a_number_is_read_back_however_it_is_written(number: int, form: str) -> None:
    assert read_answer("number", f"So 3 + 4 = 7.\nThe answer is {form.format(number)}.").answer == str(number)


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{" * 1_500_000,
        "answer is " * 1_000_000,
        "The answer is " + " " * 10_000_000,
        "1" * 10_000_000,
        "1," * 5_000_000,
        "111," * 2_500_000,
        "The answer is " + "$" * 5_000_000,
        "\n" * 10_000_000,
        "#### " * 2_000_000,
        "so " * 3_000_000,
        "no true " * 1_000_000,
        "<think>" + "x" * 10_000_000,
        "a. " * 3_000_000,
    ],
    ids=lambda text: text[:12],
)
@pytest.mark.parametrize("kind", get_args(AnswerKind))
def test_ten_megabytes_of_anything_are_read_at_once(kind: AnswerKind, text: str) -> None:
    start = time.process_time()

    read_answer(kind, text, OPTIONS)

    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("kind", "text", "end"),
    [
        ("number", "So 3 + 4 = 7.\nThe answer is 7.\n\nQuestion: What is 2 + 2? The answer is 4.", 32),
        ("number", "The answer is 7.\nProblem 2. What", 17),
        ("number", "3 + 4 = 7\n#### 7\nmore", 17),
        ("number", "The answer is 7. The answer is 8. #### 9", None),
        ("number", "#### 7", None),
        ("latex", "#### 7\nNo: \\boxed{8}", None),
        ("number", "Question: what is asked? 3 + 4.", None),
        ("choice", "The answer is (B).\nQ: another", 19),
        ("boolean", "So the answer is yes.\nUser: and", 22),
        ("number", "Answer:\n7\nQuestion: and", None),
    ],
)
def test_a_text_is_settled_where_other_talk_begins(kind: AnswerKind, text: str, end: int | None) -> None:
    assert settled(kind, text, OPTIONS) == end


RUN_ON = st.lists(
    st.sampled_from(
        [
            *("The answer is 7.", "The answer is", "Answer:", " 3.5", " (B)", " yes", "#### 7", "####", "$x^2$", "."),
            *("\\boxed{8}", "\n", "\n\n", " ", "Question: What?", "Problem 2.", "User:", "Q", "<think>", "</think>"),
            *("So 3 + 4 = 7.", "Explanation: ", "whether the answer is 2.", "**", "A dog", "$$"),
        ]
    ),
    max_size=14,
).map("".join)


@given(KINDS, RUN_ON, RUN_ON)
@settings(max_examples=750, deadline=None)
def test_nothing_after_a_settled_place_changes_the_answer(kind: AnswerKind, text: str, more: str) -> None:
    end = settled(kind, text, OPTIONS)
    if end is not None:
        assert list(readings(kind, text[:end], OPTIONS)) == list(readings(kind, text + more, OPTIONS))
        assert settled(kind, text + more, OPTIONS) == end
