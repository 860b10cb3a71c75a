from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.training.align import AlignMode, key_tokens, select_keys

ids = st.lists(st.integers(0, 5), min_size=1, max_size=30)


def distance(a: list[int], b: list[int]) -> int:
    """Textbook edit distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]


def matched(tokens: list[int], keys: list[int]) -> list[int]:
    return [token for i, token in enumerate(tokens) if i not in keys]


def gaps(tokens: list[int], keys: list[int]) -> list[int]:
    """How many key tokens stand before each matched token, and after the last."""
    found = [0]
    for i in range(len(tokens)):
        if i in keys:
            found[-1] += 1
        else:
            found.append(0)
    return found


@given(ids, ids)
def test_what_is_not_key_is_matched_along_a_shortest_edit_path(right: list[int], wrong: list[int]) -> None:
    keys = key_tokens(right, wrong)

    assert matched(right, keys.right) == matched(wrong, keys.wrong)
    changed = zip(gaps(right, keys.right), gaps(wrong, keys.wrong), strict=True)
    assert distance(right, wrong) == sum(max(pair) for pair in changed)


@given(ids)
def test_equal_sides_have_no_key_token(tokens: list[int]) -> None:
    assert key_tokens(tokens, list(tokens)) == ([], [])


@given(ids, st.data())
def test_one_replaced_token_is_one_key_token_a_side(tokens: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(tokens) - 1))
    wrong = [*tokens[:place], 99, *tokens[place + 1 :]]

    assert key_tokens(tokens, wrong) == ([place], [place])


@given(ids, st.data())
def test_one_inserted_token_is_one_key_token_of_its_side(tokens: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(tokens)))

    assert key_tokens(tokens, [*tokens[:place], 99, *tokens[place:]]) == ([], [place])


@given(ids, ids, st.integers(0, 3))
def test_random_mode_takes_as_many_tokens_and_the_same_ones_every_time(
    right: list[int], wrong: list[int], seed: int
) -> None:
    edit = select_keys("edit", right, wrong)
    drawn = select_keys("random", right, wrong, seed, "p1")

    assert [len(side) for side in drawn] == [len(side) for side in edit]
    assert all(side == sorted(set(side)) for side in drawn)
    assert drawn == select_keys("random", right, wrong, seed, "p1")


def test_random_draws_depend_on_the_row() -> None:
    right, wrong = list(range(100)), [*range(50), *range(150, 200)]

    assert select_keys("random", right, wrong, 0, "p1") != select_keys("random", right, wrong, 0, "p2")


@pytest.mark.parametrize("lengths", [(3, 5), (1, 1)])
def test_without_alignment_every_token_is_key(lengths: tuple[int, int]) -> None:
    right, wrong = ([0] * length for length in lengths)

    assert select_keys("none", right, wrong) == (list(range(lengths[0])), list(range(lengths[1])))


@given(ids, ids, st.integers(0, 30), st.sampled_from(["edit", "first_divergence", "random", "none"]))
def test_before_its_first_wrong_step_a_wrong_side_has_no_key_token(
    right: list[int], wrong: list[int], begin: int, mode: AlignMode
) -> None:
    begin = min(begin, len(wrong))
    whole, late = select_keys(mode, right, wrong), select_keys(mode, right, wrong, begin=begin)

    assert late.right == whole.right
    if mode == "random":
        assert len(late.wrong) == len([key for key in key_tokens(right, wrong).wrong if key >= begin])
        assert all(begin <= key < len(wrong) for key in late.wrong)
    else:
        assert late.wrong == [key for key in whole.wrong if key >= begin]


@given(ids, ids)
def test_the_first_divergence_is_the_first_run_of_key_tokens(right: list[int], wrong: list[int]) -> None:
    edit, first = (select_keys(mode, right, wrong) for mode in ("edit", "first_divergence"))

    for all_keys, keys in zip(edit, first, strict=True):
        assert keys == all_keys[: len(keys)]
        assert keys == list(range(keys[0], keys[0] + len(keys))) if keys else True
    assert any(first) == (right != wrong)
    start = min([key for side in first for key in side], default=0)
    assert right[:start] == wrong[:start]


def test_what_follows_the_first_divergence_is_no_key_token() -> None:
    right, wrong = [1, 2, 7, 8, 3, 4, 5], [1, 2, 9, 3, 4, 6]

    assert select_keys("edit", right, wrong) == ([2, 3, 6], [2, 5])
    assert select_keys("first_divergence", right, wrong) == ([2, 3], [2])
