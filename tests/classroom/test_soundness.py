"""Soundness and the first flaw: the faculty's voices, ordinary prose, other orders, every kind of mistake."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.classroom.check_steps import judge
from errata.classroom.grammar import parse
from errata.classroom.hashed_random import HashedRandom
from errata.classroom.solve import MIX, VOICES, Mistake, lucky, sane, slips, work, write, wrong
from errata.classroom.soundness import sound
from tests.llm.backends.simulated.asking import lesson

QUESTION = "Mia has 14 pens . Mia buys 2 trios of pens . Mia loses 4 of them . how many pens does Mia have ?"
PUZZLE = parse(QUESTION)
assert PUZZLE is not None


@pytest.mark.parametrize("voice", range(len(VOICES)))
def test_the_voices_say_the_same(voice: int) -> None:
    assert PUZZLE
    text = write(PUZZLE, work(PUZZLE), voice)
    assert sound(QUESTION, text) is True
    assert text.endswith("the answer is 16 .")
    assert judge(PUZZLE, text).voice == voice


@pytest.mark.parametrize(
    "text",
    [
        "A trio means 3. 2 × 3 = 6 pens. Then 14 + 6 = 20, and 20 − 4 = 16. The answer is 16.",
        "2*3=6\n14+6=20\n20-4=16\nThe answer is 16.",
        "14 - 4 = 10 . 2 * 3 = 6 . 10 + 6 = 16 . the answer is 16 .",
        "2 * 3 = 6 . 6 - 4 = 2 . 14 + 2 = 16 . the answer is 16 .",
        "6 = 6 . 2 * 3 = 6 . 6 + 14 = 20 . 20 - 4 = 16 . so 20 - 4 = 16 . the answer is 16 .",
        "14 + 2 * 3 - 4 = 16 . the answer is 16 .",
        "2 * 3 = 6 . 14 + 6 - 4 = 16 . the answer is 16 . 1 + 1 = 3 .",
    ],
)
def test_other_orders_and_prose_are_sound(text: str) -> None:
    assert sound(QUESTION, text) is True


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("trios = 4 . 2 * 4 = 8 . 14 + 8 = 22 . 22 - 4 = 18 . the answer is 18 .", "knowledge"),
        ("2 * 4 = 8 . 14 + 8 = 22 . 22 - 4 = 18 . the answer is 18 .", "knowledge"),
        ("2 * 3 = 6 . 14 - 6 = 8 . 8 - 4 = 4 . the answer is 4 .", "logical_op"),
        ("2 * 3 = 6 . 14 + 2 = 16 . 16 - 4 = 12 . the answer is 12 .", "logical_num"),
        ("2 * 3 = 6 . 14 + 6 = 21 . 21 - 4 = 17 . the answer is 17 .", "calc"),
        ("2 * 3 = 6 . 14 + 6 = 20 . 20 - 4 = 16 . the answer is 20 .", "final"),
        ("2 * 3 = 6 . 14 + 6 = 20 . the answer is 20 .", "final"),
        ("2 * 3 = 6 . 14 + 6 = 20 . 20 - 4 = 16", "unfinished"),
        ("2 * 3 = 6 . the answer is 16 .", "unfinished"),
        # true arithmetic and the right answer, but not what the problem asks for
        ("2 + 4 = 6 . 14 + 6 = 20 . 20 - 4 = 16 . the answer is 16 .", "logical_num"),
        ("2 * 3 = 6 . 14 + 6 = 20 . 20 + 4 = 16 . the answer is 16 .", "logical_op"),
        ("2 * 3 = 6 . 14 + 6 = 20 . 20 - 4 = 16 . 16 + 5 = 21 . the answer is 16 .", "logical_num"),
    ],
)
def test_the_first_flaw_is_found_and_named(text: str, kind: str) -> None:
    assert PUZZLE
    flaw = judge(PUZZLE, text).flaw
    assert flaw is not None
    assert flaw.kind == kind
    assert sound(QUESTION, text) is False


def test_unknown_where_there_is_nothing_to_check() -> None:
    assert sound("What is 2 + 2 ?", "2 + 2 = 4 . the answer is 4 .") is None
    assert sound(QUESTION, "the answer is 16 .") is None
    assert sound(QUESTION, "I cannot say.") is None
    assert sound(QUESTION, "") is None


def test_each_kind_of_mistake_changes_what_it_should() -> None:
    assert PUZZLE
    lines = work(PUZZLE, {0: Mistake("knowledge", 4)})
    assert [line.result for line in lines] == [8, 22, 18]
    assert lines[0].unit == "trios"
    assert [line.result for line in work(PUZZLE, {1: Mistake("logical_op", "-")})] == [6, 8, 4]
    assert [line.result for line in work(PUZZLE, {1: Mistake("logical_num", 2)})] == [6, 16, 12]
    assert [line.result for line in work(PUZZLE, {2: Mistake("calc", -1)})] == [6, 20, 15]


def test_a_slip_is_found_at_its_step_whatever_the_voice() -> None:
    agreed = total = 0
    for problem in lesson(300):
        puzzle = parse(problem.question)
        assert puzzle
        rng = HashedRandom(problem.id)
        mistakes = wrong(puzzle, rng)
        lines = work(puzzle, mistakes)
        assert sane(lines)
        assert lines[-1].result != puzzle.answer
        ((step, mistake),) = mistakes.items()
        flaw = judge(puzzle, write(puzzle, lines, rng.between(0, 3))).flaw
        assert flaw is not None
        total += 1
        agreed += (flaw.kind, flaw.step) == (mistake.kind, step)
    assert agreed / total > 0.97, "a slip may happen to look like another kind, but seldom does"


def test_lucky_rationales_are_right_and_unsound() -> None:
    for problem in lesson(300):
        puzzle = parse(problem.question)
        assert puzzle
        for voice in range(len(VOICES)):
            text = write(puzzle, lucky(puzzle, HashedRandom(problem.id, voice)), voice)
            assert text.endswith(f"the answer is {problem.answer} .")
            assert sound(problem.question, text) is False


def test_slips_come_in_their_mix() -> None:
    kinds: Counter[str] = Counter()
    for problem in lesson(400):
        puzzle = parse(problem.question)
        assert puzzle
        if problem.meta["units"]:
            (mistake,) = next(iter(slips(puzzle, HashedRandom(problem.id)))).values()
            kinds[mistake.kind] += 1
    for kind, weight in MIX.items():
        assert abs(kinds[kind] / sum(kinds.values()) - weight / 10) < 0.09


_SAYINGS = (
    """trios = 3 . 2 * 4 6 14 + 20 - the answer is 16 add to get take from multiply by now we have that so , × −"""
)
words = st.sampled_from(sorted({*_SAYINGS.split(), "\n"}))


@given(st.one_of(st.text(), st.lists(words, max_size=60).map(" ".join)))
def test_judging_any_text_is_safe(text: str) -> None:
    assert PUZZLE
    verdict = judge(PUZZLE, text)
    assert all(0 <= one.start < one.end <= len(text) for one in verdict.statements)
    assert sound(QUESTION, text) in (True, False, None)
