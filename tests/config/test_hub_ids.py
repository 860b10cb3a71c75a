"""One rule for what a hub could have, wherever a name may be a path or a hub id."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from errata.config.hub_ids import is_hub_id, is_repository, nearly_here
from errata.data.readers import KNOWN
from errata.errors import UsageError
from errata.models.files import find

NAMES = (
    "gpt2", "openai/gsm8k", "HuggingFaceTB/SmolLM2-135M-Instruct", "_a/b_", "a/b.c", "a" * 96, "o/" + "a" * 96,
    "", "/", "a/", "/a", "a/b/c", "./a", "../a", "~/a", "-a/b", "a/-b", "a./b", "a/b.", "a--b", "a/b..c", "a/b.git",
    "a" * 97, "o/" + "a" * 97, "a b/c", "a/b\n", "C:/a",
)  # fmt: skip


def taken_by_the_client(name: str) -> bool:
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_a_repository_is_what_the_hubs_client_takes(name: str) -> None:
    assert is_repository(name, owner=False) is taken_by_the_client(name)
    assert is_repository(name) is (taken_by_the_client(name) and "/" in name)


def test_names_of_other_alphabets_are_none() -> None:
    assert not is_repository("é/ü")


def test_a_missing_file_is_no_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_hub_id("students/untouched", owner=False)
    assert is_hub_id("runs/rows.v2")
    assert not is_hub_id("runs/rows.csv", files=KNOWN)
    (tmp_path / "students").mkdir()
    assert not is_hub_id("students/untouched")
    with pytest.raises(UsageError, match="no file or folder students/untouched\n"):
        find("students/untouched")  # asks no hub


def test_a_slip_in_the_name_of_a_folder_that_is_here_is_no_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "students/untouched").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert not is_hub_id("studnets/untouched")
    assert nearly_here("studnets/untouched") == "students/untouched"
    for name in ("studnets/other", "openai/untouched", "students", "studnets/"):
        assert nearly_here(name) is None
    assert is_hub_id("studnets/other")
    with pytest.raises(UsageError, match="did you mean students/untouched"):
        find("studnets/untouched")  # asks no hub
