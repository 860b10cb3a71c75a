"""Makes data sets of logs: `errata export RUN... --format F --out FILE.jsonl`, with a data-set card beside the file.

Rows come run by run in the order given and, within a run, in the problems' input order, so that the same recipe and the
same replies give the same bytes. Of a problem that stands in two runs the rows of both come; `meta.run` says whose.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from errata.data.contamination import load_eval_set
from errata.data.source import ProblemSource
from errata.errors import ErrataError, UsageError
from errata.export.compile import Handling, Log, Tally, compile_rows, open_logs
from errata.export.dataset_card import card_text
from errata.export.formats import FORMATS
from errata.export.transcript_view import ALL, Options
from errata.records import to_json
from errata.runs.run_dir import write_whole
from errata.runs.status import funnel_of


class Exported(NamedTuple):
    """What was written."""

    out: Path
    card: Path
    tally: Tally


def export(
    runs: Sequence[str | Path],
    format_name: str,
    out: str | Path,
    options: Options = ALL,
    *,
    against: Sequence[ProblemSource] = (),
    exclude_overlap: bool = False,
    keep_duplicates: bool = False,
) -> Exported:
    """Writes the rows of all runs to `out` and the card beside it; each appears whole or not at all.

    Args:
        against: evaluation sets to compare with, beside those that the runs' recipes name.
        exclude_overlap: leave out problems that overlap with one of them.
        keep_duplicates: write near-duplicates too.

    Raises:
        UsageError: a format the logs cannot serve, with the graph that could; an unreadable evaluation set.
        ErrataError: a full disk.
    """
    out = Path(out)
    form, card = FORMATS[format_name], out.with_suffix(".md")
    if card == out:
        raise UsageError(f"--out {out}", "rows are JSON lines, and their card is the .md file", "name a .jsonl file")
    logs = open_logs(runs, format_name, options)
    sets: list[ProblemSource] = []
    for each in (*against, *(each for log in logs for each in log.source.recipe.eval_sets)):
        if each not in sets:
            sets.append(each)
    if exclude_overlap and not sets:
        raise UsageError(
            "no evaluation set is named",
            "there is nothing to exclude",
            "name it: --against, or eval_sets in the recipe",
        )
    asked = Handling(options, keep_duplicates, tuple(load_eval_set(each) for each in sets), exclude_overlap)
    tally = Tally()
    draft = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            for row in compile_rows(logs, form, asked, tally):
                file.write(to_json(row) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if not tally.rows:
            raise _nothing(logs, format_name, tally)
        draft.replace(out)
    except OSError as error:
        raise ErrataError(f"{out} cannot be written: {error.strerror or error}", do="free space or rights") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    write_whole(card, card_text(out.name, logs, format_name, form, asked, tally).encode("utf-8", "replace"))
    return Exported(out, card, tally)


def _nothing(logs: Sequence[Log], format_name: str, tally: Tally) -> UsageError:
    counts: Counter[str] = Counter()
    for log in logs:
        counts.update(funnel_of(log.run, log.index).rationales())
    why = ", ".join(f"{number} {reason}" for reason, number in tally.left_out.most_common(5))
    if tally.excluded:
        why = f"{tally.excluded} problems left out for overlap{', ' * bool(why)}{why}"
    return UsageError(
        f"no row: of {counts['written']} rationales {counts['correct']} are right, {counts['accepted']} accepted",
        f"{format_name} takes {FORMATS[format_name].takes}; left out: {why or 'nothing, there was nothing to take'}",
        "`errata status RUN` tells the reasons; let the run finish, or run the graph lesson for more to learn from",
    )
