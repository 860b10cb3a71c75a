"""The report of a study: its claims first, then the arms, and the run that lies in its folder, as one HTML file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
from pydantic import ValidationError

from errata.errors import UsageError
from errata.evals.comparison import Comparison
from errata.report.build import WrittenReport, write_report
from errata.studies.recipe import StudyRecipe
from errata.studies.record import read_record, times_of
from errata.studies.results import FILE, compare_study

Say = Callable[[str], None]


def report_of_study(home: Path, out: Path | None = None, say: Say = lambda _: None) -> WrittenReport:
    """Writes the report of a study anew, by its study.json and its evals.

    Raises UsageError where study.json or an eval cannot be read, or the extra `report` is missing.
    """
    file = home / FILE
    try:
        study = StudyRecipe.model_validate(orjson.loads(file.read_bytes())["recipe"])
    except (OSError, orjson.JSONDecodeError, ValidationError, KeyError, TypeError) as error:
        raise UsageError(
            f"{file} cannot be read: {error}"[:300], "the study's claims stand in it", "run `errata study RECIPE` again"
        ) from error
    here = study.model_copy(update={"runs": str(home.parent), "name": home.name})
    return write_page(home, compare_study(here), out, say)


def write_page(home: Path, comparison: Comparison, out: Path | None = None, say: Say = lambda _: None) -> WrittenReport:
    """Writes the report of a study to `out`, by default STUDY/report.html. Raises UsageError as `report_of_study`."""
    return write_report(home, out=out, say=say, comparison=comparison, steps=times_of(read_record(home)))
