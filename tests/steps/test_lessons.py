"""A lesson that a provider failed too often has not ended, and the same command tries it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.errors import EXIT_SOME_FAILED
from errata.runs.runner import Summary
from errata.steps.lessons import LessonFailed, refuse_if_many


@pytest.mark.parametrize(("failed", "many"), [(1, False), (2, True)])
def test_more_than_a_tenth_lost_ends_the_lesson(failed: int, many: bool) -> None:
    problems = {"total": 10, "failed": {"provider: ada: 500": failed}}
    summary = Summary(Path("round-1/lesson"), EXIT_SOME_FAILED, problems, {}, None, False, 0, 0)
    if not many:
        refuse_if_many(summary)
        return
    with pytest.raises(LessonFailed, match="2 of 10 problems of round-1/lesson were lost: provider: ada: 500") as lost:
        refuse_if_many(summary)
    assert lost.value.exit_code == EXIT_SOME_FAILED
