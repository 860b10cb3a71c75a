"""Which problems a round teaches: each criterion, rehearsal, and draws that depend on seed and problem alone."""

from __future__ import annotations

import pytest

from errata.errors import UsageError
from errata.school.choosing import CHOOSERS, Choice, ExamResult, choose

NAMED = dict(CHOOSERS)
RESULTS = [
    ExamResult("none", (False, False), ("1", "1")),
    ExamResult("divided", (False, False), ("1", "2")),
    ExamResult("some", (True, False), ("7", "3")),
    ExamResult("all", (True, True), ("7", "7")),
    ExamResult("teachers", (True, True), ("7", "7"), ("7", "8", "9")),
]


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("all", ["none", "divided", "some", "all", "teachers"]),
        ("wrong", ["none", "divided", "some"]),
        ("reachable", ["some"]),
        ("disagreement", ["divided", "some", "teachers"]),
        ("random", ["none", "divided", "some", "all", "teachers"]),
    ],
)
def test_each_criterion(name: str, chosen: list[str]) -> None:
    choices = NAMED[name](RESULTS, 9, "0")
    assert [each.problem_id for each in choices] == chosen
    assert {each.by for each in choices} == {name}
    assert all(each.reason for each in choices)


def test_the_most_divided_come_first() -> None:
    assert [each.problem_id for each in NAMED["disagreement"](RESULTS, 1, "0")] == ["teachers"]


def many(number: int = 60) -> list[ExamResult]:
    return [ExamResult(f"p{n}", (n % 3 > 0, n % 3 > 1), (str(n % 3 > 0), str(n % 3 > 1))) for n in range(number)]


@pytest.mark.parametrize("name", NAMED)
def test_as_many_as_asked_for_in_the_results_order_by_seed_and_problem_alone(name: str) -> None:
    results = many()
    chosen = NAMED[name](results, 7, "0")
    places = [next(n for n, each in enumerate(results) if each.problem_id == one.problem_id) for one in chosen]
    assert len(chosen) == 7
    assert places == sorted(places)
    assert set(NAMED[name](results[::-1], 7, "0")) == set(chosen)
    assert set(NAMED[name](results, 7, "1")) != set(chosen)
    assert NAMED[name]([], 7, "0") == []


def test_a_share_is_rehearsal_of_what_is_mastered_and_is_marked() -> None:
    results = many()
    chosen = choose(results, NAMED["reachable"], 20, 0.2, "0")
    kinds = [each.by for each in chosen]
    assert (kinds.count("rehearsal"), kinds.count("reachable")) == (4, 16)
    mastered = {each.problem_id for each in results if all(each.right)}
    assert all((each.problem_id in mastered) == (each.by == "rehearsal") for each in chosen)
    everything = choose(results, NAMED["all"], 60, 0.2, "0")
    assert len({each.problem_id for each in everything}) == len(everything) == 60, "nothing stands twice"
    assert [each.by for each in choose(many(2), NAMED["reachable"], 10, 0.5, "0")] == ["reachable"]


@pytest.mark.parametrize(
    ("picked", "said"),
    [(["a", "b", "c"], "3 problems"), (["a", "a"], "1 of them apart"), (["z"], "z, which it was not")],
)
def test_a_chooser_that_gives_what_was_not_asked_for_is_refused(picked: list[str], said: str) -> None:
    results = [ExamResult(name, (False,), ("1",)) for name in "abc"]
    with pytest.raises(UsageError, match=said):
        choose(results, lambda rest, count, seed: [Choice(each, "mine", "") for each in picked], 2, 0.0, "s")


def test_an_answer_that_cannot_be_read_is_no_disagreement() -> None:
    results = [ExamResult("a", (False, True), (None, "3"))]
    assert dict(CHOOSERS)["disagreement"](results, 1, "s") == []


def test_a_control_draws_from_all_as_many_as_the_other_chooser_finds() -> None:
    results = many()
    alike = choose(results, NAMED["reachable"], 40, 0.2, "0")
    control = choose(results, NAMED["random"], 40, 0.2, "0", NAMED["reachable"])
    kinds = [each.by for each in control]
    assert kinds.count("rehearsal") == [each.by for each in alike].count("rehearsal") == 8
    assert kinds.count("random") == [each.by for each in alike].count("reachable") == 20
    others = {each.problem_id for each in control if each.by == "random"}
    rights = {each.problem_id: each.right for each in results}
    assert len({rights[each] for each in others}) == 3, "not only reachable ones"
    assert len(choose(results, NAMED["random"], 10, 0.2, "0", NAMED["reachable"])) == 10, "nor more than are asked for"
