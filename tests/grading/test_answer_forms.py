"""Forms of answers: emphasis, hedges, headings, matrices, units, number words, lists, ratios and intervals.

Each case was graded otherwise before its rule stood, or is a neighbour that must not be caught by it.
"""

from collections.abc import AsyncIterator

import pytest

from errata.grading.extract import readings
from errata.grading.grader import Grader
from errata.records import AnswerKind, Problem

COLOURS = ("red", "blue", "green", "gray")
PAIR = r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}"


@pytest.fixture
async def grader() -> AsyncIterator[Grader]:
    async with Grader() as grader:
        yield grader


async def verdict(grader: Grader, kind: AnswerKind, gold: str, text: str, question: str = "How many?") -> bool:
    choices = COLOURS if kind == "choice" else ()
    problem = Problem(id="p", task="t", question=question, answer=gold, kind=kind, choices=choices)
    return (await grader.grade(problem, text)).correct


@pytest.mark.parametrize(
    "text",
    [
        "The answer is **blue**.",
        "The color is **blue**.",
        "Answer: **blue**",
        "**Final Answer: blue**",
        "The answer is: **blue**, because it is.",
        "The answer is **blue**. It is nice.",
        "So it is.\n\n**blue**",
        "The answer is *blue*.",
        "The answer is __blue__.",
        "The answer is 'blue'.",
        r"\boxed{\text{blue}}",
        r"The answer is $\text{blue}$.",
        r"The answer is \boxed{\mathrm{blue}}.",
    ],
)
async def test_strings_without_their_emphasis(grader: Grader, text: str) -> None:
    assert await verdict(grader, "string", "blue", text)
    assert not await verdict(grader, "string", "green", text)


async def test_underscores_and_stars_inside_a_string_stay() -> None:
    assert [each.answer for each in readings("string", "The answer is a_b * c.")] == ["a_b * c"]
    assert [each.answer for each in readings("string", "The answer is > ) }.")] == ["> ) }"]


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        (PAIR, r"\begin{pmatrix} 1 & 2 \\[1ex] 3 & 4 \end{pmatrix}", True),
        (PAIR, r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \\ \end{bmatrix}", True),
        (PAIR, r"\left(\begin{array}{cc} 1 & 2 \\ 3 & 4 \end{array}\right)", True),
        (PAIR, r"\begin{pmatrix} 1 & 2 & 3 & 4 \end{pmatrix}", False),
        (PAIR, r"\begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix}", False),
        (r"\begin{pmatrix} \frac{1}{2} \\ -3 \end{pmatrix}", r"\begin{pmatrix} 1/2 \\ -3 \end{pmatrix}", True),
        ("60", r"{60^\circ}", True),
        ("60", r"60{}^\circ", True),
        ("60", r"60^{\circ }", True),
        ("30", r"\frac{60^\circ}{2}", True),
        ("60", r"60^{\text{o}}", True),
        (r"\text{(F)}", r"\text{(F) Cone}", True),
        (r"\text{(F)}", r"\text{(G) Cone}", False),
        (r"32\pi", r"32\pi \text{ cubic feet}", True),
        (r"32\pi", r"32\pi cubic feet", True),
        (r"32\pi", r"32\pi\ cubic\ feet", True),
        (r"\frac{32\pi}{3}", r"\frac{32\pi}{3} cubic feet", True),
        ("(3,100)", "3100", False),
        ("3100", "(3,100)", False),
        ("(3,100)", "(3, 100)", True),
        ("3100", "3,100", True),
        (r"\{1,200\}", "1200", False),
        ("120", "5!", True),
        ("5", "5!", False),
        ("15.48", r"\$15.48", True),
        ("15", "fifteen", True),
        (r"7 - 2\pi", "0.716815", False),
        ("0.71681", r"7 - 2\pi", True),
        ("0.72", r"7 - 2\pi", False),
        (r"\sqrt{2}", "1.41421356237", False),
        (r"\frac{1}{2}", "2^{-1}", True),
        ("2^{50}", "2^{50}+1", False),
        (r"x\sqrt{x^2}", "x^2", False),
        ("[0,1)", "[0,1]", False),
        ("[0,1)", r"0 \le x < 1", True),
        (r"(-\infty,2)\cup(2,\infty)", r"(2,\infty)\cup(-\infty,2)", True),
        (r"(-\infty,2)\cup(2,\infty)", r"(-\infty,\infty)", False),
        (r"(-\infty,5]", r"(-\infty,2)\cup[2,5]", True),
        ("(1,2)", "(2,1)", False),
        (r"\{1,2\}", r"\{2,1\}", True),
        ("1,2", r"\{2,1\}", True),
        (r"1+\sqrt2,1-\sqrt2", r"1-\sqrt{2}, 1+\sqrt{2}", True),
    ],
)
async def test_formulas(grader: Grader, gold: str, answer: str, right: bool) -> None:
    assert await verdict(grader, "latex", gold, rf"So it is $\boxed{{{answer}}}$.") is right


