"""Which rows are of problems that a student got wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from errata.errors import UsageError
from errata.exports.sequences import SourceRow
from errata.training.mistaken import NOT_ASKED, RIGHT, rows_mistaken


def row(problem: str, exam: str | None = None) -> SourceRow:
    return SourceRow(f"line {problem}", {"meta": {"problem_id": problem, **({"exam": exam} if exam else {})}})


def items(folder: Path, *correct: tuple[str, Any]) -> Path:
    folder.mkdir()
    lines = [json.dumps({"id": name, "task": "t", "correct": value}) for name, value in correct]
    (folder / "items.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_the_runs_own_exam_tells_it() -> None:
    fault = rows_mistaken("exam")

    found = [fault(row("p", exam)) for exam in ("mistaken", "right", "none", None)]
    assert found == [None, RIGHT, NOT_ASKED, NOT_ASKED]


def test_an_eval_tells_it_by_problem(tmp_path: Path) -> None:
    where = items(tmp_path / "eval", ("a", False), ("b", True), ("c", 0.75), ("d", 1.0), ("e", True), ("e", False))

    for place in (where, where / "items.jsonl"):
        fault = rows_mistaken(str(place))
        assert [fault(row(name)) for name in "abcde"] == [None, RIGHT, None, RIGHT, None]
        assert fault(row("other")) == NOT_ASKED


def test_what_is_no_eval_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no items\.jsonl in"):
        rows_mistaken(str(tmp_path))
    with pytest.raises(UsageError, match="no eval nowhere"):
        rows_mistaken("nowhere")
    with pytest.raises(UsageError, match=r"items\.jsonl, line 1: no `id`"):
        rows_mistaken(str(items(tmp_path / "eval", ("a", None))))
