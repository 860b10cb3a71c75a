"""One small lesson and its report for all tests here; tests that change something copy it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from errata.records import Transcript
from errata.report import build
from errata.report.build import write_report
from errata.report.log_totals import LogTotals
from errata.runs.runner import synthesize
from tests.report.planted import three_students
from tests.small_runs import lines, small


@pytest.fixture(scope="session")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 24 problems with three evals: the untouched student, plain distillation, a committee's student."""
    folder = tmp_path_factory.mktemp("runs")
    run = asyncio.run(synthesize(small(folder, problems=24))).run
    three_students(run / "evals", number=80)
    return run


def leave_charts_out(patch: pytest.MonkeyPatch) -> None:
    """Their drawing has tests of its own and takes seconds."""
    patch.setattr(build, "draw", lambda spec, own: Markup("<svg></svg>"))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_charts_out(monkeypatch)


@pytest.fixture(scope="session")
def lesson_page(lesson: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The lesson's report, without charts."""
    with pytest.MonkeyPatch.context() as patch:
        leave_charts_out(patch)
        return write_report(lesson, out=tmp_path_factory.mktemp("page") / "page.html").out.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def log(lesson: Path) -> list[dict[str, Any]]:
    return lines(lesson)


@pytest.fixture(scope="session")
def totals(log: list[dict[str, Any]]) -> LogTotals:
    totals = LogTotals()
    for line in log:
        totals.add(Transcript.model_validate(line))
    return totals
