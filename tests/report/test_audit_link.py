"""The report leads to the page on which a person marks rationales, or says what writes it."""

from __future__ import annotations

from pathlib import Path

from errata.report.audit_link import audit_of
from errata.report.figures import Link
from errata.report.sections.verdicts import audit, reviews_saved
from errata.runs.run_dir import RunDir

WRITTEN = {"rationales": {"written": 3}}


def test_without_a_page_the_command_stands_there(tmp_path: Path) -> None:
    told = audit_of(RunDir(tmp_path), tmp_path / "report.html")
    assert told == {"page": None, "command": f"errata audit {tmp_path}", "marks": 0}
    figure = audit({**WRITTEN, "audit": told})
    assert figure is not None
    assert figure.table.rows == [["command", f"errata audit {tmp_path}"]]
    assert "The command writes it" in figure.note


def test_a_page_is_led_to_from_wherever_the_report_lies(tmp_path: Path) -> None:
    run = tmp_path / "a: run"
    run.mkdir()
    (run / "audit.html").write_text("page")
    (run / "marks.jsonl").write_text('{"rationale": "r1", "verdict": "right"}\n')
    assert audit_of(RunDir(run), run / "report.html")["page"] == "audit.html"
    told = audit_of(RunDir(run), tmp_path / "report.html")
    assert told["page"] == "a%3A%20run/audit.html"
    figure = audit({**WRITTEN, "audit": told})
    assert figure is not None
    assert figure.title == "A person has marked 1 rationale."
    assert figure.table.rows == [["page", Link("audit.html", "a%3A%20run/audit.html")]]


def test_where_nothing_is_written_nothing_is_offered() -> None:
    assert audit({"rationales": {"written": 0}, "audit": {"page": None, "command": "", "marks": 0}}) is None
    assert audit(WRITTEN) is None


def test_saved_reviews_are_a_figure() -> None:
    reviews = {
        "rationales": 4,
        "reviews": 3,
        "whole_panel": 6,
        "per_rationale": 0.75,
        "saved_per_rationale": 0.75,
        "samples": 0,
    }
    figure = reviews_saved({"reviews": reviews})
    assert figure is not None
    assert figure.table.rows == [["made", 3], ["by the whole panel", 6]]
    assert reviews_saved({"reviews": {**reviews, "saved_per_rationale": 0.0}}) is None
    assert reviews_saved({}) is None
