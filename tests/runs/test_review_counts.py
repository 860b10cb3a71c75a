"""Reviews made and saved."""

from __future__ import annotations

from errata.runs.review_counts import ReviewCounts, in_words


def test_what_the_whole_panel_would_have_made_is_counted_by_author() -> None:
    counts = ReviewCounts()
    counts.add("ada", ["ben", "cyd"])
    counts.add("ada", [])
    counts.add("ben", ["cyd"])
    counts.add("ben", [])
    assert counts.figures() == {
        "rationales": 4,
        "reviews": 3,
        "whole_panel": 6,
        "per_rationale": 0.75,
        "saved_per_rationale": 0.75,
        "samples": 0,
    }
    assert (
        in_words(counts.figures()) == "0.75 reviews per rationale were made, 0.75 fewer than by the whole panel on each"
    )


def test_where_all_were_reviewed_or_none_nothing_is_said() -> None:
    whole, empty = ReviewCounts(), ReviewCounts()
    whole.add("ada", ["ben"])
    assert whole.figures()["saved_per_rationale"] == 0
    assert in_words(whole.figures()) == ""
    assert empty.figures()["per_rationale"] is None
    assert in_words(empty.figures()) == ""


def test_further_samples_are_counted_apart() -> None:
    counts = ReviewCounts()
    counts.add("ada", ["ben"])
    counts.add_sample()
    assert counts.figures()["samples"] == 1
    assert counts.figures()["rationales"] == 1
    assert in_words(counts.figures()) == "further samples asked for: 1"
