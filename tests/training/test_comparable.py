"""Rationales whose answers cannot be compared token by token are left out, or stay unmarked, with their count."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.errors import NothingToLearn, UsageError
from errata.records import Span
from errata.training.comparable import ALONE, NO_ANSWER, OTHER_TOKENS, comparable
from errata.training.encode import Encoder, Group, Written, make_group
from tests.training.lab import byte_tokenizer

ENCODER = Encoder(byte_tokenizer())
RIGHT = ("right",)


def group(name: str, *answers: str, others: int = 0) -> Group:
    """Right rationales that end in these answers ('' leaves one unmarked), and as many wrong ones as asked for."""
    written = [
        Written("right", [5, 6], f"step {place} is {answer}", Span(10, 10 + len(answer)) if answer else None)
        for place, answer in enumerate(answers)
    ]
    return make_group(name, written + [Written("wrong", [5, 6], f"no {n}") for n in range(others)], [], ENCODER)


def counted(groups: list[Group], keep: bool = False) -> tuple[list[Group], dict[str, int]]:
    left_out: Counter[str] = Counter()
    return comparable(groups, RIGHT, left_out, keep=keep), {key: count for key, count in left_out.items() if count}


def marks(one: Group) -> list[bool]:
    return [bool(member["answer"][1]) for member in one["members"]]


def test_those_that_write_their_answer_unlike_most_are_left_out_and_counted() -> None:
    mixed = group("a", "18", "18.0", "18", "", others=1)

    (found,), left_out = counted([mixed])

    assert found["members"] == [mixed["members"][place] for place in (0, 2, 4)]
    assert left_out == {OTHER_TOKENS: 1, NO_ANSWER: 1}


def test_where_other_terms_read_them_they_stay_without_a_mark() -> None:
    (found,), left_out = counted([group("a", "18", "18.0", "18", "", others=1)], keep=True)

    assert marks(found) == [True, False, True, False, False]
    assert left_out == {OTHER_TOKENS: 1, NO_ANSWER: 1}


def test_one_alone_has_nothing_to_be_compared_with() -> None:
    found, left_out = counted([group("a", "7", "7"), group("b", "7", ""), group("c", "7", "8")])

    assert [one["id"] for one in found] == ["a"]
    assert left_out == {NO_ANSWER: 1, OTHER_TOKENS: 1, ALONE: 2}


@pytest.mark.parametrize("keep", [False, True])
def test_a_set_without_two_to_compare_is_refused_with_the_reasons(keep: bool) -> None:
    with pytest.raises(NothingToLearn, match=r"no two rationales.*1 not comparable, no answer.*2 .*alone") as error:
        counted([group("a", "7", ""), group("b", "7")], keep)

    assert "--answer_sentence" in error.value.do


@given(
    st.lists(st.lists(st.sampled_from(["", "7", "$7", "70", "7.0"]), min_size=1, max_size=6), min_size=1, max_size=6)
)
def test_every_rationale_is_compared_or_counted(told: list[list[str]]) -> None:
    groups: list[Any] = [group(str(place), *answers) for place, answers in enumerate(told)]
    pairs = [max(Counter(each for each in answers if each).values(), default=0) for answers in told]
    if max(pairs) < 2:
        with pytest.raises(UsageError):
            counted(groups)
        return

    found, left_out = counted(groups)

    kept = [one["members"] for one in found]
    assert [len(members) for members in kept] == [count for count in pairs if count > 1]
    assert sum(map(len, kept)) + sum(left_out.values()) == sum(map(len, told))
    for members in kept:
        assert len({tuple(one["input_ids"][slice(*one["answer"])]) for one in members}) == 1
