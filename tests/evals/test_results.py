"""Eval directories and other tools' files are read; what is none is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.errors import UsageError
from errata.evals.results import Item, Key, Sample, evals_of, own_items, read_eval, write_items
from tests.evals.eval_dirs import eval_dir


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    sample = Sample(text="so 4 \u2014 <b>", answer="4", correct=True, tokens=7, truncated=False, group=0, score=0.25)
    items = [
        Item(id="a", task="t", correct=True, answer="4", samples=(sample,), tokens=7, meta={"gold": "4"}),
        Item(id="b", task="t", correct=0.5),
    ]

    write_items(tmp_path / "items.jsonl", items)

    result = read_eval(tmp_path).items
    assert list(result) == items
    assert result[0].correct is True


def test_other_tools_need_only_id_and_correct(tmp_path: Path) -> None:
    file = tmp_path / "theirs.jsonl"
    file.write_text('{"id": 3, "correct": 1, "score": {"x": 2}}\n\n{"id": "b", "correct": false}\n')

    result = read_eval(file)

    assert [(item.id, item.correct) for item in result.items] == [("3", 1.0), ("b", False)]
    assert result.name == "theirs"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "a"}', "line 2, correct"),
        ('{"correct": true}', "line 2, id"),
        ('{"id": "a", "correct": 1.5}', "line 2, correct: Value error, `correct` is true, false or a share"),
        ('{"id": "a", "correct": "yes"}', "line 2, correct"),
        ("[1]", "line 2, line"),
        ("{", "line 2: no JSON"),
        ('{"id": "z", "correct": true}', "line 2: z stands in line 1 already"),
    ],
)
def test_a_line_that_is_no_result_is_told(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"id": "z", "correct": true}\n' + line + "\n")

    with pytest.raises(UsageError) as raised:
        read_eval(file)

    assert message in raised.value.found


def test_nothing_is_not_compared(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()

    for path in (empty, tmp_path / "absent", tmp_path):
        with pytest.raises(UsageError):
            read_eval(path)


def test_of_lines_about_one_item_the_last_counts_while_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    first, later = Item(id="a", correct=False), Item(id="a", correct=True)
    file.write_bytes(first.to_line() + b'{"torn": \n' + later.to_line())

    assert own_items(file) == {Key("", "a"): later}


def test_the_evals_of_a_run_are_found(tmp_path: Path) -> None:
    for name in ("b", "a"):
        eval_dir(tmp_path / "evals", name, {"t": [True]})

    assert [path.name for path in evals_of(tmp_path)] == ["a", "b"]


def test_records_are_flat(tmp_path: Path) -> None:
    record = read_eval(eval_dir(tmp_path, "sft", {"t": [True]})).records()[0]

    assert record["eval"] == "sft"
    assert record["meta.gold"] == "4"
