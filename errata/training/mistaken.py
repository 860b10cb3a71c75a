"""Rows of the problems that a student got wrong, by its exam in the run or by an eval of it.

MAPD's paper trains on no other problems (arXiv 2410.03663, its data pipeline).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from errata.errors import UsageError
from errata.exports.sequences import SourceRow
from errata.training.load_rows import rows_of_file

Fault = Callable[[SourceRow], str | None]
"""Why a row is not learned from; None where it is."""
EXAM = "exam"
ITEMS = "items.jsonl"
NOT_ASKED, RIGHT = "not asked of this student", "answered right by this student"


def rows_mistaken(source: str) -> Fault:
    """What is wrong with rows of other problems than those that the student got wrong.

    Args:
        source: `exam` takes the student's exam in the run that a row comes from, as its meta says; else an eval
            directory, or a file of its items (`id`, `correct`).

    A problem with several answers counts as wrong where one of them is. Raises UsageError for a folder without items.
    """
    return _by_exam if source == EXAM else _by_items(source)


def _by_exam(row: SourceRow) -> str | None:
    meta = row.data.get("meta")
    exam = meta.get("exam") if isinstance(meta, dict) else None
    return {"mistaken": None, "right": RIGHT}.get(str(exam), NOT_ASKED)


def _by_items(source: str) -> Fault:
    path = Path(source).expanduser()
    file = path / ITEMS if path.is_dir() else path
    if not file.is_file():
        raise UsageError(
            f"no {ITEMS} in {source}" if path.is_dir() else f"no eval {source}",
            "it tells which problems the student got wrong",
            "name the directory that `errata eval` wrote on the problems of the run, or exam",
        )
    right: dict[str, bool] = {}
    for place, item in rows_of_file(file):
        if not isinstance(item.get("correct"), bool | int | float) or "id" not in item:
            raise UsageError(f"{place}: no `id` or no `correct`", "it is no item of an eval", "name an eval directory")
        right[str(item["id"])] = right.get(str(item["id"]), True) and item["correct"] == 1

    def fault(row: SourceRow) -> str | None:
        answered = right.get(row.problem_id or "")
        return NOT_ASKED if answered is None else RIGHT if answered else None

    return fault
