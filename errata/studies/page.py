"""The report of a study: its claims first, then the arms, and the run that lies in its folder, as one HTML file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from errata.config.files import read_plain
from errata.errors import UsageError
from errata.evals.comparison import Comparison
from errata.evals.tables import could_show
from errata.report.build import WrittenReport, write_report
from errata.report.figures import Cell, Figure, Section, Table, count
from errata.report.sections.overview import About
from errata.school import page
from errata.steps.record import read_record, times_of
from errata.studies.recipe import StudyRecipe
from errata.studies.remarks import otherwise, remarks
from errata.studies.results import FILE, claim_rows, compare_study, counts, interval
from errata.studies.steps import label_of

Say = Callable[[str], None]


def report_of(
    run: Path, evals: Sequence[str | Path] = (), out: Path | None = None, say: Say = lambda _: None
) -> WrittenReport:
    """Writes the report of a study, a school or a run, whichever lies in the folder. Raises UsageError as theirs do."""
    return (
        report_of_study(run, out, say) if (run / FILE).is_file() and not evals else page.report_of(run, evals, out, say)
    )


def report_of_study(home: Path, out: Path | None = None, say: Say = lambda _: None) -> WrittenReport:
    """Writes the report of a study anew, by its study.json and its evals.

    Raises UsageError where study.json or an eval cannot be read, or the extra `report` is missing.
    """
    file = home / FILE
    try:
        study = StudyRecipe.model_validate(orjson.loads(read_plain(file))["recipe"])
    except (OSError, orjson.JSONDecodeError, ValidationError, KeyError, TypeError) as error:
        raise UsageError(
            f"{file} cannot be read: {error}"[:300], "the study's claims stand in it", "run `errata study RECIPE` again"
        ) from error
    here = study.model_copy(update={"runs": str(home.parent), "name": home.name})
    return write_page(here, compare_study(here), out, say)


def write_page(
    study: StudyRecipe, comparison: Comparison, out: Path | None = None, say: Say = lambda _: None
) -> WrittenReport:
    """Writes the report of a study to `out`, by default STUDY/report.html. Raises UsageError as `report_of_study`."""
    about = About("study", times_of(read_record(study.home)), settings_of(study))
    first = claims_section(claim_rows(study, comparison))
    return write_report(study.home, out=out, say=say, comparison=comparison, first=first, about=about)


def claims_section(claims: Sequence[Mapping[str, Any]]) -> tuple[Section, ...]:
    """A table with a row per claim of study.json, in a section of its own; nothing where there are none."""
    if not claims:
        return ()
    headings = ("claim", "by", "sign", "task", "points", "could show", "verdict", "arm and control")
    lines: list[list[Cell]] = [
        [
            row["name"],
            row["source"],
            row["sign"],
            row["task"],
            interval(row),
            could_show(row["detectable"]),
            row["verdict"] + otherwise(row),
            "; ".join(remarks(row)) or None,
        ]
        for row in claims
    ]
    figure = Figure(f"{count(len(claims), 'claim')}: {counts(claims)}", Table(headings, lines), wide=True)
    lede = "What the study asked before it ran, by whom it is claimed and with which sign, and what was found."
    return (Section("claims", "Claims", lede, (figure,)),)


def settings_of(study: StudyRecipe) -> dict[str, str]:
    """By the arms' labels, what tells each from others of its method: its flags, its data, where it starts."""
    settings: dict[str, str] = {}
    for name, arm in study.arms.items():
        words = [f"{flag} {value}" for flag, value in arm.flags.items() if flag != "control"]
        words += [f"data {arm.data}"] if arm.data and len(study.data) > 1 else []
        words += [f"from {arm.start}"] if arm.start else []
        settings |= {label_of(study, student, name): ", ".join(words) for student in study.students}
    return settings
