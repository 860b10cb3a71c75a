"""The generator against its specification: ranges, shares, splits, reproducibility; the parser's way back."""

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.classroom.grammar import GAINS, LOSSES, NAMES, OBJECTS, UNITS, WITHHELD, Amount, Event, Puzzle, parse
from errata.classroom.problems import LEVELS, problems, split_of
from errata.classroom.soundness import sound
from errata.errors import UsageError
from errata.grading.grader import read_answer
from tests.llm.backends.simulated.asking import lesson


@pytest.mark.parametrize("split", LEVELS)
def test_every_problem_keeps_the_rules_of_its_split(split: str) -> None:
    for problem in lesson(150, split):
        puzzle = parse(problem.question)
        assert puzzle is not None
        assert puzzle.question == problem.question
        assert len(puzzle.steps) in LEVELS[split]
        assert all(1 <= step.result <= 60 for step in puzzle.steps)
        assert problem.answer == str(puzzle.answer)
        assert split_of(puzzle) == split == problem.split
        assert len(puzzle.distractors) in ((2,) if split == "dis2" else (0, 1))
        assert problem.meta["signature"] == puzzle.signature
        assert not (split == "school" and WITHHELD & set(problem.question.split()))


@pytest.mark.parametrize("split", LEVELS)
def test_gold_solutions_are_sound_and_right(split: str) -> None:
    for problem in lesson(150, split):
        assert problem.rationale is not None
        assert sound(problem.question, problem.rationale) is True
        assert read_answer("number", problem.rationale).answer == problem.answer


def test_splits_share_no_signature_and_held_out_templates_occur_nowhere_else() -> None:
    seen = {split: lesson(200, split, seed) for seed, split in enumerate(LEVELS)}
    signatures = {split: {p.meta["signature"] for p in found} for split, found in seen.items()}
    templates = {split: {p.meta["template"] for p in found} for split, found in seen.items()}
    for one in LEVELS:
        for other in LEVELS:
            if one != other:
                assert not signatures[one] & signatures[other], (one, other)
    assert len(templates["template"]) > 15
    assert not templates["template"] & set().union(*(templates[s] for s in LEVELS if s != "template"))


def test_shares_are_those_recommended() -> None:
    found = lesson(1500)
    assert 0.44 < sum(bool(p.meta["units"]) for p in found) / len(found) < 0.56
    assert 0.44 < sum(bool(p.meta["withheld"]) for p in found) / len(found) < 0.62
    assert Counter(p.answer for p in found).most_common(1)[0][1] < 0.07 * len(found)
    assert {unit for p in found for unit in p.meta["units"]} == set(UNITS)
    assert len({p.question for p in found}) > 0.995 * len(found)
    assert len(UNITS) == 12


def test_the_question_is_word_level_and_numbers_stay_one_token() -> None:
    words = {word for p in lesson(400, "dis2") for word in f"{p.question} {p.rationale}".split()}
    assert all(word.isalpha() or (word.isdigit() and int(word) < 100) or word in ".,?=+-*" for word in words)
    assert len({word for word in words if not word.isdigit()}) < 120


def test_problems_are_reproducible_lazy_and_independent_of_the_count() -> None:
    few = list(problems({"count": 20, "seed": 3}))
    many = list(islice(problems({"count": 10**9, "seed": 3}), 20))
    assert few == many
    assert few != list(problems({"count": 20, "seed": 4}))
    assert [p.position for p in few] == list(range(20))
    assert few[0].question == "Zoe has 5 quartets of coins . Zoe wins 7 more . how many coins does Zoe have ?", (
        "logs of older runs match no more"
    )
    assert few[0].id == "classroom-0d4bc8c3367ed535"


def test_levels_and_withheld_words_can_be_chosen() -> None:
    assert {p.meta["level"] for p in problems({"count": 30, "split": "lesson", "level": [4]})} == {4}
    assert {p.meta["level"] for p in problems({"count": 60, "level": [2, 3, 4]})} == {2, 3, 4}
    assert not any(p.meta["withheld"] for p in problems({"count": 60, "split": "id", "withheld": False}))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cuont": 3}, "did you mean count"),
        ({"split": "train"}, "school"),
        ({"count": -1}, "count"),
        ({"count": "many"}, "count"),
        ({"level": 9}, "level"),
        ({"level": []}, "level"),
        ({"seed": True}, "seed"),
        ({"withheld": "no"}, "true or false"),
    ],
)
def test_bad_options_are_wrong_use(options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        next(problems(options))


amounts = st.one_of(
    st.integers(2, 20).map(Amount),
    st.builds(Amount, st.integers(2, 9), st.sampled_from(("bags", "trays")), st.integers(2, 9)),
    st.builds(lambda n, unit: Amount(n, unit, UNITS[unit]), st.integers(2, 9), st.sampled_from(sorted(UNITS))),
)


@st.composite
def puzzles(draw: st.DrawFn) -> Puzzle:
    people = draw(st.permutations(NAMES))
    person, start, events = people[0], draw(amounts), []
    for fresh in people[1 : draw(st.integers(2, 6))]:
        kind = draw(st.sampled_from(("gain", "loss", "more", "fewer", "times")))
        if kind in ("gain", "loss"):
            verb = draw(st.sampled_from(GAINS if kind == "gain" else LOSSES))
            events.append(Event(kind, person, draw(amounts), verb))
        else:
            person = fresh
            events.append(Event(kind, person, Amount(draw(st.integers(2, 9)))))
    return Puzzle(people[0], draw(st.sampled_from(OBJECTS)), start, tuple(events))


@given(puzzles())
def test_a_question_is_read_back_into_its_puzzle(puzzle: Puzzle) -> None:
    assert parse(puzzle.question) == puzzle
    respaced = puzzle.question.replace(" .", ".").replace(" ?", "?").replace(". ", ".\n")
    assert parse(respaced) == puzzle


@pytest.mark.parametrize(
    "text",
    [
        "",
        "how many pens does Mia have ?",
        "Mia has 14 pens . how many pens does Mia have ?",
        "Mia has 14 pens . Eva finds 5 more . how many pens does Eva have ?",
        "Mia has 14 pens . Mia finds 5 more . how many toys does Mia have ?",
        "Mia has 14 pens . Mia finds 5 more . how many pens does Mia have ? Please .",
        "Mia has 14 pens . Mia has 5 pens . Mia finds 5 more . how many pens does Mia have ?",
        "Natalia sold clips to 48 of her friends in April. How many clips did Natalia sell?",
        "Mia has 14 pens . " * 500,
    ],
)
def test_other_texts_are_no_puzzle(text: str) -> None:
    assert parse(text) is None


@given(st.text())
def test_reading_any_text_is_safe(text: str) -> None:
    parse(text)
