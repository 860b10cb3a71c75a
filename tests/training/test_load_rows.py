"""Where rows come from: a slip in a run's name is found here, and no hub is asked about it."""

from __future__ import annotations

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


@pytest.mark.parametrize("name", ["runs/recipee", "./runs/recipee", "nowhere/runs/x", "rows.jsonl"])
def test_a_run_or_file_that_is_not_there_is_said_before_a_hub_is_asked(name: str, asked: list[str]) -> None:
    with pytest.raises(UsageError, match=f"no run and no file {name}") as refused:
        read([name], WHERE)

    assert asked == []
    assert ("did you mean runs/recipe?" in str(refused.value)) == ("recipee" in name)


def test_an_owner_that_is_no_folder_here_is_the_hubs(asked: list[str]) -> None:
    with pytest.raises(UsageError, match="the data set somebody/rows cannot be opened"):
        read(["somebody/rows"], WHERE)

    assert asked == ["somebody/rows"]
