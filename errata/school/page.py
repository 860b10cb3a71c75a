"""The report of a school: its own section, then those of its judged students, as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from errata.errors import UsageError
from errata.report.build import Say, WrittenReport, write_report
from errata.report.eval_results import read_results
from errata.report.sections.overview import About
from errata.school.card import write_card
from errata.school.history import History, read_history
from errata.school.record import holds_school
from errata.school.section import section


def report_of(
    run: Path, evals: Sequence[str | Path] = (), out: Path | None = None, say: Say = lambda _: None
) -> WrittenReport:
    """Writes the report of a run or, with its card, of a school; as errata.report.build.write_report has it.

    Raises UsageError: as there, for evals beside a school, whose students are judged by itself, and for a record that
    cannot be read.
    """
    if not holds_school(run):
        return write_report(run, evals, out, say=say)
    if evals:
        raise UsageError(
            f"evals beside the school {run}", "its report is of its own judges", "compare them: errata compare EVAL ..."
        )
    history = read_history(run)
    write_card(history)
    return write_page(history, out, say)


def write_page(history: History, out: Path | None = None, say: Say = lambda _: None) -> WrittenReport:
    """Writes the report of a school to `out`, by default SCHOOL/report.html.

    Raises UsageError where students were judged on other items, or the extra `report` is missing.
    """
    comparison = None
    if history.evals:
        try:
            comparison = read_results(history.evals).comparison
        except UsageError as error:
            do = "judge all rounds on the same items: the same command does what is missing"
            raise UsageError(error.found, error.why, do) from error
    about = About("school", history.times)
    return write_report(history.home, out=out, say=say, comparison=comparison, first=[section(history)], about=about)
