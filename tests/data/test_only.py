"""Problems chosen by their ids: what a file of ids leaves of a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.data.only import ids_in
from errata.data.problems import Problems
from errata.data.source import ProblemSource
from errata.errors import UsageError


def classroom(**more: object) -> ProblemSource:
    return ProblemSource.model_validate({"source": "classroom", "options": {"count": 6, "seed": 3}, **more})


def test_only_the_named_problems_are_read_in_the_sources_order_and_as_they_are(tmp_path: Path) -> None:
    everything = list(Problems(classroom()))
    file = tmp_path / "chosen.jsonl"
    file.write_text("".join(f'{{"id": "{everything[n].id}", "by": "x"}}\n' for n in (4, 1)))
    chosen = list(Problems(classroom(only=str(file))))
    assert chosen == [
        everything[1].model_copy(update={"position": 0}),
        everything[4].model_copy(update={"position": 1}),
    ]


def test_a_limit_counts_the_named_ones(tmp_path: Path) -> None:
    everything = list(Problems(classroom()))
    file = tmp_path / "chosen.jsonl"
    file.write_text("".join(f'{{"id": "{everything[n].id}"}}\n' for n in (2, 4, 5)))
    assert [each.id for each in Problems(classroom(only=str(file)), 2)] == [everything[2].id, everything[4].id]


def test_ids_that_no_problem_has_leave_nothing_and_say_what_narrowed(tmp_path: Path) -> None:
    file = tmp_path / "chosen.jsonl"
    file.write_text('{"id": "nobody"}\n')
    with pytest.raises(UsageError, match="that passes only"):
        list(Problems(classroom(only=str(file))))


@pytest.mark.parametrize("line", ['{"name": "x"}', "[1]", "no json", '{"id": 3}'])
def test_a_line_without_an_id_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "chosen.jsonl"
    file.write_text(f'{{"id": "a"}}\n\n{line}\n')
    with pytest.raises(UsageError, match="line 3: no `id`"):
        ids_in(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.jsonl: No such file"):
        ids_in(tmp_path / "none.jsonl")