@pytest.mark.parametrize("text", [r"The answer is $\$15.48$.", r"He pays $\$15.48$.", r"\boxed{\$15.48}"])
async def test_dollars_within_a_formula(grader: Grader, text: str) -> None:
    assert await verdict(grader, "latex", "15.48", text)


@pytest.mark.parametrize(
    ("question", "gold", "answer", "right"),
    [
        (r"Simplify $\sqrt{8}$.", r"2\sqrt{2}", r"\sqrt{8}", False),
        ("Compute $2+3$.", "5", "2+3", False),
        (r"Write $\frac{6}{8}$ in lowest terms.", r"\frac{3}{4}", r"\frac{6}{8}", False),
        (r"Simplify $\sqrt{8}$.", r"2\sqrt{2}", r"2\sqrt 2", True),
        (r"Simplify $\sqrt{8}$.", r"\sqrt{8}", r"\sqrt{8}", True),
        (r"A square has the area $8$. Find its side.", r"2\sqrt{2}", r"\sqrt{8}", True),
    ],
)
async def test_the_question_restated_is_no_answer(
    grader: Grader, question: str, gold: str, answer: str, right: bool
) -> None:
    assert await verdict(grader, "latex", gold, rf"\boxed{{{answer}}}", question) is right


@pytest.mark.parametrize(
    ("text", "golds", "wrong"),
    [
        ("The answer is between 16 and 36.", [], ["16", "36"]),
        ("The answer is 10-12.", [], ["10", "12"]),
        ("The answer is 10–12 apples.", [], ["10", "12"]),
        ("The answer is 10 to 12.", [], ["10", "12"]),
        ("The answer is 10 or 12.", [], ["10", "12"]),
        ("The answer is 10 apples or 12 apples.", [], ["10", "12"]),
        ("The answer is 5, 6, or 7.", [], ["5", "6", "7"]),
        ("The answer is three or four.", [], ["3", "4"]),
        ("The answer is 3 hours or 180 minutes.", ["3"], []),
        ("The answer is 1/2 or 0.5.", ["0.5"], []),
        ("The answer is 0.6 or 60%.", ["0.6"], ["60"]),
        ("It ranges from 3 to 9, but the answer is 3.", ["3"], ["9"]),
        ("The answer is 10 - 3 = 7.", ["7"], ["10"]),
        ("The answer is 10, since 4 - 12 is negative.", ["10"], ["4"]),
        ("The answer is 4 because 4 x 4 = 16.", ["4"], ["16"]),
        ("The answer is 4 (2 + 2 = 4, not 2 x 3 = 6).", ["4"], ["6"]),
        ("Since 3 + 4 = 7, the answer is 7.", ["7"], ["3"]),
        ("He starts with 8 and has 5 left, since 8 - 3 = 5.", ["5"], ["8"]),
        (r"\boxed{5!}", ["120"], ["5"]),
        ("The answer is $5!$", ["120"], ["5"]),
        ("The answer is 5!", ["5"], ["120"]),
        ("The answer is 5! Great.", ["5"], ["120"]),
        ("The answer is fifteen.", ["15"], []),
        ("The answer is twenty-one eggs.", ["21"], ["20", "1"]),
        ("The answer is two hundred and five.", ["205"], ["200"]),
        ("The answer is 1.500.", ["1.5", "1500"], ["15"]),
        ("The answer is 1.234.567.", ["1234567"], ["1.234"]),
        ("The answer is 25%.", ["25%", "25", "0.25"], ["2.5", "2500"]),
        ("The answer is 0.25.", ["0.25", "25%"], ["25"]),
        ("The answer is 5,000 m.", ["5 km", "5000", "5000 m"], ["5", "5000 kg", "5000 km"]),
        ("The answer is 5.", ["5 km", "5 kg"], ["6 km"]),
        ("Find the answer: we add 3 and 4.\nThe answer is 7.", ["7"], ["3"]),
        ("To get the answer: 3 apples and 4.\n3 + 4 = 7", ["7"], ["3"]),
        ("So we get the answer: 7.\nCheck: 3 + 4.", ["7"], ["4"]),
    ],
)
async def test_numbers(grader: Grader, text: str, golds: list[str], wrong: list[str]) -> None:
    assert [gold for gold in (*golds, *wrong) if await verdict(grader, "number", gold, text)] == golds


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is (A), (B), (C), or (D).", None),
        ("The answer is A or B.", None),
        ("The answer is either (A) or (C).", None),
        ("The answer is (A) red or (B) blue.", None),
        ("The answer is A and C.", None),
        ("The answer is (A) red, not (B) blue.", "A"),
        ("The answer is A, B is wrong.", "A"),
        ("The answer is B because A and C are wrong.", "B"),
        ("Choose the best answer: (A) red (B) blue\nThe answer is B.", "B"),
        ("Consider Answer A: it is no good.\nThe answer is B.", "B"),
        ("Answer A: no.\nAnswer B: yes, it fits.\nSo the answer is B.", "B"),
        ("Answer A is wrong.\nThe answer is (C).", "C"),
        ("So we choose the answer: B.", "B"),
        ("Hence Answer - D", "D"),
    ],
)
async def test_choices(grader: Grader, text: str, letter: str | None) -> None:
    right = [gold for gold in "ABCD" if await verdict(grader, "choice", gold, text)]
    assert right == ([letter] if letter else [])


