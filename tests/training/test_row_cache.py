"""Rows as token ids are made once, are the same from the cache, and are made again where anything has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest
from trl import ModelConfig

from errata.training import row_cache
from errata.training.arguments import DataArguments
from errata.training.method_arguments import Arguments
from errata.training.methods.sft import SFT
from errata.training.prepare import prepare
from errata.training.row_cache import cached_rows, key_of
from tests.training.lab import byte_tokenizer, one_step, sample_rows, tiny_llama

ROWS = '{"prompt": "3 and 4 ?", "completion": "3 + 4 = 7 ."}\n{"prompt": "5 and 4 ?", "completion": "5 + 4 = 9 ."}\n'


@pytest.fixture
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.usefixtures("_fresh")
def test_rows_are_made_once_for_a_key(tmp_path: Path) -> None:
    made: list[str] = []

    def make() -> Any:
        made.append("made")
        return sample_rows(), {"left_out": {"too long": 1}}

    first, again = cached_rows("a", make), cached_rows("a", make)
    cached_rows("b", make)

    assert len(made) == 2
    assert again[0].to_list() == first[0].to_list() == [dict(row) for row in sample_rows()]
    assert again[1] == {"left_out": {"too long": 1}}
    assert again[0].cache_files  # mapped from disk
    (tmp_path / "cache/errata/a/facts.json").unlink()  # as a killed process leaves it
    cached_rows("a", make)
    assert len(made) == 3
    assert sorted(each.name for each in (tmp_path / "cache/errata").iterdir()) == ["a", "b"]


@pytest.mark.usefixtures("_fresh")
def test_what_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        cached_rows("a", lambda: 1 // 0)  # type: ignore[arg-type,return-value]

    assert not list(tmp_path.rglob("facts.json"))


def test_a_key_follows_tokenizer_settings_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    chatty = byte_tokenizer()
    chatty.chat_template = "{{ messages }}"
    keys = {key_of(byte_tokenizer(), 1), key_of(byte_tokenizer(), 2), key_of(chatty, 1)}
    assert len(keys) == 3
    assert key_of(byte_tokenizer(), 1) in keys

    monkeypatch.setattr(row_cache, "code_hash", lambda: "other")

    assert key_of(byte_tokenizer(), 1) not in keys


@pytest.mark.usefixtures("_fresh")
def test_a_second_training_makes_no_rows_and_another_setting_makes_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_llama().save_pretrained(tmp_path / "student")
    byte_tokenizer().save_pretrained(tmp_path / "student")
    data = tmp_path / "rows.jsonl"
    data.write_text(ROWS)
    written: list[Path] = []
    write = row_cache._write
    monkeypatch.setattr(row_cache, "_write", lambda folder, *made: (written.append(folder), write(folder, *made)))

    def prepared(**settings: Any) -> Any:
        arguments = DataArguments(dataset_name=[str(data)], **settings)
        model = ModelConfig(model_name_or_path=str(tmp_path / "student"))
        return prepare(Arguments(SFT, arguments, SFT.flags_class(), None, one_step(tmp_path), model))

    first, again = prepared(), prepared()

    assert len(written) == 1
    assert again.rows.to_list() == first.rows.to_list()
    assert (again.target_tokens, again.sequences, again.left_out) == (
        first.target_tokens,
        first.sequences,
        first.left_out,
    )
    prepared(system="Be brief.")
    data.write_text(ROWS + ROWS.replace("3", "6"))
    assert len(prepared().rows) == 4
    assert len(written) == 3
