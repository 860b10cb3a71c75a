"""Makes data sets of logs: `errata export RUN... --format F --out FILE.jsonl`, with a data-set card beside the file.

Rows come run by run in the order given and, within a run, in the problems' input order, so that the same recipe and the
same replies give the same bytes. Of a problem that stands in two runs the rows of both come; `meta.run` says whose.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from errata.config.files import draft_of, open_own, write_whole
from errata.data.source import ProblemSource
from errata.errors import ErrataError, UsageError
from errata.exports.compile import ExportCounts, Selection, compile_rows, eval_sets_of, no_row
from errata.exports.dataset_card import card_text
from errata.exports.format import Format
from errata.exports.formats import format_of
from errata.exports.logs import Log, open_logs
from errata.exports.transcript_view import ALL, Options
from errata.records import to_json
from errata.runs.acceptance import Acceptance


class Exported(NamedTuple):
    """A data set that was written, with its card and its counts."""

    out: Path
    card: Path
    tally: ExportCounts
    format: Format


def export(
    runs: Sequence[str | Path],
    form: str | Format,
    out: str | Path,
    options: Options = ALL,
    *,
    against: Sequence[ProblemSource] = (),
    exclude_overlap: bool = False,
    keep_duplicates: bool = False,
    acceptance: Acceptance | None = None,
) -> Exported:
    """Writes the rows of all runs to `out` and the card beside it; each appears whole or not at all.

    Args:
        form: a format by its name or as `my_format.py:FORMAT`, or as a value.
        against: evaluation sets to compare with, beside those that the runs' recipes name.
        exclude_overlap: leave out problems that overlap with one of them.
        keep_duplicates: write near-duplicates too.
        acceptance: the rule that accepts, before what the runs' recipes say.

    Raises:
        UsageError: a file that is no .jsonl, an unreadable evaluation set, a format the logs cannot serve, with the
            graph that could.
        ErrataError: a full disk.
    """
    out, form = Path(out), format_of(form)
    card, counts = out.with_suffix(".md"), ExportCounts()
    if out.suffix != ".jsonl":
        raise UsageError(
            f"--out {out}",
            "rows are JSON lines, since they hold lists and their lineage; their card is the .md file",
            f"name a .jsonl file: --out {out.with_suffix('.jsonl')}",
        )
    logs = open_logs(runs, form, options, acceptance)
    selection = Selection(options, keep_duplicates, eval_sets_of(logs, against, exclude_overlap), exclude_overlap)
    _write_rows(out, logs, form, selection, counts)
    write_whole(card, card_text(out.name, logs, form, selection, counts).encode("utf-8", "replace"))
    return Exported(out, card, counts, form)


def _write_rows(out: Path, logs: Sequence[Log], form: Format, selection: Selection, counts: ExportCounts) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ErrataError(f"{out} cannot be written: {error.strerror or error}", do="free space or rights") from error
    draft = draft_of(out)
    try:
        with os.fdopen(open_own(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            for row in compile_rows(logs, form, selection, counts):
                file.write(to_json(row) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if not counts.rows:
            raise no_row(logs, form, counts)
        draft.replace(out)
    except OSError as error:
        raise ErrataError(f"{out} cannot be written: {error.strerror or error}", do="free space or rights") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
