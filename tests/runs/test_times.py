"""When a run worked, as its manifest keeps it: over several processes, and read from manifests of any kind."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from errata.runs.runner import synthesize
from errata.runs.times import Times, times_in, times_now, when
from tests.small_runs import small

BEGUN = datetime(2026, 11, 28, 22, 10, 5, tzinfo=UTC)


def test_a_second_process_adds_its_work_and_what_lies_between_does_not_count() -> None:
    first = times_now(None, BEGUN, 90.0, worked=True)
    second = times_now(first, datetime(2026, 11, 29, 7, 0, tzinfo=UTC), 30.04, worked=True)

    assert first == Times("2026-11-28T22:10:05+00:00", "2026-11-28T22:11:35+00:00", 90.0)
    assert second == Times(first.begun, "2026-11-29T07:00:30+00:00", 120.04)


def test_a_process_that_settles_nothing_changes_nothing() -> None:
    first = times_now(None, BEGUN, 90.0, worked=True)
    assert times_now(first, datetime(2026, 11, 29, 7, 0, tzinfo=UTC), 5.0, worked=False) == first


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ("2026-11-28T22:10:59+00:00", "2026-11-28 22:10 UTC"),
        ("2026-11-28T23:41:00+01:00", "2026-11-28 22:10 to 22:41 UTC"),
        ("2026-11-29T03:00:00+00:00", "2026-11-28 22:10 to 2026-11-29 03:00 UTC"),
    ],
)
def test_the_moments_are_told_by_the_minute(last: str, words: str) -> None:
    assert when(Times(BEGUN.isoformat(), last, 1.0)) == words


@pytest.mark.parametrize(
    "held",
    [
        None,
        [],
        {},
        {"begun": "yesterday", "last": BEGUN.isoformat(), "seconds": 1},
        {"begun": BEGUN.isoformat(), "last": 7, "seconds": 1},
        {"begun": BEGUN.isoformat(), "last": BEGUN.isoformat(), "seconds": "long"},
        {"begun": BEGUN.isoformat(), "last": BEGUN.isoformat(), "seconds": float("inf")},
        {"begun": "2026-11-28T22:10:06+00:00", "last": BEGUN.isoformat(), "seconds": 1},
    ],
)
def test_what_cannot_be_read_is_as_if_it_were_not_there(held: Any) -> None:
    assert times_in({"times": held}) is None


def test_a_run_keeps_them_and_a_finished_one_taken_up_again_leaves_them(tmp_path: Path) -> None:
    recipe = small(tmp_path, problems=2)

    def held() -> Times | None:
        run = asyncio.run(synthesize(recipe)).run
        return times_in(orjson.loads((run / "manifest.json").read_bytes()))

    before = datetime.now(UTC).replace(microsecond=0)
    first = held()

    assert first is not None
    assert before <= datetime.fromisoformat(first.begun) <= datetime.fromisoformat(first.last) <= datetime.now(UTC)
    assert first.seconds > 0
    assert held() == first
