"""Where rows come from: a slip in a run's name is found here, and no hub is asked about it."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from errata.errors import UsageError
from errata.exports.formats import FORMATS
from errata.training.load_rows import Where, read

WHERE = Where(FORMATS[0])


@pytest.fixture(autouse=True)
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that the hub was asked about, from a folder with one run in it."""
    names: list[str] = []

    def load(name: str, *_: object, **__: object) -> None:
        names.append(name)
        raise ConnectionError("no network in tests")

    (tmp_path / "runs/recipe").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", load)
    return names


@pytest.mark.parametrize("name", ["runs/recipee", "./runs/recipee", "rnus/recipe", "nowhere/runs/x", "rows.jsonl"])
def test_a_run_or_file_that_is_not_there_is_said_before_a_hub_is_asked(name: str, asked: list[str]) -> None:
    with pytest.raises(UsageError, match=f"no run and no file {name}") as refused:
        read([name], WHERE)

    assert asked == []
    assert ("did you mean runs/recipe?" in str(refused.value)) == ("recipe" in name)


def test_an_owner_that_is_no_folder_here_is_the_hubs(asked: list[str]) -> None:
    with pytest.raises(UsageError, match="the data set somebody/rows cannot be opened"):
        read(["somebody/rows"], WHERE)

    assert asked == ["somebody/rows"]


def test_max_rows_draws_the_same_rows_again_in_their_order_and_fewer_are_a_part_of_more(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"prompt": f"{n} + 1 ?", "completion": str(n + 1)}) + "\n" for n in range(50)))
    where = WHERE._replace(seed=3)

    def prompts(most: int | None, seed: int = 3) -> list[str]:
        return [each.row.data["prompt"] for each in read([str(file)], where._replace(most=most, seed=seed)).rows]

    every, ten, five = prompts(None), prompts(10), prompts(5)
    assert prompts(99) == every
    assert len(ten) == 10
    assert sorted(ten, key=every.index) == ten == prompts(10)
    assert set(five) < set(ten) < set(every)
    assert prompts(10, seed=4) != ten


def test_no_rows_at_all_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "1 + 1 ?", "completion": "2"}\n')
    with pytest.raises(UsageError, match="--max_rows 0"):
        read([str(file)], WHERE._replace(most=0))