@pytest.mark.parametrize(
    ("text", "gold"),
    [
        ("It may be true in some cases.\nNo.", "no"),
        ("Yes would be wrong, true.\n\n**No**", "no"),
        ("It is not false. Yes.", "yes"),
        ("False. Dogs do not fly, as is true of cows.", "no"),
    ],
)
async def test_truth_on_the_closing_line(grader: Grader, text: str, gold: str) -> None:
    assert await verdict(grader, "boolean", gold, text)
    assert not await verdict(grader, "boolean", {"no": "yes", "yes": "no"}[gold], text)


@pytest.mark.parametrize(
    ("kind", "gold", "text", "right"),
    [
        ("list", "3; 1; 2", "The answer is 3, 1, 2.", True),
        ("list", "3; 1; 2", "The answer is (3, 1, and 2).", True),
        ("list", "3; 1; 2", "The answer is 1, 2, 3.", False),
        ("list", "1,200; 3", "The answer is 1,200 and 3.", True),
        ("list", r"\frac{1}{2}; 2", r"So \boxed{0.5, 2}", True),
        ("list", "red; blue", "It is **red, blue**.", True),
        ("set", "3; 1; 2", "The answer is 1, 2 and 3.", True),
        ("set", "3; 1; 2", "The answer is 1, 2.", False),
        ("set", "3; 1; 2", "The answer is 1, 2, 3, 4.", False),
        ("set", "red, blue", "The answer is Blue and red.", True),
        ("ratio", "5:6", "The answer is 10:12.", True),
        ("ratio", "5:6", "So the ratio is 5 to 6.", True),
        ("ratio", "5:6", r"\boxed{\frac{5}{6}}", True),
        ("ratio", "5:6", "The answer is 6:5.", False),
        ("ratio", "1:2:3", "The answer is 2:4:6", True),
        ("interval", "[0, 1)", r"\boxed{0 \le x < 1}", True),
        ("interval", "[0, 1)", r"The answer is $[0,1)$.", True),
        ("interval", "[0, 1)", "The answer is [0, 1].", False),
        ("interval", "(2, inf)", "The answer is x > 2.", True),
        ("interval", r"(-\infty, 1) \cup (2, \infty)", r"\boxed{x < 1 \text{ or } x > 2}", True),
    ],
)
async def test_kinds_of_several_parts(grader: Grader, kind: AnswerKind, gold: str, text: str, right: bool) -> None:
    assert await verdict(grader, kind, gold, text) is right


async def test_any_of_several_golds_is_right_and_several_options_are_a_set(grader: Grader) -> None:
    several = Problem(id="p", task="t", question="?", answer="8", answers=("9", "10"), kind="number")
    assert (await grader.grade(several, "The answer is 10.")).correct
    assert not (await grader.grade(several, "The answer is 11.")).correct
    options = Problem(id="p", task="t", question="?", answer="A; C", kind="set", choices=COLOURS)
    for text, right in (
        ("The answer is C and A.", True),
        ("The answer is (A), (C).", True),
        ("The answer is red, green.", True),
        ("The answer is A.", False),
        ("The answer is A, B, C.", False),
    ):
        assert (await grader.grade(options, text)).correct is right, text


def test_a_problem_without_further_golds_is_written_as_before() -> None:
    problem = Problem(id="p", task="t", question="?", answer="8", kind="number")
    assert "answers" not in problem.model_dump()
    assert "answers" not in problem.model_dump_json()
    more = problem.model_copy(update={"answers": ("9",)})
    assert Problem.model_validate_json(more.model_dump_json()) == more
