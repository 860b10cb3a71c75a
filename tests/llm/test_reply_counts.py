"""Counts of replies: what they come to in a manifest and back, and when a limit is said to be too small."""

import pytest

from errata.llm.reply_counts import ReplyCounts, added, counts_of, rows_of, too_short

KEY = ("ada", "peer_review", "score")


def counted(replies: int, cut_off: int = 0, usd: float | None = 0.25) -> ReplyCounts:
    counts = ReplyCounts()
    for number in range(replies):
        counts.add(attempt=number % 2, cut_off=number < cut_off, tokens=(10, 5), usd=usd, seconds=0.5)
    return counts


def test_a_manifests_rows_are_read_back_and_added_to() -> None:
    first, more = {KEY: counted(4, 1)}, {KEY: counted(2), ("ben", "exam", "solve"): counted(1)}

    (row,) = rows_of(first)
    assert row == (
        {"agent": "ada", "stage": "peer_review", "verb": "score", "replies": 4, "cut_off": 1, "fresh_tries": 2}
        | {"prompt_tokens": 40, "completion_tokens": 20, "fresh_tokens": 30, "fresh_usd": 0.5, "seconds": 2.0}
    )
    assert counts_of([row]) == first
    both = added(counts_of([row]), more)
    assert both[KEY] == counted(6, 1)
    assert [key[0] for key in both] == ["ada", "ben"]


def test_an_unknown_price_stays_unknown() -> None:
    (row,) = rows_of({KEY: counted(2, usd=None)})
    assert row["fresh_usd"] is None
    (row,) = rows_of(added(counts_of([row]), {KEY: counted(2)}))
    assert row["fresh_usd"] is None


@pytest.mark.parametrize("rows", [None, 7, {}, [7], [{"agent": "ada"}], [{"agent": 1, "stage": "a", "verb": "b"}]])
def test_a_manifest_that_holds_none_breaks_nothing(rows: object) -> None:
    assert counts_of(rows) == {}


@pytest.mark.parametrize(
    ("replies", "cut_off", "said"), [(19, 19, False), (20, 5, False), (20, 6, True), (0, 0, False)]
)
def test_a_limit_is_too_small_where_more_than_a_quarter_of_twenty_replies_are_cut_off(
    replies: int, cut_off: int, said: bool
) -> None:
    half = counted(replies // 2), counted(replies - replies // 2, cut_off)
    notes = too_short({KEY: half[0], ("ada", "exam", "solve"): half[1], ("ben", "exam", "solve"): counted(99)})
    assert bool(notes) == (said or cut_off > replies - replies // 2 > 10)
