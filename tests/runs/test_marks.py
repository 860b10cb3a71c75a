"""A person's marks: how they are read, and how they lie over a log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errata.errors import UsageError
from errata.records import Outcome, Problem, Rationale, Transcript
from errata.runs.marks import PERSON, Mark, marks_in, read_marks, with_marks
from errata.runs.run_dir import RunDir

TEXT = "1 + 1 = 2 .\n2 * 2 = 6 .\nThe answer is 6."


def transcript(**changes: Any) -> Transcript:
    one = Rationale(id="a", problem_id="p", author="ada", role="teacher", text=TEXT, answer="6", estimated=0.7)
    problem = Problem(id="p", task="t", question="?", answer=None, kind="number")
    both = (one.model_copy(update=changes), one.model_copy(update={"id": "b"}))
    return Transcript(graph="lesson", problem=problem, rationales=both, outcome=Outcome(status="done"))


def test_the_last_mark_of_a_rationale_counts(tmp_path: Path) -> None:
    assert marks_in(RunDir(tmp_path)) == {}
    lines = [
        '{"rationale": "a", "verdict": "right"}',
        "",
        '{"rationale": "a", "verdict": "wrong", "first_wrong_step": 1}',
    ]
    (tmp_path / "marks.jsonl").write_text("\n".join(lines))
    assert marks_in(RunDir(tmp_path)) == {"a": Mark(rationale="a", verdict="wrong", first_wrong_step=1)}


@pytest.mark.parametrize("line", ['{"rationale": "a"}', '{"rationale": "a", "verdict": "maybe"}', "{", "[]"])
def test_a_line_that_is_no_mark_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "m.jsonl").write_text(f'{{"rationale": "b", "verdict": "right"}}\n{line}')
    with pytest.raises(UsageError, match="line 2 is no mark"):
        read_marks(tmp_path / "m.jsonl")


def test_a_right_one_has_no_wrong_step(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"rationale": "a", "verdict": "right", "first_wrong_step": 0}')
    with pytest.raises(UsageError, match="line 1: a right rationale with a first wrong step"):
        read_marks(tmp_path / "m.jsonl")


def test_a_mark_goes_before_the_estimate_and_says_where_it_goes_wrong() -> None:
    mark = Mark(rationale="a", verdict="wrong", first_wrong_step=1)
    (seen,) = with_marks([transcript()], {"a": mark})
    marked, other = seen.rationales
    assert (marked.is_right, other.is_right, other.marked) == (False, True, None)
    assert marked.wrong_step is not None
    assert TEXT[slice(*marked.wrong_step.span)] == "2 * 2 = 6 .\n"
    assert marked.wrong_step.probability == 1.0
    assert marked.wrong_step.votes[-1].source == PERSON


def test_gold_goes_before_a_mark_and_the_log_never_holds_one() -> None:
    (seen,) = with_marks([transcript(correct=True)], {"a": Mark(rationale="a", verdict="wrong")})
    assert seen.rationales[0].is_right is True
    assert b"marked" not in transcript().to_line()
    assert list(with_marks([transcript()], {})) == [transcript()]
